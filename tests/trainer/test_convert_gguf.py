"""convert_gguf.py: real adapters and models become files that llama.cpp runs, and what cannot is refused."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.conftest import LocalHub

from .conftest import SCRIPTS, script_environment
from .hubrun import new_user

SCHEMA = json.loads((SCRIPTS.parent / "assets/gguf.schema.json").read_text())


def convert(folder: Path, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(SCRIPTS / "convert_gguf.py"), *map(str, arguments)],
        cwd=folder, env=script_environment(folder) | environment, capture_output=True, text=True, timeout=240,
        check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def adapter(tiny_model: Path, docstring_rows: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run's folder with an adapter that changes what its base says, and the plan whose rows were held out."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = tmp_path_factory.mktemp("runs") / "tuned"
    torch.manual_seed(0)
    config = LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM", init_lora_weights=False)
    model = get_peft_model(AutoModelForCausalLM.from_pretrained(tiny_model), config)
    model.save_pretrained(folder / "model")
    AutoTokenizer.from_pretrained(tiny_model).save_pretrained(folder / "model")
    source = {"id": str(docstring_rows), "split": "train"}
    split = {"key": "group", "fraction": 0.2, "seed": 0}
    plan = {"method": "sft", "model": {"id": str(tiny_model)},
            "dataset": {"source": source, "mapping": {}, "split": split}}  # fmt: skip
    document = {
        "schema": "skillpack/run/1", "name": "tuned", "plan_sha256": "", "plan": plan, "status": "completed",
        "steps": 1, "log": [], "comparison": None, "model_path": "model",
    }  # fmt: skip
    (folder / "run.json").write_text(json.dumps(document))
    return folder


@pytest.fixture(scope="module")
def converted(adapter: Path) -> tuple[Path, dict[str, Any]]:
    """(folder of the files, gguf.json) of the run with the adapter."""
    done = convert(adapter.parent, "tuned", "--types", "F32,Q8_0,Q4_K_M", "--rows", 4, "--json")
    assert done.returncode == 0, done.stderr
    return adapter / "gguf", json.loads(done.stdout)


def test_each_file_is_whole_generates_and_keeps_the_likelihood_of_the_source(converted) -> None:
    folder, document = converted
    Draft202012Validator(SCHEMA).validate(document)
    assert document == json.loads((folder / "gguf.json").read_text())
    assert [entry["type"] for entry in document["files"]] == ["F32", "Q8_0", "Q4_K_M"]
    for entry in document["files"]:
        data = (folder / entry["file"]).read_bytes()
        assert data[:4] == b"GGUF"
        assert (len(data), hashlib.sha256(data).hexdigest()) == (entry["bytes"], entry["sha256"])
        assert entry["sample"]["tokens"] > 0
        assert entry["problems"] == []
    exact, eight, four = document["files"]
    assert exact["ratio"] == pytest.approx(1, abs=1e-4)
    assert eight["ratio"] == pytest.approx(1, abs=0.01)
    assert four["ratio"] == pytest.approx(1, abs=0.1)
    assert exact["bytes"] > eight["bytes"] > four["bytes"]
    assert "held-out rows" in document["text"]["from"]
    assert not list(folder.glob(".work*"))


def test_the_card_shows_the_sizes_of_the_files_and_no_folder_of_this_machine(converted, adapter: Path) -> None:
    folder, document = converted
    card = (folder / "README.md").read_text()
    for entry in document["files"]:
        size = (folder / entry["file"]).stat().st_size
        assert f"| {entry['type']} | {size / 1e6:.1f} MB | {entry['perplexity']:.3f} |" in card
    assert str(adapter.parent) not in card + (folder / "gguf.json").read_text()


def test_the_merged_file_computes_what_base_and_adapter_compute(converted, adapter: Path, tiny_model: Path) -> None:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    folder, document = converted
    base = AutoModelForCausalLM.from_pretrained(tiny_model)
    ids = torch.arange(40).reshape(1, 40) + 300
    with torch.inference_mode():
        alone = base(ids).logits
        together = PeftModel.from_pretrained(base, adapter / "model")(ids).logits
        name = document["files"][0]["file"]
        # transformers does not read head_dim from a GGUF, so the config is given
        merged = AutoModelForCausalLM.from_pretrained(folder, gguf_file=name, config=base.config, dtype=torch.float32)(
            ids
        ).logits
    torch.testing.assert_close(merged, together, atol=1e-4, rtol=1e-4)
    assert (together - alone).abs().max() > 0.1


def test_a_second_run_makes_nothing_and_a_damaged_file_is_made_again(converted, adapter: Path, tmp_path: Path) -> None:
    folder, document = converted
    copy = shutil.copytree(folder, tmp_path / "gguf", copy_function=shutil.copy2)
    command = ["tuned", "--types", "F32,Q8_0,Q4_K_M", "--rows", "4", "--out", str(copy), "--json"]
    times = {path.name: path.stat().st_mtime_ns for path in copy.glob("*.gguf")}
    again = convert(adapter.parent, *command)
    assert again.returncode == 0, again.stderr
    assert "done already" in again.stderr
    assert json.loads(again.stdout) == document
    assert {path.name: path.stat().st_mtime_ns for path in copy.glob("*.gguf")} == times

    eight = copy / document["files"][1]["file"]
    whole = eight.read_bytes()
    eight.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))  # the same size: only its hash tells
    mended = convert(adapter.parent, *command)
    assert mended.returncode == 0, mended.stderr
    assert eight.read_bytes() == whole
    assert {name for name, time in times.items() if (copy / name).stat().st_mtime_ns == time} == {
        document["files"][0]["file"],
        document["files"][2]["file"],
    }


def test_nothing_is_pushed_without_yes_and_a_push_is_found_on_the_hub(converted, adapter: Path, hub: LocalHub) -> None:
    folder, document = converted
    user, token = new_user(hub)
    environment = hub.env(token=token) | {"HF_HUB_OFFLINE": "0"}
    command = ["tuned", "--types", "F32,Q8_0,Q4_K_M", "--rows", "4", "--push-to", "tuned-GGUF", "--json"]
    asked = convert(adapter.parent, *command, **environment)
    assert asked.returncode == 4, asked.stderr
    assert not hub.api(token).repo_exists(f"{user}/tuned-GGUF")

    pushed = convert(adapter.parent, *command, "--yes", **environment)
    assert pushed.returncode == 0, pushed.stderr
    assert json.loads(pushed.stdout)["pushed"]["repo_id"] == f"{user}/tuned-GGUF"
    info = hub.api(token).model_info(f"{user}/tuned-GGUF", files_metadata=True)
    assert info.private
    sizes = {file.rfilename: file.size for file in info.siblings or []}
    for entry in document["files"]:
        assert sizes[entry["file"]] == entry["bytes"]
    assert f"llama-server -hf {user}/tuned-GGUF:Q4_K_M" in (folder / "README.md").read_text()

    again = convert(adapter.parent, *command, "--yes", **environment)
    assert "pushed already" in again.stderr
    assert hub.api(token).model_info(f"{user}/tuned-GGUF").sha == info.sha


def test_a_file_further_from_its_source_than_allowed_is_told_and_not_pushed(
    adapter: Path, hub: LocalHub, tmp_path: Path
) -> None:
    user, token = new_user(hub)
    done = convert(
        adapter.parent, "tuned", "--types", "Q8_0", "--rows", 2, "--max-ratio", "1.000000001",
        "--out", tmp_path / "gguf", "--push-to", "bad-GGUF", "--yes", **hub.env(token=token), HF_HUB_OFFLINE="0",
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert "times the source's, not within a factor of 1" in done.stderr
    assert "nothing was pushed" in done.stderr
    files = hub.api(token).list_repo_files(f"{user}/bad-GGUF")
    assert not [name for name in files if name.endswith(".gguf")]


def test_code_that_a_model_brings_is_not_run(tiny_model: Path, tmp_path: Path) -> None:
    model = shutil.copytree(tiny_model, tmp_path / "model")
    (model / "evil.py").write_text("from pathlib import Path\nPath('ran').touch()\nclass Evil: pass\n")
    config = json.loads((model / "tokenizer_config.json").read_text())
    config["auto_map"] = {"AutoTokenizer": ["evil.Evil", "evil.Evil"]}
    (model / "tokenizer_config.json").write_text(json.dumps(config))
    (tmp_path / "text.txt").write_text("A tokenizer cuts a text into tokens. " * 20)
    done = convert(tmp_path, "model", "--types", "F16", "--text", "text.txt")
    assert done.returncode == 0, done.stderr
    assert "which is not run" in done.stderr
    assert not (tmp_path / "ran").exists()


def model_folder(folder: Path, **config: object) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "model.safetensors").touch()
    return folder


def adapter_folder(folder: Path, **config: object) -> Path:
    folder.mkdir(parents=True)
    (folder / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "task_type": "CAUSAL_LM"} | config))
    return folder


def adapter_of_awq(folder: Path) -> Path:
    base = model_folder(folder / "base", quantization_config={"quant_method": "awq"})
    return adapter_folder(folder / "a", base_model_name_or_path=str(base))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda at: at / "absent", "no folder"),
        (lambda at: at / "model.gguf", "is a GGUF already"),
        (lambda at: at, "no config.json, adapter_config.json or run.json"),
        (lambda at: model_folder(at / "m", architectures=["Qwen3ForSequenceClassification"]), "writes? text"),
        (lambda at: model_folder(at / "m", quantization_config={"quant_method": "bitsandbytes"}), "is quantized"),
        (lambda at: adapter_folder(at / "a", base_model_name_or_path="/no/such/base"), "needs its base"),
        (lambda at: adapter_folder(at / "a", base_model_name_or_path="no/such-base"), "needs its base 'no/such-base'"),
        (lambda at: adapter_folder(at / "a", task_type="SEQ_CLS"), "the adapter's task is SEQ_CLS"),
        (lambda at: adapter_folder(at / "a", peft_type="PROMPT_TUNING"), "cannot be merged"),
        (lambda at: model_folder(at / "m", architectures=["Qwen3ForCausalLM"]), "model.safetensors is damaged"),
        (lambda at: adapter_of_awq(at), "the base .* is quantized .awq"),
    ],
)  # fmt: skip
def test_what_cannot_become_a_gguf_is_refused_before_anything_is_made(make, said: str, tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    done = convert(work, make(work))
    assert done.returncode == 2, done.stderr
    assert re.search(said, done.stderr), done.stderr
    assert "fix: " in done.stderr
    assert not (work / "gguf").exists()


def test_an_unknown_type_names_those_there_are(tmp_path: Path) -> None:
    done = convert(tmp_path, "model", "--types", "Q9_Z")
    assert done.returncode == 2
    assert "Q9_Z: there are F32, BF16, F16, Q8_0" in done.stderr


def test_files_of_another_model_are_not_mixed(converted, adapter: Path, tiny_model: Path) -> None:
    done = convert(adapter.parent, tiny_model, "--out", converted[0])
    assert done.returncode == 2
    assert "holds files of another model" in done.stderr
