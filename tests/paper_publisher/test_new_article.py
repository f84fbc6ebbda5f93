"""From a finished run of the trainer to an article: every number traced, nothing of this machine in it, rendered."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from skillpack.kit.article import MARK, TEMPLATES
from tests.evaluation.test_publish import result

from .conftest import SKILL, Desk, module_of

new_article, check_article, render_article = map(module_of, ["new_article.py", "check_article.py", "render_article.py"])


def made(folder: Path, *arguments: object) -> Path:
    assert new_article.main([*map(str, arguments), "--author", "Ada Byron", "--out", str(folder)]) == 0
    return folder


def check(folder: Path, *arguments: object) -> dict:
    check_article.main([str(folder), *map(str, arguments)])
    return json.loads((folder / "article-check.json").read_text())


@pytest.mark.slow
def test_a_real_run_becomes_a_published_article_from_the_command_line_alone(desk: Desk, finished_run: Path) -> None:
    model = desk.card("tiny", "# Tiny\n")
    wrote = desk.json("new_article.py", finished_run, "--author", "Ada Byron", "--title", "What a tiny model learns")
    assert wrote["todo"] == 0 and wrote["numbers"] > 30 and wrote["open"] == 8, "six of any run, local base and data"
    passed = desk.json("check_article.py", "article", "--strict")
    assert passed["numbers"] == {"traced": wrote["numbers"], "disagree": 0, "stated": 0, "untraced": 0}
    rendered = desk.json("render_article.py", "article")
    assert [Path(name).name for name in rendered["files"]] == ["article.html", "article.pdf", "article.tex"]
    assert desk.script("publish_article.py", "article", "--repo", model).returncode == 4
    published = desk.json("publish_article.py", "article", "--repo", model, "--yes")
    assert published["pull_request"].endswith("/discussions/1")
    text = desk.read(model, "article/article.md", "refs/pr/1").decode()
    run = json.loads(desk.read(model, "article/results/run.json", "refs/pr/1"))
    for name, metric in run["comparison"]["metrics"].items():
        assert f"{metric['tuned']:.3f}<!--results/run.json#/comparison/metrics/{name}/tuned-->" in text
    assert run["comparison"] == json.loads((finished_run / "run.json").read_text())["comparison"]


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_template_leaves_only_what_a_person_must_say(template: str, finished_run: Path, tmp_path: Path) -> None:
    folder = made(tmp_path / "article", finished_run, "--template", template)
    found = check(folder)
    kinds = {each["severity"]: {each["kind"]} for each in found["findings"]}
    assert kinds == {"notice": {"open"}, **({} if template == "ml-report" else {"error": {"todo"}})}
    text = (folder / "article.md").read_text()
    assert found["numbers"]["traced"] == len(MARK.findall(text)) > 30 and found["numbers"]["untraced"] == 0
    titles = re.findall(r"^#+ (.*)$", (SKILL / f"assets/templates/{template}.md").read_text(), re.M)
    assert re.findall(r"^#+ (.*)$", text, re.M) == [title for title in titles if "(optional)" not in title]


def test_nothing_of_this_machine_and_no_row_of_the_data_is_in_an_article(report: Path, finished_run: Path) -> None:
    original = json.loads((finished_run / "run.json").read_text())
    assert original["plan"]["model"]["id"].startswith("/")
    for path in report.rglob("*"):
        if path.is_file():
            assert str(finished_run.parents[1]).encode() not in path.read_bytes(), path
    assert "`Tiny-Qwen3`" in (report / "article.md").read_text()
    copy = json.loads((report / "results/run.json").read_text())
    assert copy["plan"]["model"]["id"] == "Tiny-Qwen3" and copy["log"] == original["log"]


def test_a_local_base_is_no_name_on_the_hub_and_one_on_the_hub_is(finished_run: Path, tmp_path: Path) -> None:
    document = json.loads((finished_run / "run.json").read_text())
    local = made(tmp_path / "local", finished_run)
    document["plan"]["model"] |= {"id": "acme/base", "revision": "523be544a9ce" * 3}
    document["plan"]["dataset"]["source"] |= {"id": "acme/rows", "revision": "0123456789ab" * 3}
    document["log"] = [{"step": n, "loss": 3 / n, "learning_rate": 1e-5} for n in range(1, 26)]
    (tmp_path / "run.json").write_text(json.dumps(document))
    hub = made(tmp_path / "hub", tmp_path / "run.json", "--title", "T")
    texts = [(folder / "article.md").read_text() for folder in (local, hub)]
    for words, where in (
        ("a local folder named `Tiny-Qwen3`, which is no name on the Hub", 0), ("is a local file named", 0),
        ("so has another sha256", 0), ("# made from the run; ask the author", 0),
        ("The base is `acme/base` at revision `523be544a9ce`", 1), ("The data is `acme/rows`", 1), ("Blue: its", 1),
    ):  # fmt: skip
        assert [words in text for text in texts] == [where == 0, where == 1], words
    assert [text.count("<!--open-->") for text in texts] == [8, 6]


def comparison_of(run: Path) -> dict:
    document = json.loads((run / "run.json").read_text())
    held_out = {**document["comparison"], "perplexity": None}
    task = {"harness": "lm-eval 0.4.13", "rows": 40, "without_interval": {}, "metrics": {
        "acc/norm": {"better": "higher", "base": 0.25, "tuned": 0.5, "difference": 0.25, "low": 0.1, "high": 0.4,
                     "beyond_interval": True}}}  # fmt: skip
    return {"schema": "skillpack/comparison/1", "run": {"name": "tiny", "plan_sha256": document["plan_sha256"]},
            "held_out": held_out, "tasks": {"arc_easy": task}, "probes": {"samples": [{"prompt": "private words"}]},
            "samples": [{"prompt": "private words", "expected": "x", "base": "y", "tuned": "z"}]}  # fmt: skip


def compared() -> dict:
    metric = {"better": "higher", "base": 0.5, "new": 0.625, "difference": 0.125, "low": 0.01, "high": 0.25,
              "rows": 200, "p_value": 0.03, "loss_at_most": 0.0, "standing": "better"}  # fmt: skip
    model = {"version": "0", "eval": "evals/x/eval.json"}
    return {"schema": "skillpack/eval-comparison/1", "created": "2026-11-21T09:00:00+00:00", "warnings": [],
            "base": {"id": "org/base", **model}, "new": {"id": "org/new", **model}, "verdict": {},
            "tasks": [{"task": "rows", "rows": 200, "without_interval": {}, "metrics": {"accuracy": metric},
                       "flips": {"accuracy": {"lost": [], "won": ["private words"]}}}]}  # fmt: skip


def test_further_results_are_told_with_their_places(finished_run: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(finished_run, tmp_path / "run"))
    (run / "comparison.json").write_text(json.dumps(comparison_of(run)))
    (tmp_path / "evals/tiny-rows").mkdir(parents=True)
    (tmp_path / "evals/tiny-rows/eval.json").write_text(json.dumps(result(0.625)))
    (tmp_path / "eval-comparison.json").write_text(json.dumps(compared()))
    folder = made(tmp_path / "article", run, "--results", tmp_path / "evals/tiny-rows/eval.json",
                  tmp_path / "eval-comparison.json")  # fmt: skip
    text = (folder / "article.md").read_text()
    assert "## Evaluations" in text and "private words" not in "".join(p.read_text() for p in folder.glob("results/*"))
    for traced in (
        "0.250<!--results/comparison.json#/tasks/arc_easy/metrics/acc~1norm/base-->",
        "0.625<!--results/eval-tiny-rows.json#/tasks/0/metrics/accuracy/value-->",
        "0.125<!--results/eval-comparison.json#/tasks/0/metrics/accuracy/difference-->",
        "<!--results/comparison.json#/held_out/rows-->",
    ):
        assert traced in text
    found = check(folder, "--strict")
    assert found["passed"], found["findings"]


def test_an_evaluation_alone_makes_an_article(tmp_path: Path) -> None:
    (tmp_path / "eval.json").write_text(json.dumps(result(0.625)))
    folder = made(tmp_path / "article", tmp_path / "eval.json", "--title", "A score")
    assert "0.625<!--results/eval-" in (folder / "article.md").read_text()
    assert {each["kind"] for each in check(folder)["findings"]} <= {"section", "open", "sanity"}, "its hashes are zeros"


def broken(tmp_path: Path, run: Path, what: str) -> list[str]:
    """Arguments that cannot make an article."""
    document = json.loads((run / "run.json").read_text())
    copy = tmp_path / "run"
    copy.mkdir()
    if what == "no run":
        return [str(copy)]
    if what == "not JSON":
        (copy / "run.json").write_text("{")
    elif what == "another schema":
        (copy / "run.json").write_text(json.dumps({**document, "schema": "skillpack/run/2"}))
    elif what == "stopped":
        (copy / "run.json").write_text(json.dumps({**document, "status": "stopped", "stopped_by": "SIGTERM"}))
    elif what == "half":
        (copy / "run.json").write_text(json.dumps({"schema": "skillpack/run/1", "plan": {}}))
    elif what == "another comparison":
        (copy / "run.json").write_text(json.dumps(document))
        (copy / "comparison.json").write_text(json.dumps({**comparison_of(run), "run": {"plan_sha256": "0" * 64}}))
    else:
        (copy / "run.json").write_text(json.dumps(document))
        (copy / "own.bib").write_text("@article{a, title={x}}")
        return [str(copy), "--bibliography", str(copy / "own.bib")]
    return [str(copy)]


@pytest.mark.parametrize("what, told", [
    ("no run", "has not ended"), ("not JSON", "not JSON"), ("another schema", "skillpack/run/2"),
    ("stopped", "was stopped"), ("half", "lacks status"), ("another comparison", "of another run"),
    ("bibliography", "lacks author"),
])  # fmt: skip
def test_what_makes_no_article_is_refused_and_nothing_is_written(
    what: str, told: str, finished_run: Path, tmp_path: Path
) -> None:
    arguments = broken(tmp_path, finished_run, what)
    with pytest.raises(new_article.Failure, match=told) as caught:
        made(tmp_path / "article", *arguments)
    assert caught.value.code == 2 and not (tmp_path / "article").exists()


def test_an_edited_article_is_kept_and_its_results_are_refreshed(
    report: Path, finished_run: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(report, tmp_path / "article"))
    edited = (folder / "article.md").read_text().replace("## Data", "A sentence of mine.\n\n## Data")
    (folder / "article.md").write_text(edited)
    with pytest.raises(new_article.Failure, match="--refresh"):
        made(folder, finished_run)
    run = Path(shutil.copytree(finished_run, tmp_path / "run"))
    document = json.loads((run / "run.json").read_text())
    document["comparison"]["metrics"]["loss"]["tuned"] = 1.25
    (run / "run.json").write_text(json.dumps(document))
    before = (folder / "figures/comparison.png").read_bytes()
    assert new_article.main([str(run), "--refresh", "--out", str(folder)]) == 0
    assert (folder / "article.md").read_text() == edited and before[:8] == b"\x89PNG\r\n\x1a\n"
    assert {each["kind"] for each in check(folder)["findings"] if each["severity"] == "error"} == {"number"}
    found = check(folder, "--update")
    assert found["passed"] and found["updated"] == 2
    text = (folder / "article.md").read_text()
    assert "1.250<!--results/run.json#/comparison/metrics/loss/tuned-->" in text and "A sentence of mine." in text


def test_the_page_is_one_file_without_marks_and_with_every_number(report: Path) -> None:
    page = (report / "article.html").read_text()
    assert (
        "<!--results/" not in page
        and "<!--open" not in page
        and "data:image/png;base64," in page
        and 'src="figures' not in page
    )
    run = json.loads((report / "results/run.json").read_text())
    for metric in run["comparison"]["metrics"].values():
        assert f"{metric['base']:.3f}" in page
    assert "TRL: Transformers" in page and "von Werra" in page, "the reference is written out"


@pytest.mark.skipif(bool(os.environ.get("SKILLPACK_NO_LATEX")), reason="SKILLPACK_NO_LATEX is set")
def test_latex_compiles_and_holds_its_references(report: Path, tmp_path: Path, desk: Desk) -> None:
    folder = Path(shutil.copytree(report, tmp_path / "article"))
    text = (folder / "article.md").read_text().replace("template: ml-report", "template: arxiv")
    (folder / "article.md").write_text(
        text.replace("## Data", "Łukasz, 5 % & $x_1^2$ of a_b {c} ~ \\# “q”.\n\n## Data")
    )
    done = desk.json("render_article.py", folder, "--to", "tex", "pdf", "arxiv")
    assert done["latex"] and done["latex"]["compiles"] is True and done["latex"]["pages"] >= 2, done["latex"]
    tex = (folder / "article.tex").read_text()
    assert "CSLReferences" in tex and "\\bibliography{" not in tex
    assert (folder / "article.pdf").read_bytes().startswith(b"%PDF-")
    with tarfile.open(fileobj=io.BytesIO((folder / "article-arxiv.tar.gz").read_bytes())) as bundle:
        assert bundle.getnames() == ["article.tex", "figures/comparison.png", "figures/training.png"]
    (folder / "article.md").write_text(text.replace("## Data", "```{=latex}\n\\nosuchcommand\n```\n\n## Data"))
    broken = desk.json("render_article.py", folder, "--to", "tex", code=1)
    assert broken["latex"]["compiles"] is False and "Undefined control sequence" in broken["latex"]["error"]


def test_without_pandoc_the_way_to_it_is_told(desk: Desk, report: Path) -> None:
    code = (
        "import sys, importlib.util as u; real = u.find_spec; "
        "u.find_spec = lambda name, *a: None if name in ('pypandoc', 'typst') else real(name, *a); "
        "import runpy; sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    command = [sys.executable, "-c", code, str(SKILL / "scripts/render_article.py"), str(report)]
    done = subprocess.run(command, env={"PATH": "/nowhere"}, capture_output=True, text=True, check=False)
    assert done.returncode == 3 and "uv run" in done.stderr and "Traceback" not in done.stderr


def test_the_references_that_are_brought_are_what_trl_asks_to_be_cited() -> None:
    from skillpack.kit.bibtex import check_bibtex, parse_bibtex

    ours, problems = check_bibtex((SKILL / "assets/references.bib").read_text())
    assert problems == [] and {key for _, key in new_article.METHODS.values() if key} < {entry.key for entry in ours}
    import trl

    folder = Path(trl.__file__).parent
    theirs = {}
    for path in [*folder.glob("trainer/*_trainer.py"), *folder.glob("templates/lm_model_card.md")]:
        for entry in parse_bibtex(path.read_text(encoding="utf-8").replace("{% raw %}", ""))[0]:
            theirs[entry.key] = entry
    compared = [entry for entry in ours if entry.key in theirs]
    assert len(compared) == 4
    for entry in compared:
        for field in ("title", "author"):
            plain = [re.sub(r"[{}\s]", "", each.fields[field]) for each in (entry, theirs[entry.key])]
            assert plain[0] == plain[1], entry.key
