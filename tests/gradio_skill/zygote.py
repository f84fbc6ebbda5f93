"""Starts example apps as processes that share one import of gradio, torch and transformers: `python zygote.py MODELS`.

First writes tiny models below the folder MODELS. Then reads a line of JSON for each app, {"app": PATH, "env": {...},
"log": PATH}, forks, and in the child runs the app as `__main__`, as `python app.py` would; answers with its process id.
Ends its children when standard input ends.
"""

from __future__ import annotations

import contextlib
import json
import os
import runpy
import signal
import sys
from pathlib import Path

import gradio  # noqa: F401
import pandas  # noqa: F401
import peft  # noqa: F401
import torch
import transformers
from transformers import pipeline  # noqa: F401

from tests.gradio_skill import tiny


def become(order: dict) -> None:
    """What the process of an app does: everything but the imports is its own."""
    os.setsid()
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for descriptor in (1, 2):
        os.dup2(log, descriptor)
    os.environ.update(order["env"])
    app = Path(order["app"])
    os.chdir(app.parent)
    sys.argv, sys.path[0] = [str(app)], str(app.parent)
    runpy.run_path(str(app), run_name="__main__")


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no answer
    torch.set_num_threads(1)
    if (builder := os.fork()) == 0:  # in a process of its own: what it leaves in memory is not passed on to the apps
        tiny.write_models(Path(sys.argv[1]))
        os._exit(0)
    assert os.waitpid(builder, 0)[1] == 0
    print("ready", file=answers, flush=True)
    transformers.logging.set_verbosity_error()
    children = []
    for line in sys.stdin:
        if (child := os.fork()) == 0:
            try:
                become(json.loads(line))
            finally:
                os._exit(1)
        children.append(child)
        print(child, file=answers, flush=True)
    for child in children:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)


if __name__ == "__main__":
    main()
