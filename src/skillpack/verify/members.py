"""What modules have and take once they are imported: reads questions as JSON, prints the answers as its last line.

A question is [module, name]: is there such an attribute or module? Or [module, name, argument]: does what is there take
a keyword argument of this name, as far as its signature says, behind decorators too?

A process of its own, because what it imports may be heavy, may print, and may fail.
"""

import contextlib
import importlib
import inspect
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


def takes(module, name, argument):
    """Whether `module.name` takes the keyword argument; True where nothing is known of it."""
    try:
        found = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
        parameters = inspect.signature(found).parameters.values()
    except BaseException:  # noqa: BLE001
        return True
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return any(one.kind is one.VAR_KEYWORD or (one.name == argument and one.kind in named) for one in parameters)


if __name__ == "__main__":
    os.environ["HF_HUB_OFFLINE"] = "1"
    sys.path.pop(0)  # the folder of this file, whose modules have names that others have too
    asked = json.load(sys.stdin)
    with contextlib.redirect_stdout(sys.stderr):
        answers = [takes(*one) if len(one) == 3 else has(*one) for one in asked]
    print(json.dumps(answers), flush=True)
    os._exit(0)  # nothing of what was imported is to print after this
