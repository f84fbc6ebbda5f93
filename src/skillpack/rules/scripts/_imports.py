"""Which packages a script imports, and which requirement provides them."""

from __future__ import annotations

import ast
import re
import sys

from skillpack.scripts import Script
from skillpack.skill import Skill

#: Import name -> names of distributions, where they differ by more than separators.
PROVIDERS = {
    "attr": ("attrs",),
    "bs4": ("beautifulsoup4",),
    "cairosvg": ("cairosvg",),
    "crypto": ("pycryptodome",),
    "cv2": ("opencv-python", "opencv-python-headless", "opencv-contrib-python"),
    "dateutil": ("python-dateutil",),
    "docx": ("python-docx",),
    "dotenv": ("python-dotenv",),
    "fitz": ("pymupdf",),
    "git": ("gitpython",),
    "github": ("pygithub",),
    "jose": ("python-jose",),
    "jwt": ("pyjwt",),
    "lightning": ("lightning", "pytorch-lightning"),
    "magic": ("python-magic",),
    "mpl_toolkits": ("matplotlib",),
    "openssl": ("pyopenssl",),
    "pil": ("pillow",),
    "pkg_resources": ("setuptools",),
    "playwright": ("playwright",),
    "pptx": ("python-pptx",),
    "psycopg2": ("psycopg2-binary",),
    "serial": ("pyserial",),
    "skimage": ("scikit-image",),
    "sklearn": ("scikit-learn",),
    "slugify": ("python-slugify",),
    "telegram": ("python-telegram-bot",),
    "umap": ("umap-learn",),
    "usb": ("pyusb",),
    "websocket": ("websocket-client",),
    "win32com": ("pywin32",),
    "yaml": ("pyyaml", "ruamel-yaml"),
    "zmq": ("pyzmq",),
}

#: Distribution -> import names that it brings through its own required dependencies, for the commonest.
BRINGS = {
    "accelerate": "numpy torch huggingface_hub safetensors yaml psutil packaging",
    "datasets": "numpy pandas pyarrow tqdm httpx fsspec huggingface_hub yaml requests dill filelock packaging xxhash",
    "fastapi": "starlette pydantic typing_extensions",
    "gradio": "numpy pandas PIL httpx huggingface_hub fastapi pydantic yaml jinja2 starlette uvicorn",
    "huggingface-hub": "httpx tqdm yaml fsspec filelock packaging typing_extensions",
    "lighteval": "torch transformers datasets numpy huggingface_hub",
    "matplotlib": "numpy PIL dateutil packaging",
    "opencv-python": "numpy",
    "pandas": "numpy dateutil",
    "peft": "torch transformers accelerate numpy huggingface_hub safetensors tqdm",
    "requests": "urllib3 certifi idna charset_normalizer",
    "scikit-learn": "numpy scipy joblib",
    "scipy": "numpy",
    "sentence-transformers": "torch transformers numpy scipy sklearn huggingface_hub tqdm",
    "torch": "jinja2 fsspec networkx sympy filelock typing_extensions",
    "torchvision": "torch numpy PIL",
    "trackio": "pandas numpy huggingface_hub PIL gradio_client",
    "transformers": "numpy huggingface_hub tokenizers safetensors regex yaml tqdm packaging jinja2 filelock",
    "trl": "torch transformers datasets accelerate numpy jinja2 huggingface_hub",
    "unsloth": "torch transformers datasets accelerate peft trl numpy",
    "vllm": "torch transformers numpy pydantic fastapi",
}


def third_party(skill: Skill, script: Script) -> dict[str, int]:
    """Top-level modules that neither Python nor the skill has -> line of the first import.

    Left out: relative imports, imports that are tried (`except ImportError`), and those for a type checker only.
    """
    own = skill.modules
    for_types = "TYPE_CHECKING" in script.text
    found: dict[str, int] = {}
    # Imports are statements: what statements are made of need not be looked at.
    stack: list[ast.AST] = list(script.tree.body) if script.tree is not None else []
    while stack:
        node = stack.pop()
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module] if node.level == 0 and node.module else []
        elif isinstance(node, ast.Try) and any(_catches_imports(handler) for handler in node.handlers):
            stack += [*node.finalbody, *(node for handler in node.handlers for node in handler.body)]
        elif for_types and isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            stack += node.orelse
        else:
            for part in ("body", "orelse", "handlers", "finalbody", "cases"):
                stack += getattr(node, part, ())
        for name in names:
            top = name.partition(".")[0]
            if top not in sys.stdlib_module_names and top not in own and top != "__future__":
                found[top] = min(node.lineno, found.get(top, node.lineno))  # type: ignore[attr-defined]
    return found


_CATCH_IMPORTS = frozenset({"ImportError", "ModuleNotFoundError", "Exception", "BaseException"})


def _catches_imports(handler: ast.ExceptHandler) -> bool:
    if handler.type is None:
        return True
    names = (getattr(node, "id", None) or getattr(node, "attr", None) for node in ast.walk(handler.type))
    return not _CATCH_IMPORTS.isdisjoint(names)


def provided(module: str, dependencies: list[str]) -> bool:
    """Whether one of the requirements is likely to provide `module`: by its name, or by a known other name."""
    names = [_plain(re.split(r"[\s\[(<>=!~;@]", item.strip(), maxsplit=1)[0]) for item in dependencies]
    wanted = _plain(module)
    brought, queue = set(names), list(names)
    while queue:
        further = {_plain(name) for name in BRINGS.get(queue.pop(), "").lower().split()} - brought
        brought |= further
        queue += further
    if wanted in brought or any(name in names for name in PROVIDERS.get(module.lower(), ())):
        return True
    # `google-cloud-storage` provides `google`, `python-x` and `x-python` provide `x`, `pyx` provides `x`.
    loose = [name.removeprefix("python-").removesuffix("-python").removeprefix("py") for name in names]
    return wanted in loose or any(name.startswith(f"{wanted}-") or name.endswith(f"-{wanted}") for name in names)


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower().strip("-")


def is_test(name: str) -> bool:
    """Whether a file is one of the skill's tests."""
    base = name.rpartition("/")[2]
    return base.startswith("test_") or base.endswith("_test.py") or base == "conftest.py"
