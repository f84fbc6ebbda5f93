"""`skillpack eval` from end to end, with a scripted agent as a process and a local Hub for each run."""

from __future__ import annotations

import inspect
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from skillpack.evals.agents import PRESETS, read_agent, read_output, redact
from skillpack.evals.benchmark import benchmark, interval, mean, table
from skillpack.schemas import misfits

PLANTED = "planted-secret-of-the-user-42"


def evaluate(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "skillpack", "eval", *map(str, arguments)],
        env={**os.environ, "PLANTED_API_KEY": PLANTED, **environment},
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


def load(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))


def test_a_task_is_done_with_the_skill_and_without_and_compared(example: Path, stand_in: Path, tmp_path: Path) -> None:
    out, upskill = tmp_path / "out", tmp_path / "upskill"
    agent = ("--agent", f"{sys.executable} {stand_in} {{prompt}}", "--out", out)
    asked = evaluate(example, *agent)
    assert asked.returncode == 4 and "--yes to start" in asked.stderr and not out.exists()

    done = evaluate(example, *agent, "--yes", "--upskill", upskill)
    assert done.returncode == 0, done.stderr
    runs = {arm: out / "example/eval-append" / arm / "run-1" for arm in ("with_skill", "without_skill")}

    grading = {arm: load(run / "grading.json") for arm, run in runs.items()}
    assert [each["passed"] for each in grading["with_skill"]["assertion_results"]] == [True, True]
    assert [each["passed"] for each in grading["without_skill"]["expectations"]] == [True, False]
    assert grading["without_skill"]["summary"] == {"passed": 1, "failed": 1, "total": 2, "pass_rate": 0.5}

    timing = {arm: load(run / "timing.json") for arm, run in runs.items()}
    assert timing["with_skill"]["total_tokens"] == 750 and timing["with_skill"]["usd"] == 0.25
    assert timing["with_skill"]["tool_calls"] == 1 and timing["with_skill"]["duration_ms"] > 0
    assert [timing[arm]["skill_used"] for arm in runs] == [True, None]
    assert timing["with_skill"]["jobs"]["started"] == 0
    assert timing["without_skill"]["jobs"]["started"] == timing["without_skill"]["jobs"]["failed"] == 1

    told = {arm: load(run / "report.md") for arm, run in runs.items()}
    assert told["with_skill"]["skill"] == [".agents/skills/example/SKILL.md"] and not told["without_skill"]["skill"]
    assert told["with_skill"]["peeked"] == []  # the graders are not part of what an agent gets
    assert told["with_skill"]["home"] != told["without_skill"]["home"]
    assert sorted(path.name for path in (runs["with_skill"] / "outputs").rglob("*.*l")) == ["week47.jsonl"]

    written = [path.read_text("utf-8", "replace") for path in out.rglob("*") if path.is_file()]
    assert not any(PLANTED in text for text in written)
    assert "my key is ***" in (runs["with_skill"] / "transcript.txt").read_text("utf-8")
    assert told["with_skill"]["token"] == told["with_skill"]["key"] == "***"

    summary = load(out / "example/benchmark.json")
    assert summary["run_summary"]["with_skill"]["pass_rate"]["mean"] == 1.0
    assert summary["run_summary"]["without_skill"]["pass_rate"]["mean"] == 0.5
    assert summary["run_summary"]["delta"]["pass_rate"] == "+0.50"
    assert [run["configuration"] for run in summary["runs"]] == ["with_skill", "without_skill"]
    assert "| expectations met | 1.00 | 0.50 | +0.50 |" in done.stdout

    (batch,) = upskill.iterdir()
    results = load(batch / "batch_summary.json")
    assert [each["run_type"] for each in results["results"]] == ["with_skill", "baseline"]
    assert (results["total_runs"], results["passed_runs"]) == (2, 1)
    assert load(batch / "run_2/run_result.json")["assertions_passed"] == 1

    again = evaluate(example, *agent, "--yes", "--json")
    assert again.returncode == 0 and "2 made already" in again.stderr and "[1/" not in again.stderr
    assert json.loads(again.stdout)[0]["runs"] == summary["runs"]

    other = evaluate(example, "--agent", "echo hello", "--out", out, "--yes")
    assert (
        other.returncode == 2 and "was made by another agent" in other.stderr and "give another --out" in other.stderr
    )
    (example / "SKILL.md").write_text((example / "SKILL.md").read_text("utf-8") + "More.\n", encoding="utf-8")
    changed = evaluate(example, *agent, "--yes")
    assert changed.returncode == 2 and "with_skill/run-1 was made by another agent, or of the skill" in changed.stderr
    assert evaluate(example, *agent, "--yes", "--arm", "without").returncode == 0, "that arm has no skill"
    assert load(out / "example/benchmark.json")["metadata"]["agent"] == Path(sys.executable).name


def test_an_agent_that_takes_too_long_is_ended_with_its_children_and_graded(
    example: Path, stand_in: Path, tmp_path: Path
) -> None:
    child = tmp_path / "child"
    done = evaluate(
        example, "--agent", f"{sys.executable} {stand_in}", "--out", tmp_path / "out", "--yes", "--arm", "with",
        "--timeout", 0.1, STAND_IN_SLEEPS=str(child),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    run = tmp_path / "out/example/eval-append/with_skill/run-1"
    assert load(run / "timing.json")["timed_out"] is True
    assert load(run / "grading.json")["summary"]["passed"] == 1  # nothing was broken, nothing was done
    assert "ended after 6 s" in load(run / "grading.json")["notes"][0]
    for _ in range(50):
        if not Path(f"/proc/{child.read_text().strip()}").exists():
            break
        time.sleep(0.1)
    else:
        pytest.fail("the agent's child still runs")


def running(text: str) -> list[int]:
    """The processes with `text` in their command lines."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it has just ended
            if text.encode() in path.read_bytes():
                found.append(int(path.parent.name))
    return found


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_eval_that_is_ended_leaves_no_agent_and_no_hub(number: int, example: Path, tmp_path: Path) -> None:
    child, places = tmp_path / "child", tmp_path / "places"
    places.mkdir()
    agent = f"sh -c 'echo $$ > {child}.new && mv {child}.new {child}; exec sleep 60'"
    command = [
        sys.executable,
        "-m",
        "skillpack",
        "eval",
        str(example),
        "--agent",
        agent,
        "--yes",
        "--out",
        str(tmp_path),
    ]
    with subprocess.Popen(
        command, env={**os.environ, "TMPDIR": str(places)}, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # a shell's `&` ignores it
    ) as process:  # fmt: skip
        for _ in range(600):
            if child.exists():
                break
            time.sleep(0.1)
        process.send_signal(number)
        assert process.stderr is not None and "interrupted" in process.stderr.read()
    assert process.returncode == 130 and not Path(f"/proc/{child.read_text().strip()}").exists()
    assert not list(places.iterdir())
    assert not running(str(places)), "the Hub has ended too"


def test_what_an_agent_did_is_kept_when_the_grader_fails(example: Path, stand_in: Path, tmp_path: Path) -> None:
    program = example / "evals/tasks.py"
    program.write_text(program.read_text("utf-8").replace('yield "The README is unchanged"', 'yield "Another text"'))
    out = tmp_path / "out"
    done = evaluate(
        example, "--agent", f"{sys.executable} {stand_in} {{prompt}}", "--out", out, "--yes", "--arm", "with"
    )
    assert done.returncode == 1 and "do not both have" in done.stderr
    run = out / "example/eval-append/with_skill/run-1"
    assert sorted(path.name for path in run.iterdir()) == ["outputs", "report.md", "timing.json", "transcript.txt"]


MESSY = """
import os, socket, sys
from pathlib import Path
os.mkfifo("pipe")
socket.socket(socket.AF_UNIX).bind("agent.sock")
Path("link").symlink_to("nowhere")
print('{"type": "assistant", "message": "I am no preset"}')
raise SystemExit(3)
"""


def test_an_agent_that_leaves_pipes_and_sockets_is_graded(example: Path, tmp_path: Path) -> None:
    messy, out = tmp_path / "messy.py", tmp_path / "out"
    messy.write_text(MESSY)
    done = evaluate(example, "--agent", f"{sys.executable} {messy}", "--out", out, "--yes", "--arm", "with")
    assert done.returncode == 0, done.stderr
    run = out / "example/eval-append/with_skill/run-1"
    assert {path.name for path in (run / "outputs").iterdir()} >= {"link", "week47.jsonl"}
    assert "; the agent ended with 3" in done.stderr and "- 1 of 1 runs: the agent ended with 3" in done.stdout
    assert not (run / "outputs/pipe").exists() and load(run / "grading.json")["summary"]["total"] == 2


#: Claude Code without a login prints this and ends with 1; with one it does the task (and here then fails).
SIGNED_OUT = """
import json, os, sys
from pathlib import Path
from subprocess import run
runs, stand_in, signed_in, prompt = sys.argv[1:]
with open(runs, "a") as file:
    file.write("run\\n")
if Path(signed_in).exists():
    run([sys.executable, stand_in, prompt], check=True)
    raise SystemExit(1)
said = "Not logged in with " + os.environ["PLANTED_API_KEY"] + " · Please run /login"
print(json.dumps({"type": "assistant", "message": {"content": [{"type": "text", "text": said}]}}))
usage = {"input_tokens": 0, "output_tokens": 0}
print(json.dumps({"type": "result", "is_error": True, "result": said, "usage": usage, "total_cost_usd": 0}))
raise SystemExit(1)
"""


def test_an_agent_that_is_not_signed_in_is_no_measurement_and_its_run_is_made_after_the_login(
    example: Path, stand_in: Path, tmp_path: Path
) -> None:
    program, runs, signed_in, out = (tmp_path / name for name in ("signed_out.py", "runs", "signed-in", "out"))
    program.write_text(SIGNED_OUT, encoding="utf-8")
    agent = f"{sys.executable} {program} {runs} {stand_in} {signed_in} {{prompt}}"
    done = evaluate(example, "--agent", agent, "--out", out, "--yes", "--repeats", 2)
    assert done.returncode == 1 and done.stdout == "", "no table of nothing"
    assert "'Not logged in with *** · Please run /login'. Sign in to it" in done.stderr
    assert "(4 runs were not made)" in done.stderr and runs.read_text() == "run\n", "it stops at the first"
    kept = [path.relative_to(out) for path in out.rglob("*") if path.is_file()]
    assert kept == [Path("example/eval-append/with_skill/run-1/transcript.txt")]
    assert str(kept[0]) in done.stderr and PLANTED not in (out / kept[0]).read_text("utf-8") + done.stderr

    signed_in.touch()
    again = evaluate(example, "--agent", agent, "--out", out, "--yes", "--arm", "with")
    assert again.returncode == 0 and "0 made already" in again.stderr, again.stderr
    run = out / kept[0].parent
    assert load(run / "timing.json")["exit_code"] == 1 and load(run / "grading.json")["summary"]["passed"] == 2


def test_an_agent_that_counts_nothing_is_measured_by_what_it_wrote(example: Path, tmp_path: Path) -> None:
    hub = "hf repos create me/mine --exist-ok >&2"
    for number, (work, code) in enumerate([("true", 1), ("touch notes", 0), (hub, 0)]):
        out = tmp_path / f"out-{number}"
        agent = f"sh -c '{work}; echo it broke >&2; exit 3'"
        done = evaluate(example, "--agent", agent, "--out", out, "--yes", "--arm", "with")
        assert done.returncode == code, done.stderr
        assert ("said at last 'it broke'" in done.stderr) == bool(code)
        assert len(list(out.rglob("grading.json"))) == 1 - code


def test_an_agent_that_ends_the_hub_is_kept_and_the_next_run_is_made(example: Path, tmp_path: Path) -> None:
    ending, out = tmp_path / "ending.py", tmp_path / "out"
    body = inspect.getsource(running)
    own = "str(Path(os.environ['HF_HOME']).parent / 'hub')"
    ending.write_text(
        f"import os, signal\nfrom contextlib import suppress\nfrom pathlib import Path\n{body}\n"
        f"for process in running({own}):\n    os.kill(process, signal.SIGKILL)\nprint('no more Hub')\n"
    )
    done = evaluate(example, "--agent", f"{sys.executable} {ending}", "--out", out, "--yes")
    assert done.returncode == 1 and done.stderr.count("not made: ") == 2, done.stderr
    run = out / "example/eval-append/with_skill/run-1"
    assert (run / "report.md").read_text() == "no more Hub\n" and not (run / "grading.json").exists()


def test_two_skills_of_one_name_are_refused(example: Path, tmp_path: Path) -> None:
    copy = tmp_path / "other/example"
    shutil.copytree(example, copy)
    done = evaluate(example, copy, "--agent", "echo", "--out", tmp_path / "out")
    assert done.returncode == 2 and "the same name" in done.stderr


def test_a_limit_of_cost_starts_no_further_run(example: Path, stand_in: Path, tmp_path: Path) -> None:
    agent = ("--agent", f"{sys.executable} {stand_in} {{prompt}}", "--out", tmp_path / "out", "--yes")
    done = evaluate(example, *agent, "--max-cost", 0.2)
    assert done.returncode == 1
    assert "the limit came first, after $0.25: 1 runs were not made" in done.stderr
    assert [path.parent.parent.name for path in (tmp_path / "out").rglob("grading.json")] == ["with_skill"]
    assert "the limit came first" in load(tmp_path / "out/example/benchmark.json")["notes"][0]


def test_an_agent_that_hides_its_cost_is_not_run_under_a_limit_of_cost(example: Path, tmp_path: Path) -> None:
    done = evaluate(example, "--agent", "echo hello", "--out", tmp_path / "out", "--yes", "--max-cost", 5)
    assert done.returncode == 1 and "does not report its cost" in done.stderr
    assert len(list((tmp_path / "out").rglob("grading.json"))) == 1


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--agent", "claude", "--task", "none"], "there are: append"),
        (["--agent", "'"], "No closing quotation"),
        (["--agent", "no-such-agent {prompt}", "--yes"], "no-such-agent: No such file"),
        ([], "say who does the tasks"),
        (["--agent", "claude", "--timeout", "nan"], "nan is no number of minutes"),
        (["--agent", "claude", "--max-cost", "nan"], "nan is no number of minutes or dollars"),
    ],
)
def test_a_wrong_call_says_what_to_do(arguments: list[str], problem: str, example: Path, tmp_path: Path) -> None:
    done = evaluate(example, *arguments, "--out", tmp_path / "out")
    assert done.returncode == 2 and problem in done.stderr


def test_a_skill_without_graders_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare/SKILL.md").write_text("---\nname: bare\n---\n")
    done = evaluate(tmp_path / "bare", "--agent", "claude")
    assert done.returncode == 2 and "no evals/evals.json" in done.stderr


CLAUDE = [
    {"type": "system", "subtype": "init"},
    {"type": "assistant", "message": {"content": [{"type": "tool_use"}, {"type": "text", "text": "I look."}]}},
    {"type": "result", "result": "Done.", "total_cost_usd": 0.5, "usage": {"input_tokens": 3, "output_tokens": 4}},
]
CODEX = [
    {"type": "thread.started"},
    {"type": "item.completed", "item": {"type": "command_execution", "command": "ls"}},
    {"type": "item.completed", "item": {"type": "agent_message", "text": "Done."}},
    {"type": "turn.completed", "usage": {"input_tokens": 5, "cached_input_tokens": 4, "output_tokens": 2}},
]
GEMINI = [
    {"type": "init"},
    {"type": "tool_use", "tool_name": "shell"},
    {"type": "message", "role": "user", "content": "x"},
    {"type": "message", "role": "assistant", "content": "Do", "delta": True},
    {"type": "message", "role": "assistant", "content": "ne.", "delta": True},
    {"type": "result", "status": "success", "stats": {"total_tokens": 7}},
]


@pytest.mark.parametrize(("events", "usd"), [(CLAUDE, 0.5), (CODEX, None), (GEMINI, None)])
def test_the_answer_and_the_counts_are_read_from_an_agents_events(events: list[dict], usd: float | None) -> None:
    said = read_output("\n".join(["a line that is no event", "{broken", *map(json.dumps, events)]))
    assert (said.report, said.tokens, said.usd, said.calls) == ("Done.", 7, usd, 1)


def test_plain_output_is_the_answer_and_what_is_not_counted_is_not_zero() -> None:
    said = read_output('All done.\n{"not": "an event"}\n')
    assert said.report.startswith("All done.") and said.tokens is said.usd is said.calls is None


@pytest.mark.parametrize(
    "event",
    [
        {"type": "assistant", "message": "text"},
        {"type": "assistant", "message": {"content": "text"}},
        {"type": "item.completed", "item": "text"},
        {"type": "result", "stats": None},
        {"type": "result", "result": None, "usage": "none"},
        {"type": "turn.completed", "usage": {"input_tokens": None}},
    ],
)
def test_events_of_another_agent_under_the_same_names_are_no_crash(event: dict[str, Any]) -> None:
    assert read_output(json.dumps(event)).tokens in (None, 0)


def test_presets_take_the_prompt_as_one_argument() -> None:
    for name in PRESETS:
        agent = read_agent(name)
        assert "do it; rm -rf x" in agent.command("do it; rm -rf x") and not agent.reads_input


def test_secrets_go_by_name_and_by_form_and_other_words_stay() -> None:
    environment = {"MY_TOKEN": "abcdefgh12", "HOME": "/home/user", "SHORT_KEY": "abc"}
    text = "abcdefgh12 /home/user abc hf_AbCdEfGhIjKl ghp_0123456789ab"
    assert redact(text, environment) == "*** /home/user abc hf_*** ghp_***"
    for token in ("github_pat_" + "a1" * 20, "AKIA" + "A" * 16, "glpat-" + "a1" * 12):
        assert token not in redact(f"it is {token}.", {})


def run_row(task: str, arm: str, passed: int, number: int = 1, **result: Any) -> dict[str, Any]:
    counted = {"passed": passed, "failed": 4 - passed, "total": 4, "pass_rate": passed / 4, "time_seconds": 10.0}
    counted |= dict.fromkeys(("tokens", "usd", "tool_calls", "skill_used")) | {
        "jobs": {"started": 0, "failed": 0, "usd": 0.0}
    }
    return {"eval_id": task, "configuration": arm, "run_number": number, "result": {**counted, **result}}


def test_a_task_that_went_worse_is_named_although_the_mean_rose() -> None:
    rows = [
        (f"t{n}", arm, 4 if arm == "with_skill" else 1, 1) for n in range(3) for arm in ("with_skill", "without_skill")
    ]
    rows += [("t9", "with_skill", 1, 1), ("t9", "without_skill", 3, 1)]
    document = benchmark("s", "a", [run_row(*row) for row in rows], [])
    assert document["notes"] == ["t9 went worse with the skill: 0.75 to 0.25"]
    difference, low, high = document["intervals"]["pass_rate"]["difference"]
    assert difference == pytest.approx(0.4375) and low < 0.1 and high == pytest.approx(0.75)
    assert "tokens" not in document["run_summary"]["with_skill"] and "tokens" not in table(document)


def test_an_interval_is_of_tasks_and_not_of_runs() -> None:
    many_runs = [[[0.0] * 50, [1.0] * 50]]
    assert interval(many_runs, lambda drawn: mean(drawn[0])) == [
        0.5,
        0.0,
        1.0,
    ]  # a hundred runs of two tasks say little
    assert interval([[[0.5]] * 5], lambda drawn: mean(drawn[0])) == [0.5, 0.5, 0.5]
    assert interval([[[0.5]]], lambda drawn: mean(drawn[0])) == [0.5]  # and one run says nothing of others


def test_one_arm_alone_has_no_difference() -> None:
    document = benchmark("s", "a", [run_row("t", "with_skill", 4)], ["a note"])
    assert document["run_summary"]["delta"] == {} and document["notes"] == ["a note"]
    assert "| expectations met | 1.00 | – | – |" in table(document)


def test_the_example_is_what_evaluators_read(example: Path) -> None:
    assert list(misfits(load(example / "evals/evals.json"), "evals")) == []
