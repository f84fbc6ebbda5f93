"""Flavors of Jobs: what each one says it has, and what a minute of it costs.

The figures are those of kit/assets/hardware.json, which names their source; the skills carry copies of it. The flavor
of a local job decides only what its environment says and its cost.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from skillpack import kit

TABLE: dict[str, Any] = json.loads((Path(kit.__file__).parent / "assets/hardware.json").read_text(encoding="utf-8"))
DATED: str = TABLE["dated"]


@dataclass(frozen=True)
class Flavor:
    name: str
    pretty_name: str
    cores: int
    memory_gb: int
    storage_gb: int
    usd_an_hour: float
    accelerator: tuple[str, int, int] | None = None  # model, quantity, GB of memory in all

    @property
    def micro_usd_a_minute(self) -> int:
        return round(self.usd_an_hour * 1_000_000 / 60)

    @property
    def memory_bytes(self) -> int:
        return self.memory_gb << 30

    def environment(self) -> dict[str, str]:
        """What a job on this flavor finds in its environment."""
        return {
            "ACCELERATOR": self.name if self.accelerator else "",
            "CPU_CORES": str(self.cores),
            "MEMORY": f"{self.memory_gb}Gi",
        }

    def to_json(self) -> dict[str, Any]:
        accelerator = None
        if self.accelerator:
            model, quantity, vram = self.accelerator
            accelerator = {
                "type": "gpu",
                "model": model,
                "quantity": str(quantity),
                "vram": f"{vram} GB",
                "manufacturer": "Nvidia",
            }
        return {
            "name": self.name,
            "prettyName": self.pretty_name,
            "cpu": f"{self.cores} vCPU",
            "ram": f"{self.memory_gb} GB",
            "ephemeralStorage": f"{self.storage_gb} GB",
            "accelerator": accelerator,
            "unitCostMicroUSD": self.micro_usd_a_minute,
            "unitCostUSD": self.micro_usd_a_minute / 1_000_000,
            "unitLabel": "minute",
        }


def cost_micro_usd(flavor: Flavor, seconds: float) -> int:
    """Cost of `seconds` of starting and running; every minute that was begun counts whole."""
    minutes = -(-int(seconds * 1000) // 60_000)
    return max(1, minutes) * flavor.micro_usd_a_minute


def pretty_name(row: dict[str, Any]) -> str:
    """As the Hub spells it: CPU Basic, Nvidia T4 - small, 4x Nvidia A100."""
    name = str(row["name"])
    if not row["gpu"]:
        kind = name.removeprefix("cpu-")
        return f"CPU {kind.upper() if len(kind) == 2 else kind.title()}"
    count = f"{row['gpus']}x " if row["gpus"] > 1 or name.endswith("x1") else ""
    size = re.search(r"-(small|medium|large)", name)
    return f"{count}Nvidia {row['gpu']}" + (f" - {size[1]}" if size else "")


def from_table(row: dict[str, Any]) -> Flavor:
    gpu = (row["gpu"], row["gpus"], row["gpus"] * row["gpu_memory_gb"]) if row["gpu"] else None
    return Flavor(
        row["name"], pretty_name(row), row["cores"], row["ram_gb"], row["disk_gb"], row["usd_per_hour"], gpu
    )  # fmt: skip


FLAVORS: dict[str, Flavor] = {row["name"]: from_table(row) for row in TABLE["flavors"]}
