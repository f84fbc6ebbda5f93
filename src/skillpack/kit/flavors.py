"""The region of the scripts that plan on Jobs: flavors and prices as the Hub lists them now, or a dated table."""

from __future__ import annotations

import json
import re
from pathlib import Path

from skillpack.kit.script import Failure, log

# region skillpack:flavors
import datetime


def dated_flavors() -> tuple[list[dict], str]:
    """(the flavors of assets/hardware.json, where they come from); none for a copy of the script that lies alone."""
    path = Path(__file__).resolve().parent.parent / "assets" / "hardware.json"
    table = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {"flavors": []}
    dated = f"the table of {table.get('dated', 'no date')} in assets/hardware.json (not the live list)"
    return table["flavors"], dated


def read_flavors(prices: str = "auto") -> tuple[list[dict], str, bool]:
    """(flavors, where they come from, whether they are live), in the columns of assets/hardware.json.

    `prices`: "live" raises Failure where the Hub does not answer, "dated" does not ask, "auto" falls back.
    """
    if prices != "dated":
        try:
            return (*live_flavors(), True)
        except OSError as error:
            if prices == "live":
                raise Failure(f"the Hub did not list its hardware: {error}", "try again, or --prices dated") from None
            log(f"the Hub did not list its hardware ({type(error).__name__}); taking the dated table")
    return (*dated_flavors(), False)


def live_flavors() -> tuple[list[dict], str]:
    """GET /api/jobs/hardware in the columns of assets/hardware.json. Raises OSError when no answer comes."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HTTPError, OfflineModeIsEnabled  # type: ignore[attr-defined]

    api = HfApi()
    try:
        answer = api.list_jobs_hardware()
    except (HTTPError, OfflineModeIsEnabled, ValueError, KeyError) as error:
        raise OSError(str(error)[:200]) from None

    def number(text: str | None) -> float:
        found = re.search(r"[0-9.]+", text or "")
        return float(found[0]) if found else 0.0

    flavors = []
    for entry in answer:
        gpu = entry.accelerator
        count = int(gpu.quantity) if gpu else 0
        disk = entry.ephemeral_storage or ""
        flavors.append(
            {
                "name": entry.name,
                "cores": int(number(entry.cpu)),
                "ram_gb": number(entry.ram),
                "disk_gb": number(disk) * (1000 if "TB" in disk else 1),
                "gpu": gpu.model if gpu else None,
                "gpus": count,
                "gpu_memory_gb": number(gpu.vram) / count if gpu else 0,
                "usd_per_hour": round(entry.unit_cost_micro_usd * 60 / 1e6, 4),
            }
        )
    today = datetime.datetime.now(datetime.timezone.utc).date().isoformat()
    return flavors, f"{api.endpoint}/api/jobs/hardware, {today}"


# endregion skillpack:flavors
