"""The spec of a job: checked when it is posted, and its form without secrets."""

from __future__ import annotations

import re
from typing import Any

from . import hardware, volumes
from .errors import HubError, bad_request
from .http import field
from .joblog import mask, masked_values

LABEL = re.compile(r"[A-Za-z0-9._-]{0,100}")
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
GROUP = re.compile(r"[a-z0-9-]{1,46}")
ALIAS = re.compile(r"[a-z0-9-]{1,34}")
MAX_TIMEOUT_S = 30 * 24 * 3600
MAX_ATTEMPTS = 100


def _strings(body: Any, name: str) -> list[str]:
    values: list[Any] = field(body, name, list, [])
    if not all(isinstance(value, str) and "\0" not in value for value in values):
        raise bad_request(f"{name} must be a list of strings")
    return values


def _variables(body: Any, name: str) -> dict[str, str]:
    values: dict[str, Any] = field(body, name, dict, {})
    for key, value in values.items():
        if not VARIABLE.fullmatch(key):
            raise bad_request(f"{name}: {key!r} is not the name of a variable")
        if not isinstance(value, (str, int, float, bool)) or "\0" in str(value):
            raise bad_request(f"{name}: the value of {key!r} must be a string")
    return {key: str(value) for key, value in values.items()}


def check_labels(raw: Any) -> dict[str, str]:
    if not isinstance(raw, dict):
        raise bad_request("labels must be an object")
    for key, value in raw.items():
        if not isinstance(value, str) or not key or not LABEL.fullmatch(key) or not LABEL.fullmatch(value):
            raise bad_request(f"label {key!r}: keys and values hold letters, digits, '-', '_' and '.', at most 100")
    return dict(raw)


def check_expose(raw: Any) -> dict[str, list[int]]:
    if not isinstance(raw, dict):
        raise bad_request("expose must be an object with ports and portsPublic")
    ports, public = raw.get("ports") or [], raw.get("portsPublic") or []
    for each in (ports, public):
        if not isinstance(each, list) or not all(type(port) is int and 0 < port < 65_536 for port in each):
            raise bad_request("expose: ports are whole numbers from 1 to 65535")
    if not set(public) <= set(ports):
        raise bad_request("expose: portsPublic must be among ports")
    return {"ports": ports, "portsPublic": public}


def _network(raw: Any) -> dict[str, Any]:
    group, aliases = field(raw, "group", str), field(raw, "aliases", list, [])
    if not GROUP.fullmatch(group):
        raise bad_request("network group: lowercase letters, digits and '-', at most 46")
    if not all(isinstance(alias, str) and ALIAS.fullmatch(alias) for alias in aliases):
        raise bad_request("network alias: lowercase letters, digits and '-', at most 34")
    if len(set(aliases)) != len(aliases):
        raise bad_request("network aliases must be unique within a job")
    return {"group": group, "aliases": aliases}


def parse(body: Any, scheduled: bool = False) -> dict[str, Any]:
    """The spec in clear, with defaults filled in; 400 names the field at fault."""
    command = _strings(body, "command")
    if not command or not command[0]:
        raise bad_request("command must name something to run")
    flavor = field(body, "flavor", str, "cpu-basic")
    if flavor not in hardware.FLAVORS:
        raise bad_request(f"Unknown flavor {flavor!r}: one of {', '.join(hardware.FLAVORS)}")
    image, space = field(body, "dockerImage", str, None), field(body, "spaceId", str, None)
    if bool(image) == bool(space):
        raise bad_request("a job needs either dockerImage or spaceId")
    timeout = field(body, "timeoutSeconds", int, 1800)
    attempts = field(body, "attempts", int, 1)
    if not 0 < timeout <= MAX_TIMEOUT_S:
        raise bad_request(f"timeoutSeconds must be from 1 to {MAX_TIMEOUT_S}")
    if not 1 <= attempts <= MAX_ATTEMPTS:
        raise bad_request(f"attempts must be from 1 to {MAX_ATTEMPTS}")
    spec: dict[str, Any] = {
        "dockerImage": image,
        "spaceId": space,
        "command": command,
        "arguments": _strings(body, "arguments"),
        "environment": _variables(body, "environment"),
        "secrets": _variables(body, "secrets"),
        "flavor": flavor,
        "timeoutSeconds": timeout,
        "attempts": attempts,
        "labels": check_labels(field(body, "labels", dict, {})),
        "volumes": volumes.parse(field(body, "volumes", list, [])),
    }
    if body.get("expose") is not None:
        spec["expose"] = check_expose(body["expose"])
    if body.get("network") is not None:
        if scheduled:
            raise bad_request("network groups are not for scheduled jobs")
        spec["network"] = _network(body["network"])
    if body.get("ssh") is not None:
        spec["ssh"] = {"enabled": bool(field(body["ssh"], "enabled", bool, False))}
    return spec


def without_secrets(spec: dict[str, Any]) -> dict[str, Any]:
    """What is stored and shown: names of secrets alone, and their values masked wherever else they stand."""
    values = masked_values(spec["secrets"].values())
    shown = dict(spec)
    shown["secrets"] = dict.fromkeys(spec["secrets"])
    shown["command"] = [mask(text, values) for text in spec["command"]]
    shown["arguments"] = [mask(text, values) for text in spec["arguments"]]
    shown["environment"] = {name: mask(text, values) for name, text in spec["environment"].items()}
    shown["labels"] = {mask(name, values): mask(text, values) for name, text in spec["labels"].items()}
    return shown


def lost_secrets(what: str) -> HubError:
    return HubError(409, f"The secrets of this {what} were kept in memory only, and the Hub has restarted since")
