"""Network groups: jobs of a group find each other on 127.0.0.1 by the names that the real service gives them.

A name is the prefix and an alias, and nothing on a machine resolves it. So the members of a group see a hosts
file of their own as /etc/hosts, where Linux lets a process have one (as root, or with user namespaces).
Elsewhere `${HF_NETWORK_GROUP_PREFIX}alias` is replaced by the address in the command.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import threading
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .state import Hub

LAUNCHER = Path(__file__).with_name("launch.py")
ADDRESS = "127.0.0.1"
ALIAS_IN_TEXT = re.compile(r"\$\{HF_NETWORK_GROUP_PREFIX\}[a-z0-9-]+")
_JOINING = threading.Lock()


def launcher(config: dict[str, Any]) -> list[str]:
    """The words that go before a job's command: see `launch`."""
    return [sys.executable, "-I", "-S", str(LAUNCHER), json.dumps(config)]


def address_for_aliases(text: str) -> str:
    return ALIAS_IN_TEXT.sub(ADDRESS, text)


@cache
def private_hosts_work() -> bool:
    """Whether a process may have its own /etc/hosts here."""
    with tempfile.NamedTemporaryFile("w", prefix="hosts-") as names:
        names.write(f"{ADDRESS} localhost\n")
        names.flush()
        probe = [*launcher({"hosts": names.name}), sys.executable, "-I", "-S", "-c", ""]
        return subprocess.run(probe, capture_output=True, timeout=30).returncode == 0


def join(hub: Hub, owner: str, network: dict[str, Any] | None, environment: dict[str, str]) -> Path | None:
    """Add a job to its group and say so in its environment; the hosts file that it is to see, if any."""
    if not network:
        return None
    group = network["group"]
    prefix = f"{group}-"
    environment["HF_NETWORK_GROUP_PREFIX"] = prefix
    if sys.platform == "linux":
        environment.setdefault("GLOO_SOCKET_IFNAME", "lo")
    if not private_hosts_work():
        environment["HF_NETWORK_GROUP_HOSTNAME"] = ADDRESS
        return None
    environment["HF_NETWORK_GROUP_HOSTNAME"] = group
    hosts = hub.root / "networks" / f"{owner}.{group}" / "hosts"
    with _JOINING:
        if not hosts.exists():
            hosts.parent.mkdir(parents=True, exist_ok=True)
            system = Path("/etc/hosts")
            known = system.read_text() if system.is_file() else f"{ADDRESS} localhost\n"
            hosts.write_text(f"{known.rstrip()}\n{ADDRESS} {group}\n")
        names = {line.split()[-1] for line in hosts.read_text().splitlines() if line.strip()}
        with hosts.open("a") as file:  # appended in place: members that already run see it
            for alias in network["aliases"]:
                if prefix + alias not in names:
                    file.write(f"{ADDRESS} {prefix}{alias}\n")
    return hosts
