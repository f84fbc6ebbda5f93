"""skillpack: Agent Skills for Hugging Face ML work, and the validator that proves them.

The validator as a library is in `skillpack.library`; its names can be imported from here, and are loaded only then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from skillpack.diagnostics import Diagnostic, Location, Severity
    from skillpack.errors import Failure
    from skillpack.library import check, load_skill, load_skills
    from skillpack.skill import Skill

    __version__: str

__all__ = ["Diagnostic", "Failure", "Location", "Severity", "Skill", "check", "load_skill", "load_skills"]

_HOMES = {
    "Diagnostic": "diagnostics",
    "Failure": "errors",
    "Location": "diagnostics",
    "Severity": "diagnostics",
    "Skill": "skill",
    "check": "library",
    "load_skill": "library",
    "load_skills": "library",
}


def __getattr__(name: str) -> Any:
    """What is looked up when it is asked for: importlib.metadata alone costs more than a validation."""
    if name == "__version__":
        from importlib.metadata import version

        return version("skillpack")
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(f"skillpack.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
