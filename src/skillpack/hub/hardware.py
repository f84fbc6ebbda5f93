"""Flavors of Jobs: what each one says it has, and what a minute of it costs.

Source of every figure: huggingface/hub-docs, docs/hub/jobs-pricing.md of 2026-08-21, in dollars an hour
(https://huggingface.co/docs/hub/jobs-pricing). The flavor of a local job decides only what its environment says
and its cost.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

DATED = "2026-08"


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


_GPU = "Nvidia"
FLAVORS: dict[str, Flavor] = {
    flavor.name: flavor
    for flavor in (
        Flavor("cpu-basic", "CPU Basic", 2, 16, 50, 0.01),
        Flavor("cpu-upgrade", "CPU Upgrade", 8, 32, 50, 0.03),
        Flavor("cpu-xl", "CPU XL", 16, 124, 1000, 1.00),
        Flavor("cpu-performance", "CPU Performance", 32, 256, 1024, 1.90),
        Flavor("t4-small", f"{_GPU} T4 - small", 4, 15, 50, 0.40, ("T4", 1, 16)),
        Flavor("t4-medium", f"{_GPU} T4 - medium", 8, 30, 100, 0.60, ("T4", 1, 16)),
        Flavor("l4x1", f"1x {_GPU} L4", 8, 30, 400, 0.80, ("L4", 1, 24)),
        Flavor("l4x4", f"4x {_GPU} L4", 48, 186, 3200, 3.80, ("L4", 4, 96)),
        Flavor("l40sx1", f"1x {_GPU} L40S", 8, 62, 380, 1.80, ("L40S", 1, 48)),
        Flavor("l40sx4", f"4x {_GPU} L40S", 48, 382, 3200, 8.30, ("L40S", 4, 192)),
        Flavor("l40sx8", f"8x {_GPU} L40S", 192, 1534, 6500, 23.50, ("L40S", 8, 384)),
        Flavor("a10g-small", f"{_GPU} A10G - small", 4, 15, 110, 1.00, ("A10G", 1, 24)),
        Flavor("a10g-large", f"{_GPU} A10G - large", 12, 46, 200, 1.50, ("A10G", 1, 24)),
        Flavor("a10g-largex2", f"2x {_GPU} A10G - large", 24, 92, 1000, 3.00, ("A10G", 2, 48)),
        Flavor("a10g-largex4", f"4x {_GPU} A10G - large", 48, 184, 2000, 5.00, ("A10G", 4, 96)),
        Flavor("a100-large", f"{_GPU} A100 - large", 12, 142, 1000, 2.50, ("A100", 1, 80)),
        Flavor("a100x4", f"4x {_GPU} A100", 48, 568, 4000, 10.00, ("A100", 4, 320)),
        Flavor("a100x8", f"8x {_GPU} A100", 96, 1136, 8000, 20.00, ("A100", 8, 640)),
        Flavor("h200", f"{_GPU} H200", 23, 256, 3000, 5.00, ("H200", 1, 141)),
        Flavor("h200x2", f"2x {_GPU} H200", 46, 512, 6000, 10.00, ("H200", 2, 282)),
        Flavor("h200x4", f"4x {_GPU} H200", 92, 1024, 12000, 20.00, ("H200", 4, 564)),
        Flavor("h200x8", f"8x {_GPU} H200", 184, 2048, 24000, 40.00, ("H200", 8, 1128)),
        Flavor("rtx-pro-6000", f"{_GPU} RTX PRO 6000", 23, 256, 475, 2.75, ("RTX PRO 6000", 1, 96)),
        Flavor("rtx-pro-6000x2", f"2x {_GPU} RTX PRO 6000", 46, 512, 950, 5.50, ("RTX PRO 6000", 2, 192)),
        Flavor("rtx-pro-6000x4", f"4x {_GPU} RTX PRO 6000", 92, 1024, 1900, 11.00, ("RTX PRO 6000", 4, 384)),
        Flavor("rtx-pro-6000x8", f"8x {_GPU} RTX PRO 6000", 184, 2048, 3800, 22.00, ("RTX PRO 6000", 8, 768)),
    )
}
