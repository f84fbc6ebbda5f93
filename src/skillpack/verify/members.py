"""Which names modules have once they are imported: reads `[[module, name], …]`, prints `[true, …]` as its last line.

A process of its own, because what it imports may be heavy, may print, and may fail.
"""

import contextlib
import importlib
import json
import os
import sys


def has(module, name):
    """Whether `module` has `name`, as an attribute or as a module in it."""
    try:
        found = importlib.import_module(module) if module else None
    except BaseException:  # noqa: BLE001 whatever an import does
        return False
    if found is not None and hasattr(found, name):
        return True
    try:
        importlib.import_module(f"{module}.{name}" if module else name)
    except BaseException:  # noqa: BLE001
        return False
    return True


if __name__ == "__main__":
    os.environ["HF_HUB_OFFLINE"] = "1"
    asked = json.load(sys.stdin)
    with contextlib.redirect_stdout(sys.stderr):
        answers = [has(*one) for one in asked]
    print(json.dumps(answers))
