"""The region of the scripts that publish: may it push, the card, the push, and whether all of it is there."""

from __future__ import annotations

import json
from pathlib import Path

from skillpack.kit.hub import full_id, on_hub, sign_in
from skillpack.kit.script import EXIT_UNCONFIRMED, EXIT_USAGE, Failure, log, write_atomic

# region skillpack:publish
import fnmatch

CLAIM = "skillpack.json"  # in a repository that a run pushes to: which run it belongs to, and proof that we may write
NOT_PUSHED = ["training_args.bin", "checkpoint-*", ".*"]  # a pickle that names folders of this machine; what is half
STALE = ["*.safetensors", "*.safetensors.index.json", "adapter_config.json", "config.json"]  # of an earlier push


def claim_repo(repo_id: str, private: bool, run: str) -> str:
    """Makes the repository and writes a tiny file to it: the proof, before training, that the push will be let in.

    Returns its full id. Raises Failure when it may not be written, holds something other than this run, or is
    public against the plan.
    """
    api, who = sign_in()
    repo_id = full_id(who, repo_id)
    with on_hub(f"making {repo_id}"):
        api.create_repo(repo_id, private=private, exist_ok=True)
        info = api.model_info(repo_id)
        files = {file.rfilename for file in info.siblings or []}
    if private and not info.private:
        raise Failure(
            f"{repo_id} is public, and the plan says private",
            f"`hf repos settings {repo_id} --private`, or set push.private to false in the plan",
            EXIT_USAGE,
        )
    if CLAIM in files:
        with on_hub(f"reading {repo_id}"):
            owner = json.loads(Path(api.hf_hub_download(repo_id, CLAIM, revision=info.sha)).read_text("utf-8"))["run"]
    else:
        owner = None if files - {".gitattributes", "README.md"} else run
    if owner != run:
        raise Failure(
            f"{repo_id} holds {'the run ' + repr(owner) if owner else 'files that no run put there'}",
            "push to another name, or delete that repository",
            EXIT_USAGE,
        )
    if CLAIM not in files:
        with on_hub(f"writing to {repo_id}"):
            claim = json.dumps({"run": run}).encode()
            api.upload_file(repo_id=repo_id, path_or_fileobj=claim, path_in_repo=CLAIM, commit_message=f"Run {run}")
    return repo_id


def pushed_files(folder: Path) -> dict:
    """Path below `folder` -> bytes, of the files that a push takes."""
    files = {path.relative_to(folder).as_posix(): path.stat().st_size for path in folder.rglob("*") if path.is_file()}
    return {name: size for name, size in files.items() if not any(fnmatch.fnmatch(name, p) for p in NOT_PUSHED)}


def push_folder(repo_id: str, folder: Path, message: str) -> dict:
    """Uploads `folder` to a model repository, waits, and verifies: {repo_id, revision, url, files, bytes}.

    Weights and configs of an earlier push that the folder no longer has are deleted. Raises Failure.
    """
    api, _ = sign_in()
    files = pushed_files(folder)
    log(f"pushing {len(files)} files, {sum(files.values()) / 1e6:.1f} MB, to {repo_id}")
    with on_hub(f"pushing {folder} to {repo_id}"):
        commit = api.upload_folder(
            repo_id=repo_id, folder_path=folder, commit_message=message, ignore_patterns=NOT_PUSHED,
            delete_patterns=STALE,
        )  # fmt: skip
    verify_push(repo_id, files, commit.oid)
    url = f"{api.endpoint}/{repo_id}"
    return {"repo_id": repo_id, "revision": commit.oid, "url": url, "files": len(files), "bytes": sum(files.values())}


def verify_push(repo_id: str, files: dict, revision: str | None = None) -> None:
    """Lists the repository and compares sizes with `files` {path: bytes}. Raises Failure that names what differs."""
    from huggingface_hub import HfApi
    from huggingface_hub.hf_api import RepoFile

    with on_hub(f"listing {repo_id}"):
        tree = list(HfApi().list_repo_tree(repo_id, recursive=True, revision=revision))
    remote = {entry.path: entry.size for entry in tree if isinstance(entry, RepoFile)}
    wrong = [f"{name} ({remote.get(name, 'none')} there, {size} here)" for name, size in files.items()
             if remote.get(name) != size]  # fmt: skip
    if wrong:
        raise Failure(
            f"{repo_id} does not hold what was pushed: {'; '.join(wrong[:5])}",
            "run the same command again: what is there already is not sent twice",
        )


def base_licence(model: dict) -> dict:
    """The licence fields that the base model's own card states, or nothing: none is claimed for it."""
    from huggingface_hub import ModelCard, hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError

    model = model.get("base") or model  # of an adapter, which is published on its base again
    path = Path(model["id"]) / "README.md"
    try:
        if not Path(model["id"]).is_dir():
            with on_hub(f"reading the card of {model['id']}"):
                try:
                    path = Path(hf_hub_download(model["id"], "README.md", revision=model.get("revision")))
                except EntryNotFoundError:
                    return {}
        data = ModelCard(path.read_text(encoding="utf-8")).data.to_dict() if path.is_file() else {}
    except (Failure, ValueError) as error:
        log(f"warning: the base model's card was not read, so no licence is claimed: {error}")
        return {}
    return {key: data[key] for key in ("license", "license_name", "license_link") if key in data}


def model_card(run: dict, repo_id: str, licence: dict) -> str:
    """README.md of the model that `run` (run.json) trained: how it was made, what was measured, how to use it."""
    from huggingface_hub import ModelCardData

    plan, settings = run["plan"], run["plan"]["settings"]
    model, source = plan["model"], plan["dataset"]["source"]
    whole = (model.get("base") or model)["id"]
    base = None if Path(whole).is_dir() else whole
    data = None if Path(source["id"]).exists() else source["id"]
    adapter = settings["lora"] is not None
    header = ModelCardData(
        base_model=base, datasets=[data] if data else None, library_name="peft" if adapter else "transformers",
        pipeline_tag="text-classification" if plan["method"] == "reward" else "text-generation",
        tags=["trl", plan["method"], "lora" if adapter else "full-fine-tuning", "skillpack"],
        base_model_relation=("adapter" if adapter else "finetune") if base else None, **licence,
    )  # fmt: skip
    named = {"base": f"[{base}](https://huggingface.co/{base})" if base else f"a local model ({plan['name']})"}
    named["data"] = f"[{data}](https://huggingface.co/datasets/{data})" if data else "a local file"
    split = plan["dataset"]["split"]
    by = ("the dataset's own held-out split" if split["key"] == "given" else
          f"{split['fraction']:.0%} of the groups of like prompts held out, by hash, seed {split['seed']}")  # fmt: skip
    shown = {"method": plan["method"], **settings, "steps": run["steps"]}  # those taken, not those planned
    hidden = {"device", "save_seconds", "budget_seconds", "deadline_seconds", "held_out_rows"}
    rows = [
        f"| {key} | {json.dumps(value)} |" for key, value in shown.items() if value is not None and key not in hidden
    ]
    versions = ", ".join(f"{name} {number}" for name, number in run["versions"].items())
    cut = f" The run was cut short by {run['stopped_by']}." if run.get("stopped_by") else ""
    return "\n".join([
        "---", header.to_yaml(), "---", "", f"# {repo_id.rpartition('/')[2]}", "",
        f"{'A LoRA adapter for' if adapter else 'A fine-tuned version of'} {named['base']}"
        f"{' at ' + model['revision'] if base and model.get('revision') else ''}, trained by {plan['method']} with TRL "
        f"on {named['data']}.{cut}", "", "## Data", "",
        f"{run['train_rows']} rows to train on, from the split `{source['split']}`"
        f"{', revision ' + source['revision'] if source.get('revision') else ''}; {by}.", "",
        *comparison_section(run["comparison"]), "## Use", "", "```python", *usage(repo_id, plan["method"], adapter),
        "```", "", "## Settings", "", "| setting | value |", "| --- | --- |", *rows, "", f"Versions: {versions}.", "",
        "## Licence", "",
        f"As the base model's card states: {licence.get('license_name') or licence['license']}."
        if licence.get("license") else "The base model's card states none, and none is claimed here.", "",
    ])  # fmt: skip


def comparison_section(comparison: dict | None) -> list:
    """The lines of a card that show base against tuned, and what that does not show."""
    if not comparison:
        return ["## Measured", "", "Nothing: the run has no comparison with its base.", ""]
    lines = ["## Measured", "", f"Base and tuned, by the same code on the same {comparison['rows']} held-out rows; in "
             "brackets the 95 % interval of the difference (paired bootstrap over groups).", "",
             "| metric | base | tuned | difference |", "| --- | --- | --- | --- |"]  # fmt: skip
    for name, metric in comparison["metrics"].items():
        said = "" if metric["beyond_interval"] else ", not shown to be better"
        lines.append(
            f"| {name} ({metric['better']} is better) | {metric['base']:.3f} | {metric['tuned']:.3f} | "
            f"{metric['difference']:+.3f} [{metric['low']:+.3f}, {metric['high']:+.3f}]{said} |"
        )
    unmeasured = (
        "These rows come from the training data's own source. Not measured: other data and tasks, what the base could "
        "do and this model no longer can, other seeds, harmful or false answers."
    )
    return [*lines, "", unmeasured, ""]


def usage(repo_id: str, method: str, adapter: bool) -> list:
    """The lines of Python with which the model is loaded."""
    kind = "SequenceClassification" if method == "reward" else "CausalLM"
    package, name = ("peft", f"AutoPeftModelFor{kind}") if adapter else ("transformers", f"AutoModelFor{kind}")
    more = ", num_labels=1" if method == "reward" and adapter else ""
    return [
        f"from {package} import {name}",
        "from transformers import AutoTokenizer",
        "",
        f'model = {name}.from_pretrained("{repo_id}"{more})' + ("  # loads its base, too" if adapter else ""),
        f'tokenizer = AutoTokenizer.from_pretrained("{repo_id}")',
    ]


def validate_card(text: str) -> None:
    """Raises Failure when the Hub's own check refuses the card's YAML header."""
    from huggingface_hub import ModelCard

    with on_hub("checking the model card"):
        try:
            ModelCard(text).validate()
        except ValueError as error:
            raise Failure(f"the Hub refuses the model card: {error}", "correct model/README.md in the run") from None


def push_run(run: dict, folder: Path) -> dict:
    """Writes the card of a completed run into its model's folder and pushes that: the `pushed` of run.json."""
    push = run["plan"]["push"]
    repo_id = claim_repo(push["repo_id"], push["private"], run["name"])
    card = model_card(run, repo_id, base_licence(run["plan"]["model"]))
    validate_card(card)
    write_atomic(folder / "README.md", card)
    return push_folder(repo_id, folder, f"{run['plan']['method']} run {run['name']}, {run['steps']} steps")


def require_push(plan: dict, yes: bool) -> None:
    """Before anything is loaded: that a plan which pushes was confirmed, and that its push will be let in."""
    push = plan["push"]
    if not yes:
        raise Failure(
            f"the plan pushes the model to {push['repo_id']} ({'private' if push['private'] else 'public'})",
            "run it again with --yes, or take `push` out of the plan",
            EXIT_UNCONFIRMED,
        )
    log(f"{claim_repo(push['repo_id'], push['private'], plan['name'])} is there and can be written to")


# endregion skillpack:publish
