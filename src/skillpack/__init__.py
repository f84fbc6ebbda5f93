"""skillpack: Agent Skills for Hugging Face ML work, and the validator that proves them."""

from importlib.metadata import version

__version__ = version("skillpack")
