"""A service → the Engine API's ContainerCreate body, as `docker compose` would make it.

Only values in, values out. The host side is in `host`, mounts in `mounts`, networks in `attach`.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from stackwright.model.project import Project
from stackwright.model.types import Healthcheck, Service
from stackwright.plan import attach, host, mounts

JSON = dict[str, Any]


class Request(Struct, frozen=True):
    """What a container is made from, besides its service: everything that differs per container."""

    name: str
    number: int
    image: str
    labels: dict[str, str]
    namespaces: dict[str, str]
    """Service name to container id, for `network_mode: service:x`, `ipc`, `pid`, `volumes_from`."""
    inherited: tuple[mounts.Inherited, ...] = ()
    api_version: tuple[int, int] = (1, 41)
    oneoff: bool = False
    auto_remove: bool = False
    tty: bool = False
    stdin: bool = False
    aliases: bool = True
    volumes_from: str = ""
    """A container whose mounts it gets as well, by id."""


class Body(Struct, frozen=True):
    """The ContainerCreate body, and the networks to connect afterwards (API before 1.44)."""

    config: JSON
    later: tuple[tuple[str, JSON], ...] = ()


def body(project: Project, service: Service, request: Request) -> Body:
    """The body for one container of `service`."""
    volumes = mounts.of(project, service, request.inherited)
    networking, later = attach.networking(project, service, request)
    port_set: JSON = {f"{port.target}/{port.protocol}": {} for port in service.ports}
    for text in service.expose:
        port_set[text if "/" in text else f"{text}/tcp"] = {}
    config: JSON = {
        "Image": request.image,
        "Hostname": service.hostname,
        "Domainname": service.domainname,
        "User": service.user,
        "ExposedPorts": port_set,
        "Tty": request.tty or (service.tty and not request.oneoff),
        "OpenStdin": request.stdin or service.stdin_open,
        "StdinOnce": request.stdin and request.oneoff,
        "AttachStdin": request.stdin and request.oneoff,
        "AttachStdout": True,
        "AttachStderr": True,
        "Cmd": service.command,
        "Entrypoint": service.entrypoint,
        "WorkingDir": service.working_dir,
        "Env": environment(service),
        "Labels": request.labels,
        "StopSignal": service.stop_signal,
        "Volumes": {},
        "HostConfig": host.config(project, service, request, volumes),
        "NetworkingConfig": {"EndpointsConfig": networking},
    }
    if service.network_mode == "disabled":
        config["NetworkDisabled"] = True
    if service.stop_grace_period is not None:
        config["StopTimeout"] = (
            max(1, round(service.stop_grace_period / 1e9)) if service.stop_grace_period else 0
        )
    if service.mac_address and request.api_version < (1, 44):
        config["MacAddress"] = service.mac_address
    if (check := healthcheck(service.healthcheck)) is not None:
        config["Healthcheck"] = check
    return Body(_without_nothing(config), later)


def environment(service: Service) -> list[str]:
    """`KEY=value`, sorted; a variable that is named but set nowhere is left out."""
    return [f"{key}={value}" for key, value in sorted(service.environment.items()) if value is not None]


def healthcheck(check: Healthcheck | None) -> JSON | None:
    """The HealthConfig; times are nanoseconds on both sides. None leaves the image's in force."""
    if check is None:
        return None
    if check.disable or check.test[:1] == ["NONE"]:
        return {"Test": ["NONE"]}
    return {
        "Test": check.test or None,
        "Interval": check.interval or 0,
        "Timeout": check.timeout or 0,
        "Retries": check.retries or 0,
        "StartPeriod": check.start_period or 0,
        **({"StartInterval": check.start_interval} if check.start_interval else {}),
    }


def _without_nothing(config: JSON) -> JSON:
    # An explicit null Cmd or Entrypoint means "the image's"; an empty list clears it. Both must survive.
    return {key: value for key, value in config.items() if value is not None and value != ""}
