"""What a repo says about itself: info, lists, filters, and the metadata of cards, configs and safetensors."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from . import auth, content, repos, trees
from .errors import bad_request
from .http import endpoint, flag, page
from .repos import Repo
from .trees import Entry

if TYPE_CHECKING:
    from .state import Hub

CARD_BYTES = 1 << 20
ARXIV = re.compile(r"(?:arxiv\.org/(?:abs|pdf)/|(?:huggingface\.co|hf\.co)/papers/)(\d{4}\.\d{4,5})")
HEADER_BYTES = 64 << 20
PIPELINES = {
    "ForCausalLM": "text-generation",
    "LMHeadModel": "text-generation",
    "ForConditionalGeneration": "text2text-generation",
    "ForSequenceClassification": "text-classification",
    "ForTokenClassification": "token-classification",
    "ForQuestionAnswering": "question-answering",
    "ForMaskedLM": "fill-mask",
    "ForImageClassification": "image-classification",
}


def front_matter(text: str) -> dict[str, Any]:
    """The YAML between the first two `---` lines of a card; {} when there is none or it is not plain data."""
    if not text.startswith("---"):
        return {}
    block, found, _ = text.partition("\n")[2].partition("\n---")
    if not found:
        return {}
    try:
        data = load_yaml(block)
    except ValueError:
        return {}
    return data if isinstance(data, dict) else {}


def load_yaml(text: str) -> Any:
    """YAML as JSON values; ValueError for what is invalid, or refers to itself."""
    import yaml

    try:
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=yaml.SafeLoader)):
            raise ValueError("aliases are not allowed")
        return json.loads(json.dumps(yaml.safe_load(text), default=str))
    except (yaml.YAMLError, RecursionError, TypeError) as error:
        raise ValueError(str(error)) from error


@lru_cache(maxsize=4096)
def safetensors_header(hub: Hub, sha256: str) -> dict[str, Any] | None:
    """The header of a safetensors file; None for another kind of file."""
    source = content.get(hub, sha256)
    if source.size < 8:
        return None
    length = int.from_bytes(b"".join(source.chunks(0, 8)), "little")
    if length > min(HEADER_BYTES, source.size - 8):
        return None
    try:
        header = json.loads(b"".join(source.chunks(8, 8 + length)))
    except ValueError:
        return None
    return header if isinstance(header, dict) else None


def _safetensors(hub: Hub, files: dict[str, Entry]) -> dict[str, Any] | None:
    parameters: dict[str, int] = {}
    for path, entry in files.items():
        header = safetensors_header(hub, entry.sha256) if path.endswith(".safetensors") else None
        for name, tensor in (header or {}).items():
            if name != "__metadata__" and isinstance(tensor, dict):
                dtype = str(tensor.get("dtype"))
                parameters[dtype] = parameters.get(dtype, 0) + math.prod(tensor.get("shape", []))
    return {"parameters": parameters, "total": sum(parameters.values())} if parameters else None


def _json_file(hub: Hub, files: dict[str, Entry], path: str) -> dict[str, Any]:
    entry = files.get(path)
    if entry is None or entry.size > 16 << 20:
        return {}
    try:
        data = json.loads(content.read_all(hub, entry.sha256))
    except ValueError:
        return {}
    return data if isinstance(data, dict) else {}


def _as_list(value: Any) -> list[str]:
    if value is None:
        return []
    return [str(item) for item in value] if isinstance(value, list) else [str(value)]


@lru_cache(maxsize=4096)
def files_at(hub: Hub, repo: Repo, oid: str) -> dict[str, Entry]:
    return dict(sorted(trees.files(hub.db.connection(), repos.root_tree(hub, repo, oid))))


@lru_cache(maxsize=4096)
def metadata(hub: Hub, repo: Repo, oid: str) -> dict[str, Any]:
    """What card and config of a commit say: cardData, config, tags, pipeline_tag, library_name."""
    files = files_at(hub, repo, oid)
    readme = files.get("README.md")
    text = ""
    if readme is not None and readme.size <= CARD_BYTES:
        text = content.read_all(hub, readme.sha256).decode(errors="replace")
    card = front_matter(text)
    raw = _json_file(hub, files, "config.json")
    config: dict[str, Any] = {
        k: raw[k] for k in ("architectures", "model_type", "auto_map", "quantization_config") if k in raw
    }
    tokenizer = _json_file(hub, files, "tokenizer_config.json")
    special = ("bos_token", "eos_token", "pad_token", "unk_token", "chat_template")
    kept = {k: tokenizer[k] for k in special if k in tokenizer}
    if kept and config:
        config["tokenizer_config"] = kept
    peft = _json_file(hub, files, "adapter_config.json")
    if peft:
        config["peft"] = {
            "base_model_name_or_path": peft.get("base_model_name_or_path"),
            "task_type": peft.get("task_type"),
        }
    library = card.get("library_name") or ("peft" if peft else "transformers" if "architectures" in config else None)
    pipeline = card.get("pipeline_tag")
    for architecture in _as_list(config.get("architectures")):
        for suffix, task in PIPELINES.items():
            if pipeline is None and architecture.endswith(suffix):
                pipeline = task
    tags = [tag for tag in (library, pipeline, config.get("model_type")) if isinstance(tag, str)]
    if any(path.endswith(".safetensors") for path in files):
        tags.insert(0, "safetensors")
    tags += _as_list(card.get("tags")) + _as_list(card.get("language"))
    for name, prefix in (
        ("license", "license"),
        ("datasets", "dataset"),
        ("base_model", "base_model"),
        ("task_categories", "task_categories"),
        ("size_categories", "size_categories"),
    ):
        tags += [f"{prefix}:{value}" for value in _as_list(card.get(name))]
    tags += [f"arxiv:{paper}" for paper in ARXIV.findall(text)]
    return {
        "cardData": card or None,
        "config": config or None,
        "tags": list(dict.fromkeys([*tags, "region:local"])),
        "pipeline_tag": pipeline,
        "library_name": library,
    }


def _sibling(path: str, entry: Entry, blobs: bool) -> dict[str, Any]:
    if not blobs:
        return {"rfilename": path}
    lfs = {"sha256": entry.sha256, "size": entry.size, "pointerSize": len(trees.pointer(entry.sha256, entry.size))}
    return {"rfilename": path, "blobId": entry.oid, "size": entry.size, **({"lfs": lfs} if entry.lfs else {})}


def _same(value: Any) -> Any:
    return value


def _fields(hub: Hub, repo: Repo, oid: str, blobs: bool) -> dict[str, Callable[[], Any]]:
    """Every field that info may have, each computed when it is asked for."""
    about = metadata(hub, repo, oid)
    files = files_at(hub, repo, oid)
    constants: dict[str, Any] = {
        "author": repo.namespace,
        "sha": oid,
        "lastModified": repo.last_modified,
        "createdAt": repo.created_at,
        "private": repo.private,
        "gated": repo.gated or False,
        "disabled": False,
        "downloads": 0,
        "downloadsAllTime": 0,
        "likes": 0,
        "trendingScore": 0,
        "tags": about["tags"],
        "cardData": about["cardData"],
        "resourceGroup": None,
    }
    found: dict[str, Callable[[], Any]] = {name: partial(_same, value) for name, value in constants.items()}
    found["siblings"] = lambda: [_sibling(path, entry, blobs) for path, entry in files.items()]
    found["usedStorage"] = lambda: sum(entry.size for entry in files.values())
    if repo.type == "model":
        for name in ("config", "pipeline_tag", "library_name"):
            found[name] = partial(_same, about[name])
        found["safetensors"] = lambda: _safetensors(hub, files)
        found["model-index"] = lambda: (about["cardData"] or {}).get("model-index")
        found["baseModels"] = lambda: None
        found["spaces"] = list
    elif repo.type == "dataset":
        found["description"] = lambda: (about["cardData"] or {}).get("pretty_name", "")
        found["citation"] = lambda: None
        found["mainSize"] = found["usedStorage"]
    else:
        from . import spaces

        found["sdk"] = lambda: (about["cardData"] or {}).get("sdk") or repo.sdk
        found["runtime"] = lambda: spaces.runtime(hub, repo)
        found["subdomain"] = lambda: f"{repo.namespace}-{repo.name}".lower().replace(".", "-").replace("_", "-")
        found["host"] = lambda: repo.url(hub)
        found["models"] = found["datasets"] = list
    return found


ALIASES = {"modelIndex": "model-index"}
NOT_KEPT = {
    "gguf", "inference", "inferenceProviderMapping", "mask_token", "widgetData", "transformersInfo", "xetEnabled",
    "evalResults", "childrenModelCount", "securityRepoStatus", "providers", "leaderboard", "paperswithcode_id",
    "region", "isLikedByUser",
}  # fmt: skip


def describe(hub: Hub, repo: Repo, oid: str, wanted: list[str] | None, blobs: bool = False) -> dict[str, Any]:
    """The info of a repo: all of it, or the fields `wanted`."""
    fields = _fields(hub, repo, oid, blobs)
    answer: dict[str, Any] = {"_id": f"{repo.id:024x}", "id": repo.full_name}
    if repo.type == "model":
        answer["modelId"] = repo.full_name
    if wanted is None:
        wanted = [name for name in fields if name not in ("downloadsAllTime", "trendingScore", "baseModels")]
    for name in wanted:
        name = ALIASES.get(name, name)
        if name in fields:
            value = fields[name]()
            if value is not None:
                answer[name] = value
        elif name not in NOT_KEPT:
            raise bad_request(f"Cannot expand {name!r} of a {repo.type}")
    return answer


def _expand(request: Request) -> list[str] | None:
    query = request.query_params
    return [*query.getlist("expand"), *query.getlist("expand[]")] or None


def _info(hub: Hub, request: Request, body: Any) -> Any:
    repo = repos.of(hub, request)
    oid = repos.commit_oid(hub, repo, request.path_params.get("revision", "main"))
    return describe(hub, repo, oid, _expand(request), blobs=flag(request, "blobs"))


SORTS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "lastModified": lambda item: item["lastModified"],
    "last_modified": lambda item: item["lastModified"],
    "createdAt": lambda item: item["createdAt"],
    "created_at": lambda item: item["createdAt"],
    "id": lambda item: item["id"],
}


def _list(hub: Hub, request: Request, body: Any) -> Response:
    query = request.query_params
    repo_type = request.path_params["type"].removesuffix("s")
    user = auth.user(request)
    filters = [part for value in query.getlist("filter") for part in value.split(",") if part]
    filters += query.getlist("pipeline_tag") if repo_type == "model" else []
    search, author = query.get("search", "").lower(), query.get("author", "").lower()
    expand = _expand(request)
    wanted = expand
    if wanted is None:
        wanted = ["author", "lastModified", "createdAt", "private", "gated", "disabled", "downloads", "likes", "tags"]
        wanted += ["trendingScore", "sha"]
        wanted += {"model": ["pipeline_tag", "library_name"], "dataset": ["description"], "space": ["sdk"]}[repo_type]
        wanted += ["siblings"] if flag(request, "full") else []
        wanted += ["config"] if flag(request, "config") and repo_type == "model" else []
        wanted += ["cardData"] if flag(request, "cardData") or flag(request, "full") else []
    items = []
    for repo in repos.every(hub, repo_type):
        if not repos.visible(repo, user) or (author and repo.namespace.lower() != author):
            continue
        if search not in repo.full_name.lower():
            continue
        oid = repos.commit_oid(hub, repo)
        about = metadata(hub, repo, oid)
        if not set(filters) <= {*about["tags"], about["pipeline_tag"]}:
            continue
        if "gated" in query and flag(request, "gated") != bool(repo.gated):
            continue
        item = describe(hub, repo, oid, [*wanted, "lastModified", "createdAt"])
        items.append(item)
    if query.get("sort") in SORTS:
        items.sort(key=SORTS[query["sort"]], reverse=True)
    if expand is not None:
        for item in items:
            for name in {"lastModified", "createdAt"} - set(expand):
                item.pop(name, None)
    part, headers = page(hub, request, items, 1000, 10000)
    return JSONResponse(list(part), headers=headers)


def _tags_by_type(hub: Hub, request: Request, body: Any) -> Any:
    return {}


def _safetensors_metadata(hub: Hub, request: Request, body: Any) -> Any:
    repo = repos.of(hub, request)
    revision = request.query_params.get("revision", "main")
    entry = repos.find_entry(hub, repo, revision, request.path_params["path"])
    header = safetensors_header(hub, entry.sha256)
    if header is None:
        raise bad_request("Not a safetensors file")
    return header


def routes(hub: Hub) -> list[BaseRoute]:
    return [
        endpoint("/api/{type:repotype}", _list),
        endpoint("/api/models-tags-by-type", _tags_by_type),
        endpoint("/api/datasets-tags-by-type", _tags_by_type),
        endpoint(repos.REPO, _info),
        endpoint(repos.REPO + "/revision/{revision:rev}", _info),
        endpoint(repos.REPO + "/safetensors-metadata/{path:file}", _safetensors_metadata),
    ]
