"""`skillpack manifest` and `skillpack pack`: what is published of a repository of skills, written or held in step."""

from __future__ import annotations

import difflib
from pathlib import Path

import click

from skillpack import signing
from skillpack.archive import Member, members, sha256, unzipped, zip_bytes
from skillpack.catalog import load_catalog
from skillpack.checker import check as check_skills
from skillpack.diagnostics import ERROR
from skillpack.errors import EXIT_FINDINGS, NothingToCheck, UsageFailure
from skillpack.kit.script import write_atomic
from skillpack.rules import discover
from skillpack.skill import load_skill
from skillpack.source import find, find_all
from skillpack.targets import generate, names


@click.command(
    epilog="Examples:\n\n  skillpack manifest                     write the manifests of this repository\n\n"
    "  skillpack manifest --check             change nothing; exit 1 and show the diff when one has drifted\n\n"
    "  skillpack manifest --target claude --target codex --out dist/"
)
@click.argument("root", type=click.Path(exists=True, file_okay=False, path_type=Path), default=".")
@click.option("--check", is_flag=True, help="Change nothing; exit 1 and print the diff on drift.")
@click.option("--target", "targets", multiple=True, metavar="NAME", help=f"Only these: {', '.join(names())}.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Write there. [default: ROOT]")
def manifest(root: Path, check: bool, targets: tuple[str, ...], out: Path | None) -> int:
    """Write what each agent reads to find the skills of the repository at ROOT.

    From the SKILL.md files and the identity of the pack ([tool.skillpack.pack] in pyproject.toml, or [pack] in
    skillpack.toml). Exit codes: 0 in step, 1 drifted, 2 the identity or a skill does not allow it, 3 no skills.
    """
    texts = generate(load_catalog(str(root)), targets)
    out, drifted = out or root, 0
    for path, text in texts.items():
        place = out / path
        before = place.read_bytes().decode("utf-8", "replace") if place.is_file() else ""
        if before == text:
            continue
        drifted += 1
        if check:
            diff = difflib.unified_diff(before.splitlines(True), text.splitlines(True), f"{path} (now)", path)
            click.echo("".join(diff), nl=False)
        else:
            write_atomic(place, text)
            click.echo(f"wrote {place}")
    if check and drifted:
        click.echo(f"{drifted} of {len(texts)} files have drifted; run `skillpack manifest`", err=True)
        return EXIT_FINDINGS
    if not drifted:
        click.echo(f"{len(texts)} files are in step")
    return 0


@click.command(
    epilog="Examples:\n\n  skillpack pack skills/                 dist/NAME.skill for each skill\n\n"
    "  skillpack pack --layout flat --out site/.well-known/agent-skills skills/\n\n"
    "  skillpack pack --sign key.pem skills/  a signature beside each archive\n\n"
    "  skillpack pack --verify key.pub.pem dist/my-skill.skill"
)
@click.argument("paths", metavar="PATH...", nargs=-1, required=True)
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=Path("dist"), show_default=True)
@click.option(
    "--layout",
    type=click.Choice(["folder", "flat"]),
    default="folder",
    show_default=True,
    help="folder: NAME.skill holds the folder NAME/; flat: NAME.zip has SKILL.md at its top, as discovery wants it.",
)
@click.option("--sign", "private", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="KEY.PEM")
@click.option("--verify", "public", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="KEY.PEM")
def pack(paths: tuple[str, ...], out: Path, layout: str, private: Path | None, public: Path | None) -> int:
    """Write one archive a skill, from skills that validate; prints each archive's SHA-256.

    The same files give the same bytes everywhere: fixed order, times and modes, nothing compressed. --sign writes the
    signature NAME.oms.sig beside each archive (OpenSSF Model Signing, an EC key in PEM, no network). --verify holds
    archives, or folders that were made of them, against the signature beside them, and writes nothing.
    Exit codes: 0 written or verified, 1 a skill has errors or does not verify, 2 wrong usage, 3 no skills.
    """
    if public is not None:
        return max([_verified(Path(path), public) for path in paths])
    trees, empty = find_all(paths)
    if empty:
        raise NothingToCheck(f"no SKILL.md under {', '.join(empty)}")
    skills = [load_skill(tree) for tree in trees if tree.skill_file is not None]
    errors = [found for found in check_skills(skills, discover()) if found.severity >= ERROR]
    if errors:
        from skillpack.reports import text

        click.echo(text.render(errors, len(skills), color=False), nl=False)
        click.echo("nothing was packed", err=True)
        return EXIT_FINDINGS
    packed: dict[str, list[Member]] = {}
    for skill in skills:
        name = skill.string("name") or ""
        if name in packed:
            raise UsageFailure(f"two skills are called {name!r}; pack them one at a time, with --out")
        packed[name] = members(skill.tree)
    for name, files in packed.items():
        data = zip_bytes(files, name if layout == "folder" else "")
        place = out / (f"{name}.skill" if layout == "folder" else f"{name}.zip")
        write_atomic(place, data)
        click.echo(f"{sha256(data)}  {place}")
        if private is not None:
            signing.sign(files, private, out / f"{name}{signing.SUFFIX}")
    return 0


def _verified(path: Path, key: Path) -> int:
    """Says how the archive or folder at `path` stands to the signature beside it."""
    if path.is_dir():
        (tree,) = find(str(path))
        files, name = members(tree), path.resolve().name
    elif path.is_file():
        files, name = unzipped(path.read_bytes()), path.stem
    else:
        raise UsageFailure(f"{path} does not exist")
    signature = path.resolve().parent / f"{name}{signing.SUFFIX}"
    if not signature.is_file():
        raise UsageFailure(f"{signature} does not exist: there is nothing to hold {path} against")
    problem = signing.verify(files, key, signature)
    click.echo(f"{path}: {problem or 'signed by this key, file for file'}")
    return EXIT_FINDINGS if problem else 0
