"""`python -m skillpack.hub`: the same as `skillpack hub`."""

from .cli import hub

if __name__ == "__main__":
    hub(prog_name="skillpack hub")
