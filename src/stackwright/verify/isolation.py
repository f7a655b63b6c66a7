"""A copy of a project that disturbs nobody: its own name, its own volumes and networks, free host ports. Pure.

A copy's name says whose it is (`shop-t4026531836-812-5f2c-1`): the pid namespace, the pid and the start of the process
that made it. So whoever comes next knows which copies have lost their owner.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from stackwright.model.project import Project
from stackwright.model.types import Port, Service

_COPY = re.compile(r"-t(\d+)-(\d+)-([0-9a-f]+)-\d+$")


class Owner(Struct, frozen=True):
    """A process, named for good: pid namespace (inode number), pid, start time in clock ticks."""

    namespace: int
    pid: int
    start: int


def copy_name(name: str, owner: Owner, number: int) -> str:
    """The project name of an owner's copy; `number` tells its copies apart.

    >>> copy_name("shop", Owner(1, 2, 255), 3)
    'shop-t1-2-ff-3'
    """
    return f"{name}-t{owner.namespace}-{owner.pid}-{owner.start:x}-{number}"


def owner_of(name: str) -> Owner | None:
    """Who made the copy of this name; None: it is not a copy.

    >>> owner_of("shop-t1-2-ff-3") == Owner(1, 2, 255), owner_of("shop")
    (True, None)
    """
    found = _COPY.search(name)
    return Owner(int(found[1]), int(found[2]), int(found[3], 16)) if found else None


def isolated(project: Project, name: str, publish: Mapping[str, Sequence[int]] | None = None) -> Project:
    """The project under another name, with nothing that two copies could quarrel about.

    Host ports become free ones, chosen by the engine; `container_name` goes; volumes and networks that are not
    external get names of their own, and fixed subnets go unless a service has a fixed address in them. `publish`
    adds ports, by service. What is external, and bind mounts, stay shared.
    """
    services = {
        key: _service(service, (publish or {}).get(key, ())) for key, service in project.services.items()
    }
    fixed = {
        network
        for service in services.values()
        for network, attachment in service.networks.items()
        if attachment is not None and (attachment.ipv4_address or attachment.ipv6_address)
    }
    return replace(
        project,
        name=name,
        services=services,
        networks={
            key: network
            if network.external
            else replace(
                network,
                name=f"{name}_{key}",
                ipam=network.ipam if key in fixed else replace(network.ipam, config=[]),
            )
            for key, network in project.networks.items()
        },
        volumes={
            key: volume if volume.external else replace(volume, name=f"{name}_{key}")
            for key, volume in project.volumes.items()
        },
    )


def _service(service: Service, publish: Sequence[int]) -> Service:
    ports = [replace(port, published="") for port in service.ports]
    known = {(port.target, port.protocol) for port in ports}
    ports += [Port(target=target) for target in publish if (target, "tcp") not in known]
    return replace(service, container_name="", ports=[_nearby(port) for port in ports])


def _nearby(port: Port) -> Port:
    """Tests are on this machine: nobody else needs to reach them."""
    return port if port.host_ip else replace(port, host_ip="127.0.0.1")
