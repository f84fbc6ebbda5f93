"""skillpack: Agent Skills for Hugging Face ML work, and the validator that proves them."""

from __future__ import annotations


def __getattr__(name: str) -> str:
    """`__version__`, looked up when it is asked for: importlib.metadata costs more than a validation."""
    if name == "__version__":
        from importlib.metadata import version

        return version("skillpack")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
