"""Published and exposed ports: Docker's `"80/tcp"` → typed bindings. Pure, but for asking which port is
free."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from typing import Literal, cast

from stackwright.embedded.containers.spec import PortBinding
from stackwright.embedded.errors import BadParameter
from stackwright.embedded.lifecycle.config import HostConfig, PortMapping
from stackwright.embedded.networks.outside import new_socket

Protocol = Literal["tcp", "udp"]


def parse_port(text: str) -> tuple[int, Protocol]:
    """`80`, `80/tcp`, `53/udp` → number, protocol."""
    number, _, protocol = text.partition("/")
    protocol = (protocol or "tcp").lower()
    if not number.isdigit() or not 0 < int(number) < 65536:
        raise BadParameter(f"invalid port specification: {text!r}")
    if protocol not in ("tcp", "udp"):
        raise BadParameter(f"invalid proto: {protocol}" + (" is not supported" if protocol == "sctp" else ""))
    return int(number), cast("Protocol", protocol)


def check_ports(exposed: Iterable[str], host: HostConfig) -> None:
    """Raise BadParameter for anything that is no port, before something is created."""
    for port in (*exposed, *host.port_bindings):
        parse_port(port)
    for bindings in host.port_bindings.values():
        for binding in bindings:
            _host_range(binding)


Promised = frozenset[tuple[Protocol, int]]


def wanted_bindings(
    exposed: Iterable[str], host: HostConfig, promised: Promised = frozenset()
) -> tuple[PortBinding, ...]:
    """What to publish at start; a host port range becomes its first free port, no host port becomes any (0).

    `promised` are ports that starts in flight have chosen but do not listen on yet.
    """
    result = []
    for port, mappings in host.port_bindings.items():
        number, protocol = parse_port(port)
        for mapping in mappings:
            first, last = _host_range(mapping)
            chosen = first if first == last else _first_free(mapping.host_ip, first, last, protocol, promised)
            result.append(
                PortBinding(proto=protocol, host_ip=mapping.host_ip, host_port=chosen, container_port=number)
            )
    if host.publish_all_ports:
        for port in exposed:
            if not host.port_bindings.get(port):
                number, protocol = parse_port(port)
                result.append(PortBinding(proto=protocol, container_port=number))
    return tuple(result)


def _host_range(mapping: PortMapping) -> tuple[int, int]:
    first, dash, last = mapping.host_port.partition("-")
    if not dash:
        last = first
    if not mapping.host_port:
        return 0, 0
    if not (first.isdigit() and last.isdigit() and int(first) <= int(last) < 65536):
        raise BadParameter(f'invalid port specification: "{mapping.host_port}"')
    return int(first), int(last)


def _first_free(address: str, first: int, last: int, protocol: Protocol, promised: Promised) -> int:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
    for number in range(first, last + 1):
        if (protocol, number) in promised:
            continue
        with new_socket(family, kind) as probe:
            if protocol == "tcp":
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address, number))
            except OSError:
                continue
            return number
    return last
