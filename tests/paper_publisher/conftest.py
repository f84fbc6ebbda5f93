"""A finished training run, papers on the local Hub, and the skill's scripts as processes."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from filelock import FileLock

from skillpack import samples
from tests.conftest import LocalHub
from tests.desk import BaseDesk
from tests.trainer.conftest import SCRIPTS as TRAINER
from tests.trainer.conftest import plan_document, script_environment

SKILL = Path(__file__).parents[2] / "skills/hugging-face-paper-publisher"
SCRIPTS = SKILL / "scripts"
#: As arXiv's API gave them (https://export.arxiv.org/api/query?id_list=…): title, authors in order, first submission.
RECORDED = {
    "1706.03762": {
        "title": "Attention Is All You Need",
        "summary": "The dominant sequence transduction models are based on complex recurrent networks.",
        "authors": ["Ashish Vaswani", "Noam Shazeer", "Niki Parmar", "Jakob Uszkoreit", "Llion Jones",
                    "Aidan N. Gomez", "Lukasz Kaiser", "Illia Polosukhin"],
        "publishedAt": "2017-06-12T17:57:34Z", "category": "cs.CL",
    },
    "hep-th/9711200": {
        "title": "The Large N Limit of Superconformal Field Theories and Supergravity",
        "summary": "We show that the large N limit of certain conformal field theories includes supergravity.",
        "authors": ["Juan M. Maldacena"], "publishedAt": "1997-11-27T23:54:18Z", "category": "hep-th",
    },
}  # fmt: skip


def module_of(name: str) -> ModuleType:
    """A script of the skill, imported: for its functions alone."""
    spec = importlib.util.spec_from_file_location(f"paper_publisher_{Path(name).stem}", SCRIPTS / name)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


class Desk(BaseDesk):
    scripts = SCRIPTS
    timeout = 240

    @property
    def settings(self) -> dict[str, str]:
        return {"ARXIV_ENDPOINT": f"{self.hub.url}/api/arxiv"}

    def card(self, repo: str, text: str, repo_type: str = "model") -> str:
        """Makes a repository with this README.md; its id."""
        more = {"space_sdk": "static"} if repo_type == "space" else {}
        repo_id = self.api.create_repo(f"{self.user}/{repo}", repo_type=repo_type, **more).repo_id
        self.api.upload_file(
            path_or_fileobj=text.encode(), path_in_repo="README.md", repo_id=repo_id, repo_type=repo_type
        )
        return repo_id

    def read(self, repo: str, path: str = "README.md", revision: str = "main", repo_type: str = "model") -> bytes:
        return Path(self.api.hf_hub_download(repo, path, revision=revision, repo_type=repo_type)).read_bytes()


@pytest.fixture
def desk(hub: LocalHub, tmp_path: Path) -> Desk:
    return Desk.new(hub, tmp_path / "work")


@pytest.fixture(scope="session")
def recorded(hub: LocalHub) -> dict[str, dict]:
    """Papers that arXiv knows; the Hub has a page for none of them yet."""
    for paper_id, paper in RECORDED.items():
        path = hub.root / "arxiv" / f"{paper_id}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(paper), encoding="utf-8")
    return RECORDED


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that the trainer's own script has trained, scored and finished: once for all workers."""
    base = tmp_path_factory.getbasetemp()
    shared = (base.parent if base.name.startswith("popen-") else base) / "finished-run"
    with FileLock(f"{shared}.lock"):
        run = shared / "runs" / "tiny"
        if not (run / "run.json").is_file():
            model, rows = shared / "Tiny-Qwen3", shared / "rows.jsonl"
            samples.write_tiny_model(model, [text for text, _ in samples.docstrings()])
            samples.write_docstrings(rows, per_module=20)
            plan = plan_document(model, rows, steps=6, held_out_rows=12)
            (shared / "plan.json").write_text(json.dumps(plan), encoding="utf-8")
            command = [sys.executable, str(TRAINER / "train_sft.py"), "--plan", "plan.json"]
            subprocess.run(
                command, cwd=shared, env=script_environment(shared), check=True, capture_output=True, timeout=240
            )
    return run


@pytest.fixture(scope="session")
def report(finished_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an ml-report of the run, checked and as HTML: made once, copied by who changes it."""
    folder = tmp_path_factory.mktemp("report") / "article"
    assert module_of("new_article.py").main([str(finished_run), "--author", "Ada Byron", "--out", str(folder)]) == 0
    assert module_of("check_article.py").main([str(folder)]) == 0
    assert module_of("render_article.py").main([str(folder), "--to", "html"]) == 0
    return folder


@pytest.fixture
def article(report: Path, desk: Desk) -> Path:
    """A copy of the report in the folder of a user."""
    return Path(shutil.copytree(report, desk.folder / "article"))
