"""What differs between a container that exists and the one that the model asks for, key by key. Pure.

Both sides are the Engine API's own JSON: what ContainerInspect says of the old one, the ContainerCreate body of the
new one. So it works whoever made the container. What an image gives and what an engine fills in by itself are no
differences.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from msgspec import Struct

JSON = dict[str, Any]
OWN_LABELS = "com.docker.compose."


class Change(Struct, frozen=True):
    """One difference. `path` is the Compose key, such as `environment.LOG_LEVEL`; None: not there."""

    path: str
    old: str | None
    new: str | None


def changes(inspected: JSON, image: JSON, body: JSON, networks: Iterable[str]) -> list[Change]:
    """The differences, sorted by path.

    `image` is the old container's image (ImageInspect), `networks` are the names that the new one is connected to.
    """
    old = inspected.get("Config") or {}
    given = image.get("Config") or {}
    old_host = inspected.get("HostConfig") or {}
    new_host = body.get("HostConfig") or {}
    found = [
        *_mapping("environment", _pairs(old.get("Env")), _pairs(body.get("Env")), _pairs(given.get("Env"))),
        *_mapping("labels", _labels(old), _labels(body), _labels(given)),
        *_mapping("volumes", _volumes(old_host), _volumes(new_host), {}),
        *_mapping("ports", _ports(old_host), _ports(new_host), {}),
        *_mapping("healthcheck", _check(old), _check(body), _check(given)),
        *_mapping("networks", _networks(inspected), dict.fromkeys(networks, "connected"), {}),
    ]
    for key, path in CONFIG.items():
        default = given.get(key)
        before = None if key in old and old[key] == default else old.get(key)
        if key == "Hostname" and "Hostname" not in body and inspected.get("Id", "").startswith(before or "?"):
            before = None
        found += _one(path, before, body.get(key), also=default)
    for key, path in HOST.items():
        before, after = old_host.get(key), new_host.get(key)
        if not _something(after) and key in FILLED_IN:
            continue
        found += _one(path, before, after)
    return sorted(found, key=lambda change: change.path)


def summary(found: list[Change], limit: int = 4) -> str:
    """In a few words; of mappings the keys, as far as there is room.

    >>> summary([Change("environment.A", "1", "2"), Change("environment.B", "1", "2"), Change("user", None, "app")])
    'environment A, B and user changed'
    """
    keys: dict[str, list[str]] = {}
    for one in found:
        head, _, rest = one.path.partition(".")
        keys.setdefault(head, []).extend([rest] if rest and head in NAMED else [])
    parts = [" ".join([head, *([_few(rest)] if rest else [])]) for head, rest in keys.items()]
    if len(parts) > limit:
        parts = [*parts[: limit - 1], f"{len(parts) - limit + 1} more"]
    text = ", ".join(parts[:-1]) + (" and " if len(parts) > 1 else "") + parts[-1] if parts else ""
    return f"{text} changed" if text else ""


NAMED = frozenset(("environment", "labels", "networks", "healthcheck"))
"""Mappings whose keys a summary names."""


def _few(names: list[str], limit: int = 3) -> str:
    return ", ".join(names[:limit]) + (f" and {len(names) - limit} more" if len(names) > limit else "")


CONFIG: dict[str, str] = {
    "Cmd": "command",
    "Entrypoint": "entrypoint",
    "Image": "image",
    "User": "user",
    "WorkingDir": "working_dir",
    "Hostname": "hostname",
    "Domainname": "domainname",
    "Tty": "tty",
    "OpenStdin": "stdin_open",
    "StopSignal": "stop_signal",
    "StopTimeout": "stop_grace_period",
}
"""Keys of Config, and what they are called in a Compose file."""

HOST: dict[str, str] = {
    "CapAdd": "cap_add", "CapDrop": "cap_drop", "Init": "init", "Privileged": "privileged",
    "ReadonlyRootfs": "read_only", "Sysctls": "sysctls", "Tmpfs": "tmpfs", "GroupAdd": "group_add",
    "Dns": "dns", "DnsSearch": "dns_search", "DnsOptions": "dns_opt", "ExtraHosts": "extra_hosts",
    "OomScoreAdj": "oom_score_adj", "Memory": "mem_limit", "MemoryReservation": "mem_reservation",
    "NanoCpus": "cpus", "CpuShares": "cpu_shares", "CpuQuota": "cpu_quota", "CpuPeriod": "cpu_period",
    "CpusetCpus": "cpuset", "PidsLimit": "pids_limit", "Devices": "devices", "Ulimits": "ulimits",
    "RestartPolicy": "restart", "ShmSize": "shm_size", "LogConfig": "logging", "IpcMode": "ipc",
    "PidMode": "pid", "UTSMode": "uts", "CgroupnsMode": "cgroup", "UsernsMode": "userns_mode",
    "Runtime": "runtime", "SecurityOpt": "security_opt", "MemorySwap": "memswap_limit",
    "CgroupParent": "cgroup_parent", "StorageOpt": "storage_opt",
}  # fmt: skip
"""Keys of HostConfig, and what they are called in a Compose file."""

FILLED_IN = frozenset(
    ("UTSMode", "PidMode", "PidsLimit", "UsernsMode", "ShmSize", "LogConfig", "IpcMode", "CgroupnsMode", "Runtime", "SecurityOpt", "MemorySwap", "CgroupParent", "Ulimits")
)  # fmt: skip
"""What engines fill in where nothing was said: its being there is no difference."""


FILLED_VARIABLES = frozenset(("container", "HOSTNAME", "TERM", "HOME", "PATH"))
"""Variables that an engine sets by itself (Podman)."""

ORDINARY: dict[str, frozenset[str]] = {
    "stop_signal": frozenset(("SIGTERM", "15")),
    "working_dir": frozenset(("/",)),
    "stop_grace_period": frozenset(("10",)),
}
"""Values that say what holds anyway."""


def _one(path: str, old: Any, new: Any, *, also: Any = None) -> list[Change]:
    plain = NORMAL.get(path, lambda value: value)
    if not _something(new) and str(old) in ORDINARY.get(path, ()):
        return []
    before = plain(old) if _something(old) else None
    after = plain(new) if _something(new) else None
    if before == after or (before is None and _something(also) and after == plain(also)):
        return []
    if not _something(before) and not _something(after):
        return []
    show = SHOWN.get(path, _text)
    return [Change(path, *(None if value is None else show(value) for value in (before, after)))]


def _mapping(path: str, old: JSON, new: JSON, image: JSON) -> list[Change]:
    found = []
    for key in sorted({*old, *new}):
        before, after = old.get(key), new.get(key, image.get(key))
        if path == "environment" and key in FILLED_VARIABLES and key not in new:
            continue
        if before != after:
            found.append(Change(f"{path}.{key}", _text(before), _text(new.get(key, None))))
    return found


def _something(value: Any) -> bool:
    return value not in (None, "", 0, False, [], {}, -1)


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return " ".join(value)
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def _pairs(entries: Iterable[str] | None) -> JSON:
    return {key: value for key, _, value in (entry.partition("=") for entry in entries or ())}


def _labels(config: JSON) -> JSON:
    return {
        key: value for key, value in (config.get("Labels") or {}).items() if not key.startswith(OWN_LABELS)
    }


def _volumes(host: JSON) -> JSON:
    found: JSON = {}
    for text in host.get("Binds") or ():
        source, _, rest = text.partition(":")
        target, _, mode = rest.partition(":")
        found[target] = source + ("" if mode in ("", "rw") else f":{mode}")
    for mount in host.get("Mounts") or ():
        if mount.get("Type") == "volume" and len(str(mount.get("Source", ""))) in (0, 64):
            continue  # anonymous: its name is nobody's wish
        found[mount["Target"]] = f"{mount.get('Source') or mount.get('Type')}" + (
            ":ro" if mount.get("ReadOnly") else ""
        )
    return found


def _ports(host: JSON) -> JSON:
    return {
        inner: ", ".join(
            f"{one.get('HostIp') + ':' if one.get('HostIp') else ''}{one.get('HostPort') or 'any'}"
            for one in bindings or ()
        )
        for inner, bindings in (host.get("PortBindings") or {}).items()
    }


def _check(config: JSON) -> JSON:
    """A health check by the keys of a Compose file."""
    check = config.get("Healthcheck") or {}
    found: JSON = {"test": " ".join(check["Test"])} if check.get("Test") else {}
    for key, name in (
        ("Interval", "interval"),
        ("Timeout", "timeout"),
        ("StartPeriod", "start_period"),
        ("StartInterval", "start_interval"),
    ):
        if check.get(key):
            found[name] = f"{check[key] / 1e9:g}s"
    return {**found, **({"retries": str(check["Retries"])} if check.get("Retries") else {})}


def _networks(inspected: JSON) -> JSON:
    names = (inspected.get("NetworkSettings") or {}).get("Networks") or {}
    mode = (inspected.get("HostConfig") or {}).get("NetworkMode", "")
    if mode in ("host", "none") or mode.startswith("container:"):
        return {}
    return dict.fromkeys(names, "connected")


def _capabilities(value: list[str]) -> list[str]:
    return sorted(name.removeprefix("CAP_").upper() for name in value)


def _restart(value: Mapping[str, Any]) -> str | None:
    name = value.get("Name") or "no"
    count = value.get("MaximumRetryCount") or 0
    return None if name == "no" else f"{name}:{count}" if count else str(name)


def _without_nothing(value: Mapping[str, Any]) -> JSON:
    return {key: item for key, item in value.items() if _something(item)}


def _image_name(value: str) -> str:
    for registry in ("localhost/", "docker.io/library/", "docker.io/"):
        value = value.removeprefix(registry)
    return value


NORMAL: dict[str, Callable[[Any], Any]] = {
    "image": _image_name,
    "cap_add": _capabilities,
    "cap_drop": _capabilities,
    "restart": _restart,
    "extra_hosts": sorted,
    "dns": list,
    "ulimits": lambda value: [_without_nothing(one) for one in value],
}
"""How values of the same meaning become equal."""


def _bytes(value: int) -> str:
    for unit, size in (("g", 1 << 30), ("m", 1 << 20), ("k", 1 << 10)):
        if value % size == 0:
            return f"{value // size}{unit}"
    return f"{value}b"


SHOWN: dict[str, Callable[[Any], str | None]] = {
    **dict.fromkeys(("mem_limit", "mem_reservation", "memswap_limit", "shm_size"), _bytes),
    "cpus": lambda value: f"{value / 1e9:g}",
    "stop_grace_period": lambda value: f"{value}s",
}
"""How values are written in a Compose file, where that is not how the Engine API counts."""
