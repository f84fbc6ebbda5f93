"""Tasks as folders of Harbor: task.toml, instruction.md, environment/, tests/, solution/ (schema 1.4 of Harbor 0.25).

The image is built in two stages: the first sets the task up on a local Hub, the second has the start state, the Hub and
the skill without its evals. Its entry point serves the Hub, and then runs what Harbor wants to run.
"""

from __future__ import annotations

import json
import re
import shutil
from importlib.metadata import requires
from pathlib import Path

import skillpack
from skillpack.evals.suite import EvalTask
from skillpack.evals.trial import HIDDEN
from skillpack.kit.script import write_atomic

IMAGE = "python:3.11-slim"
TOKEN = "hf_localhublocalhublocalhub"  # of a Hub that exists in the container alone
PORT = 8765

TASK = """\
schema_version = "1.4"

[task]
name = "skillpack/{name}"
description = {description}
keywords = ["agent-skills", "hugging-face"]

[metadata]
skill = "{skill}"
eval_id = {id}

[agent]
timeout_sec = {timeout}

[verifier]
timeout_sec = 300.0

[environment]
build_timeout_sec = 1200.0
workdir = "/app"
{skills}
[environment.env]
HF_ENDPOINT = "http://127.0.0.1:{port}"
HF_TOKEN = "{token}"
HF_HOME = "/tmp/hf-home"

[environment.healthcheck]
command = "python -m skillpack hub status --root /var/hub"
"""

DOCKERFILE = """\
FROM {image} AS base
ENV PYTHONPATH=/opt PIP_ROOT_USER_ACTION=ignore
RUN pip install --no-cache-dir uv {packages}
COPY skillpack /opt/skillpack
COPY --chmod=755 with-hub /usr/local/bin/with-hub

FROM base AS start
COPY skill /skill
RUN HF_ENDPOINT=http://127.0.0.1:{port} HF_TOKEN={token} \\
    with-hub python /skill/evals/tasks.py setup {id} --folder /app

FROM base
COPY --from=start /var/hub /var/hub
COPY --from=start /app /app
COPY --from=start /app.start.json /app.start.json
{skills}WORKDIR /app
ENTRYPOINT ["with-hub"]
CMD ["sleep", "infinity"]
"""

WITH_HUB = """\
#!/bin/sh
# Serves the local Hub, waits until it answers, and runs the arguments.
export SKILLPACK_HUB_TOKEN={token}
python -m skillpack hub --detach --root /var/hub --port {port} --user me >/dev/null || exit 3
"$@"
code=$?
python -m skillpack hub stop --root /var/hub >/dev/null
exit $code
"""

ANSWER = "\n\nWhen you are done, also write what you tell me to the file /answer.md.\n"

VERIFY = """\
#!/bin/bash
# Grades the end state: the reward is the share of the expectations that are met.
mkdir -p /logs/verifier
cp -f /answer.md /app.report.md 2>/dev/null
python /tests/evals/tasks.py grade {id} --folder /app --json > /logs/verifier/grading.json
python - <<'END'
import json
from pathlib import Path
logs = Path("/logs/verifier")
summary = json.loads((logs / "grading.json").read_text())["summary"]
(logs / "reward.json").write_text(json.dumps({{"reward": summary["pass_rate"]}}))
END
"""

SOLVE = """\
#!/bin/bash
# A right end state without an agent.
set -e
python /solution/skill/evals/tasks.py solve {id} --folder /app
cp /app.report.md /answer.md
"""


def task_name(task: EvalTask) -> str:
    return f"{task.skill_name}--{re.sub(r'[^a-z0-9-]+', '-', task.id.lower()).strip('-')}"


def packages() -> list[str]:
    """What the local Hub needs: the requirements of skillpack and of its extra `hub`."""
    found = [each.partition(";") for each in requires("skillpack") or []]
    return [name.strip() for name, _, marker in found if "extra" not in marker or re.search(r"['\"]hub['\"]", marker)]


def write_task(task: EvalTask, out: Path, timeout: float, with_skill: bool = True) -> Path:
    """Writes the folder of one task below `out`, in place of an older one, and returns it."""
    folder = out / task_name(task)
    shutil.rmtree(folder, ignore_errors=True)
    skills = 'skills_dir = "/skills"\n' if with_skill else ""
    about = {
        "name": folder.name, "skill": task.skill_name, "id": json.dumps(task.id), "timeout": timeout,
        "description": json.dumps(task.prompt[:200], ensure_ascii=False), "port": PORT, "token": TOKEN,
    }  # fmt: skip
    quoted = {**about, "id": f"'{task.id}'", "image": IMAGE, "packages": " ".join(f"'{each}'" for each in packages())}
    environment = folder / "environment"
    files = {
        folder / "task.toml": TASK.format(**about, skills=skills),
        folder / "instruction.md": task.prompt + ANSWER,
        environment / "Dockerfile": DOCKERFILE.format(
            **quoted, skills=f"COPY skills/{task.skill_name} /skills/{task.skill_name}\n" if with_skill else ""
        ),
        environment / "with-hub": WITH_HUB.format(**about),
        folder / "tests/test.sh": VERIFY.format(**quoted),
        folder / "solution/solve.sh": SOLVE.format(**quoted),
    }
    for path, text in files.items():
        write_atomic(path, text)
        if path.suffix == ".sh" or path.name == "with-hub":
            path.chmod(0o755)
    cached = shutil.ignore_patterns("__pycache__", "_skills")
    shutil.copytree(Path(skillpack.__file__).parent, environment / "skillpack", ignore=cached)
    shutil.copytree(task.skill, environment / "skill", ignore=cached)
    if with_skill:
        shutil.copytree(task.skill, environment / "skills" / task.skill_name, ignore=HIDDEN)
    shutil.copytree(task.skill / "evals", folder / "tests/evals", ignore=cached)
    shutil.copytree(task.skill, folder / "solution/skill", ignore=cached)
    return folder
