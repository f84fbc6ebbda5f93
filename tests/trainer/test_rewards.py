"""The rewards of train_grpo.py: what matches, what does not, and code that tries to cheat its tests."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from skillpack.kit import sandbox
from skillpack.kit.rewards import judged, named_reward, total_reward
from skillpack.kit.script import Failure


def worth(name: str, said: str, **columns: object) -> float | None:
    """What a reward gives for one answer, as text; as messages it must give the same."""
    reward = named_reward(name)
    lists = {key: [value] for key, value in columns.items()}
    [value] = reward([said], **lists)
    assert reward([[{"role": "assistant", "content": said}]], **lists) == [value]
    return value


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ("so 3 + 4 = 7.", "7"),
        ("1,234 in all", "#### 1234"),
        ("12,345,678", "12345678"),
        ("It costs $1,234.50.", "1234.5"),
        ("7.0", 7),
        ("-3", "−3"),
        ("-$5", "-5"),
        ("9 - 4 leaves 5", "5"),
        ("half, that is 1/2", "0.5"),
        (r"\frac{3}{4}", "0.75"),
        ("50%", "50"),
        ("50 percent", "0.5"),
        (r"12.5\%", "12.5%"),
        ("12 km", "12"),
        ("12 m^2", "12"),
        ("12 H2O", "12"),
        ("1.5e3", "1500"),
        ("0.33333333", "1/3"),
        ("I add 5 and 2.\n#### 7\nThat used 2 numbers.", "5 + 2 = 7\n#### 7"),
        ("<think>8? 9?</think> <answer>7</answer> after 2 tries", "7"),
        ("<think>no, 8</think> 7", "7"),
        (r"1\,000", "1000"),
    ],
)
def test_the_last_number_is_read_as_people_write_numbers(said, answer):
    assert worth("number", said, answer=answer) == 1.0


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ("I do not know", "7"),
        ("7 or 8", "7"),
        ("12", "1,2"),
        ("1000001", "1000000"),
        ("50%", "0.5%"),
        ("-7", "7"),
        ("7/0", "7"),
        ("0.3", "1/3"),
        ("70", "7"),
        ("7", "seven"),
        ("<think>7</think> <answer>8</answer>", "7"),
        ("9" * 5000, "7"),
        ("1e999", "7"),
    ],
)
def test_another_number_is_another_number(said, answer):
    assert worth("number", said, answer=answer) == 0.0


@pytest.mark.parametrize(
    ("said", "answer", "right"),
    [
        (r"thus \boxed{42}", "42", True),
        (r"thus \boxed{42}", r"We find $x = \boxed{42}$.", True),
        (r"\boxed{1} no, \boxed{42}", "42", True),
        (r"\boxed{\dfrac{1}{2}}", "0.5", True),
        (r"\boxed{\frac{1}{2}}", r"\frac12", False),
        (r"\boxed{x + 1}", "x+1", True),
        (r"\boxed{12\text{ cm}}", "12", True),
        (r"\boxed{x = 5}", "5", True),
        (r"\boxed{\$1,200}", "1200", True),
        (r"\boxed{30^\circ}", "30", True),
        ("thus 42", "42", False),
        (r"\boxed{y + 1}", "x + 1", False),
        (r"\boxed{2x}", "2", False),
        (r"\boxed{1, 2}", "2", False),
        (r"\boxed{42} no, \boxed{1}", "42", False),
        (r"\boxed{42", "42", False),
        (r"\boxed{}", "42", False),
    ],
)
def test_a_box_holds_the_answer_or_does_not(said, answer, right):
    assert worth("boxed", said, answer=answer) == float(right)


@pytest.mark.parametrize(
    ("name", "said", "right"),
    [
        ("format", "<think>2 and 2</think>\n<answer>4</answer>", True),
        ("format", "2 and 2</think><answer>4</answer>\n", True),
        ("format", "<answer>4</answer>", False),
        ("format", "<think>a</think><answer>4</answer> and more", False),
        ("format", "<think>a</think><answer>4</answer><answer>5</answer>", False),
        ("format", "<think>a<think>b</think></think><answer>4</answer>", False),
        (r"format:[A-D]", " B ", True),
        (r"format:[A-D]", "B, I think", False),
        ("python", "```python\nprint(1)\n```", True),
        ("python", "So:\n```py\nx = 1\n```\nDone.", True),
        ("python", "print(", False),
        ("python", "```python\n```", False),
        ("python", "(" * 2000, False),
    ],
)
def test_form_is_judged_by_the_whole_answer(name, said, right):
    assert worth(name, said) == float(right)


def test_rewards_are_added_by_their_weights():
    row = {"prompt": "2 + 2?", "answer": "4"}
    rewards = [named_reward("number"), named_reward("format")]
    assert total_reward(rewards, row, "4") == 1.0
    assert total_reward(rewards, row, "<think>x</think><answer>4</answer>", [1.0, 0.25]) == 1.25
    assert [reward.__name__ for reward in rewards] == ["number", "format"]


REWARDS = """
import math
def length(completions, **columns): return [len(c) for c in completions]
def some(completions, **columns): return [None if c == "skip" else 1 for c in completions]
def few(completions, **columns): return [1.0]
def undefined(completions, **columns): return [math.nan for _ in completions]
def endless(completions, **columns): return [math.inf for _ in completions]
def words(completions, **columns): return ["good" for _ in completions]
def nothing(completions, **columns): return None
def narrow(completions): return [1.0 for _ in completions]
async def later(completions, **columns): return [1.0 for _ in completions]
def leaves(completions, **columns): raise SystemExit(0)
"""


def test_a_function_of_a_file_is_a_reward_wherever_the_file_lies(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(REWARDS)
    assert named_reward(f"{file}:length")(["abc"]) == [3.0]
    assert named_reward("elsewhere/mine.py:length", (str(file),))(["abc"]) == [3.0]
    some = named_reward(f"{file}:some")
    assert some(["skip", "say"]) == [None, 1.0]
    assert judged(some, ["skip", "say"], [{"prompt": ""}] * 2) == [0.0, 1.0]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("few", "gave 1 numbers for 2"),
        ("undefined", "gave nan"),
        ("endless", "gave inf"),
        ("words", "could not convert string to float"),
        ("nothing", "'NoneType' object is not iterable"),
        ("narrow", "unexpected keyword argument 'answer'"),
        ("later", "'coroutine' object is not iterable"),
        ("leaves", "SystemExit: 0"),
        ("absent", "defines no function 'absent'"),
    ],
)
@pytest.mark.filterwarnings("ignore:coroutine")
def test_a_function_that_breaks_the_contract_is_named(tmp_path, name, message):
    (tmp_path / "mine.py").write_text(REWARDS)
    with pytest.raises(Failure, match=message):
        named_reward(f"{tmp_path}/mine.py:{name}")(["one", "two"], answer=["1", "2"])


@pytest.mark.parametrize("name", ["no-such", "nowhere.py:f", "format:[", "number:x"])
def test_a_name_that_means_nothing_is_refused(name):
    with pytest.raises(Failure):
        named_reward(name)


@pytest.mark.parametrize(
    ("code", "said"),
    [("import no_such_module", "No module named 'no_such_module'"), ("raise SystemExit(0)", "SystemExit: 0")],
)
def test_a_file_that_fails_is_refused(tmp_path, code, said):
    (tmp_path / "mine.py").write_text(code)
    with pytest.raises(Failure, match=said):
        named_reward(f"{tmp_path}/mine.py:f")


# --- code against tests ------------------------------------------------------------------------------------------

LEVELS = ["namespaces", "same user"]
NEXT = "def after(x):\n    return x + 1\n"
HOLDS = ("assert after(1) == 2", "assert after(-1) == 0")


@pytest.fixture(params=LEVELS)
def level(request, monkeypatch):
    """Each way of isolation that this machine has, with a second of processor time."""
    if request.param not in ("same user", sandbox.sandbox_level()):
        pytest.fail(f"this machine refuses {request.param}: the strictest sandbox is untested here")
    monkeypatch.setattr(sandbox, "TEST_SECONDS", 1)
    sandbox.sandbox_source.cache_clear()
    yield request.param
    sandbox.sandbox_source.cache_clear()


def passed(level: str, code: str, *tests: str) -> bool:
    return sandbox.run_in_sandbox(level, code, tests) == [True] * len(tests)


def test_the_share_of_the_tests_that_hold_is_the_reward():
    rows = {"tests": [[*HOLDS, "assert after(1) == 3", "print(after(1))"]]}
    assert named_reward("tests")([f"```python\n{NEXT}```"], **rows) == [0.75]
    assert named_reward("tests")(["I cannot."], **rows) == [0.0]
    whole = "def check(candidate):\n    assert candidate(1) == 2\n"
    named = {"tests": [whole], "entry_point": ["after"]}
    assert named_reward("tests")([NEXT], **named) == [1.0]
    assert named_reward("tests")(["def after(x): return x"], **named) == [0.0]


@pytest.mark.parametrize(
    ("code", "test"),
    [
        ("def f(): return {'a': (1, 2.5), 'b': {3}, None: [b'x', 1j, True]}",
         "assert f() == {'a': (1, 2.5), 'b': {3}, None: [b'x', 1j, True]}"),
        ("def f(n):\n    yield from range(n)", "assert list(f(3)) == [0, 1, 2]"),
        ("def f(x): x.sort()", "values = [3, 1]\nf(values)\nassert values == [1, 3]"),
        ("def f(x): raise ValueError('no')",
         "try: f(1)\nexcept ValueError as error: assert str(error) == 'no'\nelse: assert False"),
        ("class Stack:\n    def __init__(self): self.items = []\n    def push(self, x): self.items.append(x)",
         "s = Stack()\ns.push(4)\nassert s.items == [4]"),
        ("import math\ndef f(x): return math.sqrt(x)", "assert math.isclose(f(2) ** 2, 2)"),
        ("from collections import Counter\ndef f(x): return Counter(x)", "assert f('aab') == {'a': 2, 'b': 1}"),
    ],
)  # fmt: skip
def test_right_code_of_every_usual_shape_passes(level, code, test):
    assert passed(level, code, test)
    assert not passed(level, "def f(*a): return 0", test)


CHEATS = {
    "exits with success": "import os\nos._exit(0)",
    "raises SystemExit": "raise SystemExit(0)",
    "equals everything": "class Any:\n    def __eq__(self, other): return True\ndef after(x): return Any()",
    "is an int that equals everything": (
        "class Any(int):\n    def __eq__(self, other): return True\ndef after(x): return Any(7)"
    ),
    "patches builtins": (
        "import builtins\nbuiltins.exec = builtins.compile = lambda *a, **k: None\ndef after(x): return 9"
    ),
    "defines its own assertion": "AssertionError = None\ndef after(x): raise Exception",
    "writes a verdict to every file": (
        "import os\nfor fd in range(64):\n    try: os.write(fd, b'[\"0\", [true, true]]\\n')\n"
        "    except OSError: pass\ndef after(x): return 9"
    ),
    "searches its memory for the tests": (
        "import sys\nframe, found = sys._getframe(), []\n"
        "while frame:\n    found += [repr(frame.f_locals)]\n    frame = frame.f_back\n"
        "def after(x): return x + 1 if any('after(-1)' in text for text in found) else None"
    ),
    "loops": "while True: pass",
    "sleeps": "import time\ntime.sleep(99)",
    "prints a gigabyte and is wrong": (
        "import sys\nfor _ in range(1024): sys.stdout.write('x' * (1 << 20))\ndef after(x): return x"
    ),
    "takes ten gigabytes": "def after(x): return len(bytearray(10 << 30)) and x + 1",
    "returns fifty megabytes": "def after(x): return 'x' * (50 << 20)",
    "forks without end": "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass",
}


@pytest.mark.parametrize("cheat", CHEATS)
def test_code_that_does_not_do_the_task_does_not_score(level, cheat):
    started = time.monotonic()
    assert not passed(level, CHEATS[cheat], *HOLDS)
    assert time.monotonic() - started < 60


def test_printing_and_processes_left_behind_do_not_harm_right_code(level, monkeypatch):
    monkeypatch.setattr(sandbox, "TEST_MEMORY_MB", 1000 + os.getpid() % 1000)  # to know its processes by
    sandbox.sandbox_source.cache_clear()
    assert passed(level, "print('x' * 1000)\n" + NEXT, *HOLDS)
    leaves = "import os, time\nif os.fork() == 0:\n    os.setsid()\n    time.sleep(77.7)\n" + NEXT
    assert passed(level, leaves, *HOLDS) == (level == "namespaces")  # the other level lets no code fork
    mark, deadline = f"TEST_MEMORY_MB = {sandbox.TEST_MEMORY_MB}\n".encode(), time.monotonic() + 10
    while any(mark in line for line in command_lines()):
        assert time.monotonic() < deadline, "a process of the sandbox is left"
        time.sleep(0.1)


def command_lines() -> Iterator[bytes]:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it has ended since
            yield path.read_bytes()


@pytest.mark.parametrize(
    "act",
    [
        "import os\ndef act(): return os.environ['HF_TOKEN']",
        "def act(): return open('/proc/{trainer}/environ', 'rb').read()",
        "import os\ndef act(): return open(f'/proc/{{os.getppid()}}/mem', 'rb')",
        "def act(): return open('{token}').read()",
        "import socket\ndef act(): return socket.create_connection(('127.0.0.1', {port}), 5)",
        "def act(): open('{outside}', 'w').write('x')",
        "import os\ndef act(): open(os.path.dirname(os.__file__) + '/mine.py', 'w').write('x')",
        "def act(): open('large', 'wb').write(bytes(100 << 20))",
    ],
    ids=["environment", "trainer's environment", "checker's memory", "token's file", "network", "file outside",
         "interpreter's files", "large file"],
)  # fmt: skip
def test_code_finds_no_secret_no_network_and_no_file_of_ours(level, act, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_not_a_real_token")
    (tmp_path / "token").write_text("hf_not_a_real_token")
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=lambda: server.accept(), daemon=True).start()
        places = {"trainer": os.getpid(), "token": tmp_path / "token", "outside": tmp_path / "made"}
        code = act.format(port=server.getsockname()[1], **places)
        refused = "try: act()\nexcept Exception: pass\nelse: raise SystemExit"
        assert not passed(level, code, "act()")
        # The hook refuses to import socket: the code ends before it defines `act`.
        assert passed(level, code, refused) == (level == "namespaces" or "socket" not in act)
        with socket.create_connection(server.getsockname()):
            pass
    assert not (tmp_path / "made").exists()


def test_code_may_write_in_its_own_folder(level):
    code = "def keep(text):\n    open('note.txt', 'w').write(text)\n    return open('note.txt').read()"
    assert passed(level, code, "assert keep('hi') == 'hi'")


def test_one_answer_is_tested_once_and_many_at_once(monkeypatch):
    calls = []
    real = sandbox.run_in_sandbox
    monkeypatch.setattr(sandbox, "run_in_sandbox", lambda *args: calls.append(args) or real(*args))
    reward, answers = named_reward("tests"), [NEXT, "def after(x): return 5", NEXT]
    rows = {"tests": [[*HOLDS, "assert after(4) == 5"]] * 3}
    assert reward(answers, **rows) == [1.0, 1 / 3, 1.0]
    assert len(calls) >= 2
    calls.clear()
    assert reward(answers, **rows) == [1.0, 1 / 3, 1.0]
    assert calls == []
