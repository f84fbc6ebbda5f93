"""Settings of a validation: `skillpack.toml`, or `[tool.skillpack]` in pyproject.toml, and what follows from them.

profile = "recommended"            # the default; spec: what the specification says; strict: everything
select = ["name-format"]           # only these rules
ignore = ["shebang"]               # not these
exclude = ["vendor/**"]            # skills and files whose findings are left out
[severity]
link-target = "error"              # error, warning or notice
[per-path]
"skills/old/**" = ["body-lines"]   # rules that are ignored there
"""

# pathlib takes longer to import than a validation takes to run.
# ruff: noqa: PTH110

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from skillpack.checker import CRASHED
from skillpack.diagnostics import Diagnostic, Severity
from skillpack.errors import UsageFailure
from skillpack.rules import PROFILES, SPEC_GROUPS, Rule
from skillpack.source import own_text

#: Where settings are looked for, in the folder that the command is run in.
FILES = ("skillpack.toml", "pyproject.toml")
_LISTS = ("select", "ignore", "exclude")


class Settings(NamedTuple):
    """What a user asks for."""

    profile: str = "recommended"
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    severity: dict[str, Severity] = {}  # noqa: RUF012 never changed
    per_path: dict[str, tuple[str, ...]] = {}  # noqa: RUF012 never changed


def load(path: str | None, rules: Sequence[Rule]) -> Settings:
    """The settings in the file `path`, or in one of FILES. Raises UsageFailure for what is wrong with them."""
    name = path or next((name for name in FILES if os.path.exists(name)), None)
    if name is None:
        return Settings()
    try:
        text = own_text(name)
    except (OSError, UnicodeDecodeError) as error:
        raise UsageFailure(f"{name} cannot be read: {error}") from None
    whole = not name.endswith("pyproject.toml")
    if not whole and "tool.skillpack" not in text:
        return Settings()
    document = _parsed(text, name)
    table = document if whole else document.get("tool", {}).get("skillpack", {})
    return _settings(table, name, {rule.slug for rule in rules})


def read_toml(path: str) -> dict[str, Any]:
    """The document in the file `path`. Raises UsageFailure where it cannot be read or is not TOML."""
    try:
        return _parsed(own_text(path), path)
    except (OSError, UnicodeDecodeError) as error:
        raise UsageFailure(f"{path} cannot be read: {error}") from None


def _parsed(text: str, name: str) -> dict[str, Any]:
    import sys

    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise UsageFailure(f"{name}: not TOML: {error}") from None


def _settings(table: Any, name: str, slugs: set[str]) -> Settings:
    # `pack` is read by catalog.py, `verify` by verify/settings.py
    known = {"profile", "severity", "per-path", "pack", "verify", *_LISTS}
    for key in table:
        if key not in known:
            raise UsageFailure(f"{name}: there is no setting {key!r}; there are {', '.join(sorted(known))}")
    profile = table.get("profile", "recommended")
    if profile not in PROFILES:
        raise UsageFailure(f"{name}: profile is one of {', '.join(PROFILES)}")
    select, ignore, exclude = (_strings(table.get(key, []), f"{name}: {key}") for key in _LISTS)
    levels = {severity.label: severity for severity in Severity}
    severity = {}
    for slug, level in _table(table.get("severity", {}), f"{name}: severity").items():
        if level not in levels:
            raise UsageFailure(f"{name}: severity of {slug} is one of {', '.join(levels)}")
        severity[slug] = levels[level]
    per_path = {
        glob: _strings(value, f"{name}: per-path {glob}")
        for glob, value in _table(table.get("per-path", {}), f"{name}: per-path").items()
    }
    for slug in (*select, *ignore, *severity, *(slug for listed in per_path.values() for slug in listed)):
        known_rule(slug, slugs, f"{name}: ")
    return Settings(profile, select, ignore, exclude, severity, per_path)


def known_rule(slug: str, slugs: Iterable[str], where: str = "") -> None:
    """Raises UsageFailure, with a proposal, when no rule is called `slug`."""
    names = list(slugs)
    if slug not in names:
        from difflib import get_close_matches

        near = get_close_matches(slug, names, n=1)
        raise UsageFailure(f"{where}no rule is called {slug!r}" + (f"; did you mean {near[0]!r}?" if near else ""))


def _strings(value: Any, what: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise UsageFailure(f"{what} is a list of strings")
    return tuple(value)


def _table(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise UsageFailure(f"{what} is a table")
    return value


def chosen(rules: Sequence[Rule], settings: Settings) -> list[Rule]:
    """The rules that take part, as far as their names and groups tell: none is imported for this."""
    asked = settings.select or [rule.slug for rule in rules if _takes_part(rule, settings.profile)]
    return [rule for rule in rules if rule.slug in asked and rule.slug not in settings.ignore]


def _takes_part(rule: Rule, profile: str) -> bool:
    """Whether a rule of this group is asked in this profile."""
    return rule.group in SPEC_GROUPS if profile == "spec" else rule.group != "strict" or profile == "strict"


def adjusted(found: Iterable[Diagnostic], rules: Sequence[Rule], settings: Settings) -> list[Diagnostic]:
    """The findings that profile, exclusions and paths leave, with the severities that were asked for."""
    by_slug = {rule.slug: rule for rule in rules}
    kept = []
    for finding in found:
        slug, path = finding.slug, finding.location.path
        rule = by_slug.get(slug)
        if slug != CRASHED and rule is not None:
            if settings.profile != "strict" and rule.profile == "strict" and slug not in settings.select:
                continue
            if settings.exclude and _matches(path, settings.exclude):
                continue
            if any(slug in slugs and _matches(path, (glob,)) for glob, slugs in settings.per_path.items()):
                continue
        kept.append(finding._replace(severity=settings.severity.get(slug, finding.severity)))
    return sorted(kept)


def _matches(path: str, globs: Sequence[str]) -> bool:
    """Whether `path`, as it is shown, fits one of `globs`; `*` goes over slashes too."""
    from fnmatch import fnmatchcase

    plain = path.replace(os.sep, "/").removeprefix("./")
    return any(fnmatchcase(plain, glob) or fnmatchcase(plain, f"{glob.rstrip('/')}/*") for glob in globs)
