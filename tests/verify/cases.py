"""For each kind of finding, what is found and what is not: `bad` and `good` differ by what is wrong.

A case is the text of a Markdown file. `kind` is what `bad` is to give and `good` is not to; `line` is where.
"""

from __future__ import annotations

from typing import NamedTuple


class Case(NamedTuple):
    """One error and its correction."""

    name: str
    kind: str
    bad: str
    good: str
    line: int = 2


def bash(code: str) -> str:
    return f"```bash\n{code}\n```\n"


def python(code: str) -> str:
    return f"```python\n{code}\n```\n"


CASES = [
    # shell
    Case("quote", "shell-syntax", bash("hf download 'me/x"), bash("hf download 'me/x'")),
    Case("removed-command", "command-unknown", bash("hf repo create x"), bash("hf repos create me/x")),
    Case("command-of-group", "command-unknown", bash("hf jobs runn x y"), bash("hf jobs run x y")),
    Case("command-in-prose", "command-unknown", "text\n`hf jobs start` goes on\n", "text\n`hf jobs run` goes on\n"),
    Case("command-in-substitution", "command-unknown", bash("ID=$(hf job list)"), bash("ID=$(hf jobs list)")),
    Case("command-in-pipe", "command-unknown", bash("hf jobs lst | head"), bash("hf jobs list | head")),
    Case("typer", "command-unknown", bash("gradio inf me/x"), bash("gradio info me/x")),
    Case("clap", "command-unknown", bash("uv runn x.py"), bash("uv run x.py")),
    Case("flag", "option-unknown", bash("hf download me/x --localdir d"), bash("hf download me/x --local-dir d")),
    Case(
        "flag-on-second-line",
        "option-unknown",
        bash("hf download me/x \\\n  --dir d"),
        bash("hf download me/x \\\n  --quiet"),
        3,
    ),
    Case("flag-with-value", "option-unknown", bash("uv run --wth=trl x.py"), bash("uv run --with=trl x.py")),
    Case(
        "flag-behind-prefix",
        "option-unknown",
        bash("X=1 timeout 5 hf download me/x --no"),
        bash("X=1 timeout 5 hf env"),
    ),
    Case("flag-of-trl", "option-unknown", bash("trl sft --warmup_ratio 0.1"), bash("trl sft --warmup_steps 10")),
    Case("flag-of-launcher", "option-unknown", bash("trl sft --num_procs 2"), bash("trl sft --num_processes 2")),
    Case(
        "flag-of-own-script",
        "option-unknown",
        bash("uv run scripts/tool.py f --sized 1"),
        bash("uv run scripts/tool.py f --size 1"),
    ),
    Case(
        "flag-behind-launcher",
        "option-unknown",
        bash("torchrun --nproc-per-node 2 scripts/tool.py f --sized 1"),
        bash("torchrun --nproc-per-node 2 scripts/tool.py f --size 1"),
    ),
    Case(
        "flag-behind-job",
        "option-unknown",
        bash("hf jobs uv run scripts/tool.py f --flavor x --sized 1"),
        bash("hf jobs uv run scripts/tool.py f --flavor x --size 1"),
    ),
    Case("flag-alone-in-prose", "option-unowned", "text\n- `--sized 3` is more\n", "text\n- `--size 3` is more\n"),
    Case(
        "flag-in-optional-notation",
        "option-unknown",
        "text\n`hf download <repo> [--dir D]`\n",
        "text\n`hf download <repo> [--local-dir D]`\n",
    ),
    Case(
        "closed-set",
        "option-value",
        bash("hf download me/x --repo-type datasets"),
        bash("hf download me/x --repo-type dataset"),
    ),
    Case(
        "closed-set-of-own",
        "option-value",
        bash("python scripts/tool.py f --mode quick"),
        bash("python scripts/tool.py f --mode fast"),
    ),
    Case(
        "alternatives",
        "option-value",
        "text\n`scripts/tool.py f --mode fast|quick`\n",
        "text\n`scripts/tool.py f --mode fast|slow`\n",
    ),
    Case(
        "number", "option-value", bash("hf download me/x --max-workers many"), bash("hf download me/x --max-workers 4")
    ),
    Case("no-value", "option-value", bash("hf download me/x --revision"), bash("hf download me/x --revision main")),
    Case("order", "option-value", bash("hf upload ./out me/x"), bash("hf upload me/x ./out")),
    Case("too-many", "argument-count", bash("python scripts/tool.py a b"), bash("python scripts/tool.py a")),
    Case(
        "too-few", "argument-count", bash("python scripts/tool.py --size 1"), bash("python scripts/tool.py a --size 1")
    ),
    Case(
        "console",
        "command-unknown",
        "```console\n$ hf repo list\nhf repo list is what it prints\n```\n",
        "```console\n$ hf repos list\nhf repo is what it prints\n```\n",
    ),
    Case("unlabelled", "command-unknown", "```\nhf repo list\n```\n", "```\nhf repos list\n```\n"),
    Case(
        "in-a-list",
        "command-unknown",
        "1. step\n   ```bash\n   hf repo list\n   ```\n",
        "1. step\n   ```bash\n   hf repos list\n   ```\n",
        3,
    ),
    # paths and addresses
    Case("path", "path-missing", bash("uv run scripts/tol.py a"), bash("uv run scripts/tool.py a")),
    Case("path-in-python", "path-missing", python("open('scripts/tol.py')"), python("open('scripts/tool.py')")),
    Case("path-in-prose", "path-missing", "text\nread `references/no.md`\n", "text\nread `references/own.md`\n"),
    Case("hub-protocol", "url-form", "text\nhf://dataset/me/x/a.parquet\n", "text\nhf://datasets/me/x/a.parquet\n"),
    Case(
        "hub-file",
        "url-form",
        "text\nhttps://huggingface.co/me/x/main/a.txt\n",
        "text\nhttps://huggingface.co/me/x/resolve/main/a.txt\n",
    ),
    # Python
    Case("not-python", "python-syntax", python("trainer(a=1, ...)"), python("print(1, ...)")),
    Case("import", "python-import", python("from trl import SFTTraner"), python("from trl import SFTTrainer")),
    Case("submodule", "python-import", python("import trl.trainers"), python("import trl.trainer")),
    Case(
        "member",
        "python-name",
        python("import trackio\ntrackio.logg({})"),
        python("import trackio\ntrackio.log({})"),
        3,
    ),
    Case(
        "dropped-argument",
        "python-call",
        python("from trl import SFTConfig\nSFTConfig(output_dir='x', warmup_ratio=0.1)"),
        python("from trl import SFTConfig\nSFTConfig(output_dir='x', warmup_steps=1)"),
        3,
    ),
    Case(
        "renamed-argument",
        "python-call",
        python("from trl import SFTTrainer\nSFTTrainer(model='m', tokenizer=None)"),
        python("from trl import SFTTrainer\nSFTTrainer(model='m', processing_class=None)"),
        3,
    ),
    Case(
        "dataclass",
        "python-call",
        python("from peft import LoraConfig\nLoraConfig(rank=8)"),
        python("from peft import LoraConfig\nLoraConfig(r=8)"),
        3,
    ),
    Case(
        "missing-argument",
        "python-call",
        python("import trackio\ntrackio.init()"),
        python("import trackio\ntrackio.init(project='x')\ntrackio.init(...)"),
        3,
    ),
    Case(
        "closed-set-of-python",
        "python-call",
        python("import gradio as gr\ngr.Button('x', variant='loud')"),
        python("import gradio as gr\ngr.Button('x', variant='stop')"),
        3,
    ),
    Case(
        "overload",
        "python-overload",
        python("from huggingface_hub import HfApi\nHfApi().upload_file('a', 'b', 'me/x')"),
        python(
            "from huggingface_hub import HfApi as A\nA().upload_file(path_or_fileobj='a', path_in_repo='b', repo_id='c')"  # noqa: E501
        ),
        3,
    ),
    Case(
        "method",
        "python-name",
        python("from huggingface_hub import HfApi\nHfApi().create_repository('x')"),
        python("from huggingface_hub import HfApi\nHfApi().create_repo('x')"),
        3,
    ),
    Case(
        "method-argument",
        "python-call",
        python("from huggingface_hub import HfApi\nHfApi().create_repo('x', type='dataset')"),
        python("from huggingface_hub import HfApi\nHfApi().create_repo('x', repo_type='dataset')"),
        3,
    ),
    Case(
        "event",
        "python-call",
        python("import gradio as gr\nb = gr.Button()\nb.click(print, input=[])"),
        python("import gradio as gr\nb = gr.Button()\nb.click(print, inputs=[])"),
        4,
    ),
    Case(
        "context-manager",
        "python-call",
        python("import gradio as gr\nwith gr.Blocks() as demo:\n    ...\ndemo.launch(theme_name=None)"),
        python("import gradio as gr\nwith gr.Blocks() as demo:\n    ...\ndemo.launch(theme=None)"),
        5,
    ),
    Case(
        "decorator",
        "python-call",
        python("from functools import wraps\n@wraps(print, assign=())\ndef f(): ..."),
        python("from functools import wraps\n@wraps(print, assigned=())\ndef f(): ..."),
        3,
    ),
    Case(
        "decorated-without-annotations",
        "python-call",
        python("import gradio as gr\n@gr.render(input=[])\ndef f(): ..."),
        python("import gradio as gr\n@gr.render(inputs=[])\ndef f(): ..."),
        3,
    ),
    Case(
        "object-of-an-earlier-block",
        "python-name",
        python("from huggingface_hub import HfApi\napi = HfApi()") + python("api.create_repository('x')"),
        python("from huggingface_hub import HfApi\napi = HfApi()") + python("api.create_repo('x')"),
        6,
    ),
    Case("unimported", "python-unimported", python("os.getcwd()"), python("import os\nos.getcwd()")),
    Case("undefined", "python-undefined", python("print(trainer)"), python("trainer = 1\nprint(trainer)")),
    Case(
        "script-in-a-string",
        "python-call",
        python('hf = """\n# /// script\n# ///\nfrom trl import SFTConfig\nSFTConfig("x", warmup_ratio=0.1)\n"""'),
        python('hf = """\n# /// script\n# ///\nfrom trl import SFTConfig\nSFTConfig("x", warmup_steps=1)\n"""'),
        6,
    ),
    Case("not-installed", "not-checked", python("import unsloth_that_is_not_here"), python("import trl")),
    # data
    Case("json", "data-syntax", '```json\n{"a": 1,}\n```\n', '```json\n{"a": 1}\n```\n'),
    Case("yaml", "data-syntax", "```yaml\na: b: c\n```\n", "```yaml\na: {b: c}\n```\n"),
    Case("toml", "data-syntax", "```toml\na = b\n```\n", '```toml\na = "b"\n```\n'),
    Case(
        "schema-of-the-skill",
        "data-schema",
        '```json\n{"schema": "my/plan/1", "steps": "10"}\n```\n',
        '```json\n{"schema": "my/plan/1", "steps": 10}\n```\n',
    ),
    Case(
        "schema-of-servers",
        "data-schema",
        '```json\n{"mcpServers": []}\n```\n',
        '```json\n{"mcpServers": {"a": {"command": "x"}}}\n```\n',
    ),
    # sketches
    Case(
        "no-reason",
        "sketch-reason",
        "text\n<!-- skillpack: sketch -->\n" + bash("hf env"),
        "text\n<!-- skillpack: sketch: why -->\n" + bash("hf nope"),
    ),
    Case(
        "no-block",
        "sketch-reason",
        "text\n<!-- skillpack: sketch: why -->\n\ntext\n",
        "text\n<!-- skillpack: sketch: why -->\n" + bash("hf nope"),
    ),
]

SKILL = """---
name: planted
description: Commands and code with an error each. Use when testing.
---
# Planted

`scripts/tool.py` takes a file, `--size`, `--mode`.
"""

TOOL = '''"""A script."""

import argparse


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("file")
    parser.add_argument("--size", type=int)
    parser.add_argument("--mode", choices=["fast", "slow"])
    parser.parse_args()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
'''

SCHEMA = """{
  "title": "plan",
  "properties": {"schema": {"const": "my/plan/1"}, "steps": {"type": "integer"}}
}
"""
