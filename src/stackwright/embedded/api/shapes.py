"""Containers in the Engine API's shapes: inspect and list (Engine API 1.50, ContainerInspect,
ContainerList)."""

from __future__ import annotations

import time
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from stackwright.embedded.api.times import NEVER, SECOND, human_duration, rfc3339
from stackwright.embedded.containers.spec import PortBinding
from stackwright.embedded.errors import NotFound
from stackwright.embedded.lifecycle.config import EndpointSettings, as_words, to_docker
from stackwright.embedded.lifecycle.engine import Engine
from stackwright.embedded.lifecycle.machine import UP, Status
from stackwright.embedded.lifecycle.record import Container, HealthRecord, MountPoint
from stackwright.embedded.lifecycle.specs import hidden_paths

_NO_ADDRESSES = {
    "NetworkID": "",
    "EndpointID": "",
    "Gateway": "",
    "IPAddress": "",
    "IPPrefixLen": 0,
    "IPv6Gateway": "",
    "GlobalIPv6Address": "",
    "GlobalIPv6PrefixLen": 0,
    "MacAddress": "",
    "DNSNames": None,
}


def inspect_container(engine: Engine, container: Container, *, size: bool = False) -> dict[str, Any]:
    """GET /containers/{id}/json."""
    config, directory = container.config, engine.files.directory(container.id)
    words = [*as_words(config.entrypoint), *as_words(config.cmd)]
    execs = engine.execs.of(container)
    result: dict[str, Any] = {
        "Id": container.id,
        "Created": rfc3339(container.created_ns),
        "Path": words[0],
        "Args": words[1:],
        "State": state(container),
        "Image": container.image_id,
        "ResolvConfPath": str(directory / "resolv.conf"),
        "HostnamePath": str(directory / "hostname"),
        "HostsPath": str(directory / "hosts"),
        "LogPath": str(directory / "json.log"),
        "Name": f"/{container.name}",
        "RestartCount": container.restarts,
        "Driver": "overlay2",
        "Platform": "linux",
        "MountLabel": "",
        "ProcessLabel": "",
        "AppArmorProfile": "",
        "ExecIDs": execs or None,
        "HostConfig": host_config(container),
        "GraphDriver": graph_driver(engine, container),
        "Mounts": [
            mount_point(mount) for mount in container.mounts if mount.kind != "tmpfs" or mount.options
        ],
        "Config": config_shape(container, engine.hostname(container)),
        "NetworkSettings": network_settings(engine, container),
    }
    if size:
        result |= engine.sizes(container)
    return result


def state(container: Container) -> dict[str, Any]:
    """`State`."""
    result: dict[str, Any] = {
        "Status": str(container.status),
        "Running": container.status in UP or container.status == Status.RESTARTING,
        "Paused": container.status == Status.PAUSED,
        "Restarting": container.status == Status.RESTARTING,
        "OOMKilled": container.oom_killed,
        "Dead": container.status == Status.DEAD,
        "Pid": container.pid,
        "ExitCode": container.exit_code,
        "Error": container.error,
        "StartedAt": rfc3339(container.started_ns),
        "FinishedAt": rfc3339(container.finished_ns) if container.finished_ns else NEVER,
    }
    if container.health is not None:
        result["Health"] = health(container.health)
    return result


def health(record: HealthRecord) -> dict[str, Any]:
    """`State.Health` with the last five results."""
    return {
        "Status": record.status,
        "FailingStreak": record.failing_streak,
        "Log": [
            {
                "Start": rfc3339(probe.started_ns),
                "End": rfc3339(probe.ended_ns),
                "ExitCode": probe.exit_code,
                "Output": probe.output,
            }
            for probe in record.log
        ],
    }


_LEFT_OUT = (
    ("ExposedPorts", "Healthcheck", "MacAddress", "NetworkDisabled", "Shell", "StopSignal", "StopTimeout"),
    ("Annotations", "Init", "Mounts", "StorageOpt", "Sysctls", "Tmpfs"),
)
"""What Docker leaves out while it has nothing to say, of `Config` and of `HostConfig`."""
_NULL = (
    "Binds", "CapAdd", "CapDrop", "DeviceCgroupRules", "DeviceRequests", "ExtraHosts", "GroupAdd", "Links",
    "SecurityOpt", "VolumesFrom",
)  # fmt: skip
"""Lists that are null in Docker while nobody has asked for anything."""


def config_shape(container: Container, hostname: str) -> dict[str, Any]:
    """`Config`."""
    shape = {**to_docker(container.config), "Hostname": hostname}
    if shape["Healthcheck"]:
        shape["Healthcheck"] = {key: value for key, value in shape["Healthcheck"].items() if value}
    shape["Volumes"] = shape["Volumes"] or None
    return _without(shape, _LEFT_OUT[0])


def _without(shape: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Without those of the names that say nothing. 0 seconds for `StopTimeout` and no `Init` do say something."""
    said = {key: value for key, value in shape.items() if value or key not in names}
    return said | {key: shape[key] for key in ("StopTimeout", "Init") if shape.get(key) is not None}


def host_config(container: Container) -> dict[str, Any]:
    """`HostConfig` with the defaults that Docker fills in."""
    shape = to_docker(container.host_config)
    host = container.host_config
    if host.memory and not host.memory_swap:
        shape["MemorySwap"] = 2 * host.memory
    if host.memory_swappiness == -1:
        shape["MemorySwappiness"] = None
    masked, readonly = hidden_paths(host)
    shape |= {
        "CpuCount": 0, "CpuPercent": 0, "IOMaximumBandwidth": 0, "IOMaximumIOps": 0, "PidsLimit": host.pids_limit or None,
        "MaskedPaths": masked or None, "ReadonlyPaths": readonly or None,
    }  # fmt: skip
    shape["LogConfig"]["Type"] = shape["LogConfig"]["Type"] or "json-file"
    shape["RestartPolicy"]["Name"] = shape["RestartPolicy"]["Name"] or "no"
    shape["IpcMode"] = shape["IpcMode"] or "private"
    shape["CgroupnsMode"] = shape["CgroupnsMode"] or "private"
    shape["Runtime"] = shape["Runtime"] or "stackwright"
    for name in _NULL:
        shape[name] = shape[name] or None
    return _without(shape, _LEFT_OUT[1])


def mount_point(mount: MountPoint) -> dict[str, Any]:
    """One of `Mounts`."""
    shape: dict[str, Any] = {"Type": mount.kind}
    if mount.kind == "volume":
        shape["Name"] = mount.name
    shape |= {
        "Source": mount.source,
        "Destination": mount.destination,
        "Mode": mount.mode,
        "RW": not mount.readonly,
        "Propagation": mount.propagation,
    }
    if mount.driver:
        shape["Driver"] = mount.driver
    return shape


def graph_driver(engine: Engine, container: Container) -> dict[str, Any]:
    """Where the layers lie; clients show it, nothing else uses it."""
    fs = engine.files.directory(container.id) / "fs"
    return {
        "Name": "overlay2",
        "Data": {"UpperDir": str(fs / "upper"), "WorkDir": str(fs / "work"), "MergedDir": str(fs / "merged")},
    }


def network_settings(engine: Engine, container: Container) -> dict[str, Any]:
    """`NetworkSettings`: the endpoints, and the default bridge's once more at the top as old clients
    expect."""
    networks = endpoints(engine, container)
    bridge = networks.get("bridge", {})
    running = engine.supervisor.running(container) if container.up else None
    return {
        "Bridge": "",
        "SandboxID": container.id if container.up else "",
        "SandboxKey": f"/proc/{container.pid}/ns/net" if container.up else "",
        "Ports": port_map(container, running.ports if running else ()),
        "HairpinMode": False,
        "LinkLocalIPv6Address": "",
        "LinkLocalIPv6PrefixLen": 0,
        "SecondaryIPAddresses": None,
        "SecondaryIPv6Addresses": None,
        **{
            name: bridge.get(name, default)
            for name, default in _NO_ADDRESSES.items()
            if name not in ("NetworkID", "DNSNames")
        },
        "Networks": networks,
    }


def endpoints(engine: Engine, container: Container) -> dict[str, dict[str, Any]]:
    """`NetworkSettings.Networks`: what was asked for, and the addresses while it runs."""
    service = engine.services.networks
    assigned = {endpoint.network_id: endpoint for endpoint in service.endpoints(container_id=container.id)}
    result = {}
    for name, wanted in container.endpoints.items():
        shape = _asked(wanted)
        try:
            network = service.get(name)
        except NotFound:
            result[name] = {**shape, **_NO_ADDRESSES}
            continue
        shape |= {**_NO_ADDRESSES, "NetworkID": network.id, "MacAddress": wanted.mac_address}
        if endpoint := assigned.get(network.id):
            shape |= service.endpoint_settings(endpoint)
            shape |= _asked(wanted)
        result[name] = shape
    return result


def _asked(wanted: EndpointSettings) -> dict[str, Any]:
    ipam = wanted.ipam_config
    return {
        "IPAMConfig": {k: v for k, v in to_docker(ipam).items() if v} if ipam else None,
        "Links": wanted.links or None,
        "Aliases": wanted.aliases or None,
        "DriverOpts": wanted.driver_opts,
        "GwPriority": wanted.gw_priority,
    }


def port_map(container: Container, ports: tuple[PortBinding, ...]) -> dict[str, Any]:
    """`NetworkSettings.Ports`: each exposed port with where it is published, or null."""
    if not container.up:
        return {}
    result: dict[str, Any] = {
        port if "/" in port else f"{port}/tcp": None for port in container.config.exposed_ports
    }
    for port in ports:
        rows = result.get(f"{port.container_port}/{port.proto}") or []
        rows += [{"HostIp": address, "HostPort": str(port.host_port)} for address in listening(port.host_ip)]
        result[f"{port.container_port}/{port.proto}"] = rows
    return result


def listening(host_ip: str) -> tuple[str, ...]:
    """The addresses that a binding stands for: "" is all of both families."""
    if not host_ip:
        return ("0.0.0.0", "::") if has_ipv6() else ("0.0.0.0",)
    return (host_ip,)


@cache
def has_ipv6() -> bool:
    """Whether this host has IPv6."""
    return Path("/proc/net/if_inet6").exists()


def list_item(engine: Engine, container: Container, *, size: bool = False) -> dict[str, Any]:
    """One row of GET /containers/json."""
    words = [*as_words(container.config.entrypoint), *as_words(container.config.cmd)]
    row: dict[str, Any] = {
        "Id": container.id,
        "Names": [f"/{container.name}"],
        "Image": shown_image(engine, container),
        "ImageID": container.image_id,
        "Command": " ".join(f"'{w}'" if " " in w and len(words) > 1 else w for w in words),
        "Created": container.created_ns // SECOND,
        "Ports": port_rows(engine, container),
        "Labels": container.config.labels,
        "State": str(container.status),
        "Status": status_text(container),
        "HostConfig": {"NetworkMode": container.host_config.network_mode},
        "NetworkSettings": {"Networks": endpoints(engine, container)},
        "Mounts": [mount_point(mount) for mount in container.mounts if mount.kind != "tmpfs"],
    }
    if size:
        row |= engine.sizes(container)
    return row


def shown_image(engine: Engine, container: Container) -> str:
    """The name it was created with, or the id once that name means another image."""
    try:
        same = engine.services.images.get(container.image).id == container.image_id
    except NotFound:
        same = False
    return container.image if same else container.image_id


def port_rows(engine: Engine, container: Container) -> list[dict[str, Any]]:
    """`Ports` of the list: published ones with their host side, exposed ones without."""
    rows: list[dict[str, Any]] = []
    running = engine.supervisor.running(container) if container.up else None
    for key, bindings in port_map(container, running.ports if running else ()).items():
        number, _, protocol = key.partition("/")
        row = {"PrivatePort": int(number.partition("-")[0]), "Type": protocol}
        rows += [{"IP": b["HostIp"], **row, "PublicPort": int(b["HostPort"])} for b in bindings or ()]
        if not bindings:
            rows.append(row)
    return rows


def status_text(container: Container) -> str:
    """`Up 5 minutes (healthy)`, `Exited (0) 2 hours ago`."""
    now = time.time_ns()
    up = human_duration((now - container.started_ns) / SECOND)
    ago = human_duration((now - container.finished_ns) / SECOND)
    match container.status:
        case Status.RUNNING:
            if container.health is None:
                return f"Up {up}"
            text = "health: starting" if container.health.status == "starting" else container.health.status
            return f"Up {up} ({text})"
        case Status.PAUSED:
            return f"Up {up} (Paused)"
        case Status.RESTARTING:
            return f"Restarting ({container.exit_code}) {ago} ago"
        case Status.CREATED:
            return "Created"
        case Status.EXITED:
            return f"Exited ({container.exit_code}) {ago} ago"
        case Status.REMOVING:
            return "Removal In Progress"
        case _:
            return "Dead"
