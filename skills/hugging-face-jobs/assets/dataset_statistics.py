# /// script
# requires-python = ">=3.10"
# dependencies = [
#   "duckdb>=1.3,<2",
# ]
#
# [tool.hf-jobs]
# flavor = "cpu-upgrade"
# timeout = "30m"
# ///
"""Statistics of a dataset that is mounted as a volume: rows, missing and distinct values, ranges, lengths of text.

DuckDB reads the mounted files a piece at a time, so the dataset may be larger than memory, and no token is needed in
the job. Distinct values and quantiles are estimates. Writes statistics.json, and each column to the log.

examples:
  hf jobs uv run -v hf://datasets/org/data:/dataset dataset_statistics.py /dataset
  python scripts/submit_job.py assets/dataset_statistics.py --volume hf://datasets/org/data:/dataset \
    --volume hf://buckets/me/statistics:/out -- /dataset --out /out
"""

import argparse
import json
from pathlib import Path

READERS = {".parquet": "read_parquet", ".jsonl": "read_json", ".ndjson": "read_json", ".json": "read_json",
           ".csv": "read_csv", ".tsv": "read_csv"}  # fmt: skip


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("folder", type=Path, help="of the mounted dataset")
    options.add_argument("--files", default="**/*", help="which, as **/train-*.parquet (default: all that hold rows)")
    options.add_argument("--out", type=Path, default=Path(), help="folder for statistics.json; mount a bucket there")
    options.add_argument("--memory", help="of DuckDB, as 8GB (default: most of the machine's)")
    args = options.parse_args()
    import duckdb

    files = sorted(path for path in args.folder.glob(args.files) if path.suffix in READERS)
    if not files:
        raise SystemExit(f"{args.folder} has no files of rows ({', '.join(READERS)}) that match {args.files}")
    kinds = sorted({path.suffix for path in files})
    if len(kinds) > 1:
        raise SystemExit(f"{args.folder} has files of several kinds ({', '.join(kinds)}): choose with --files")
    connection = duckdb.connect()
    if args.memory:
        connection.execute(f"SET memory_limit = '{args.memory}'")
    connection.execute("SET preserve_insertion_order = false")
    listed = [str(path) for path in files]
    rows = connection.sql(f"FROM {READERS[kinds[0]]}({listed}, union_by_name = true)")
    rows.create_view("rows")
    found = {"files": len(files), "bytes": sum(path.stat().st_size for path in files), "columns": []}
    found["rows"] = connection.sql("SELECT count(*) FROM rows").fetchone()[0]
    for name, kind in zip(rows.columns, map(str, rows.types), strict=True):
        found["columns"].append(column_of(connection, name, kind, found["rows"]))
        print(json.dumps(found["columns"][-1], default=str), flush=True)
    args.out.mkdir(parents=True, exist_ok=True)
    part = args.out / "statistics.json.part"
    part.write_text(json.dumps(found, indent=2, default=str) + "\n", encoding="utf-8")
    part.replace(args.out / "statistics.json")
    print(f"{found['rows']} rows in {len(files)} files, {found['bytes'] / 1e6:.1f} MB", flush=True)


def column_of(connection, name: str, kind: str, rows: int) -> dict:
    """What is known of a column; of texts and lists, their lengths."""
    column = '"' + name.replace('"', '""') + '"'
    size = f"length({column})" if kind == "VARCHAR" or kind.endswith("[]") else None
    number = kind in ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "FLOAT", "DOUBLE") or "DECIMAL" in kind
    measured = size or (column if number else None)
    nested = kind.startswith(("STRUCT", "MAP")) or kind.endswith("[]")
    parts = [f"count({column})", f"approx_count_distinct({'to_json(' + column + ')' if nested else column})"]
    if measured:
        parts += [f"min({measured})", f"avg({measured})", f"approx_quantile({measured}, [0.05, 0.5, 0.95])",
                  f"max({measured})"]  # fmt: skip
    values = connection.sql(f"SELECT {', '.join(parts)} FROM rows").fetchone()
    about = {"name": name, "type": kind, "missing": rows - values[0], "about_distinct": values[1]}
    if measured and values[0]:
        keys = ("min", "mean", "p5_p50_p95", "max")
        about["length" if size else "value"] = dict(zip(keys, values[2:], strict=True))
    return about


if __name__ == "__main__":
    main()
