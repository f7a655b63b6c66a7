"""``[ip:][published:]target[/protocol]``: the short syntax of ``ports`` (Compose Specification, Ports)."""

from __future__ import annotations

from stackwright.model.addresses import is_ip

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_PROTOCOLS = ("tcp", "udp", "sctp")


class PortError(ValueError):
    """The text is no port mapping; ``str()`` says why."""


def parse_ports(text: str, limit: int = 65536) -> list[dict[str, Any]]:
    """One long form for each container port of the text, in the order of the reference; at most ``limit``.

    Raises:
        PortError: a part is missing, no number, out of range, the ranges do not fit, or are too long.
    """
    address, published, target = _split(text)
    if address:
        if address.startswith("[") and address.endswith("]"):
            address = address[1:-1]
        elif ":" in address:
            raise PortError(f'"{text}": an IPv6 address needs brackets: [{address}]')
        if not is_ip(address):
            raise PortError(f'"{text}": "{address}" is no IP address')
    target, _, protocol = target.partition("/")
    protocol = protocol.partition("/")[0].lower() or "tcp"
    if not target:
        raise PortError(f'"{text}" names no container port')
    first, last = _range(target, "container port", text)
    if first == 0:
        raise PortError(f'"{text}": 0 is no container port')
    if last - first >= limit:
        raise PortError(f'"{text}": the ranges of this file stand for too many ports')
    host_first, host_last = _range(published, "host port", text) if published else (0, 0)
    if published and (last - first) != (host_last - host_first) and first != last:
        raise PortError(
            f'"{text}": {published} and {target} are ranges of different length '
            f"({host_last - host_first + 1} and {last - first + 1})"
        )
    if protocol not in _PROTOCOLS:
        raise PortError(f'"{text}": protocol "{protocol}" is not one of {", ".join(_PROTOCOLS)}')
    ports = []
    for number in range(first, last + 1):
        port: dict[str, Any] = {"mode": "ingress"}
        if address:
            port["host_ip"] = address
        port["target"] = number
        if published:
            offset = number - first
            one = str(host_first + offset)
            # A range of host ports for one container port is a choice, left to the engine.
            port["published"] = f"{one}-{host_last}" if first == last and host_first != host_last else one
        port["protocol"] = protocol
        ports.append(port)
    return sorted(ports, key=lambda port: f"{port['target']}/{protocol}")


def _split(text: str) -> tuple[str, str, str]:
    parts = text.rsplit(":", 2) if text.count(":") > 1 else text.split(":")
    if len(parts) == 1:
        return "", "", parts[0]
    if len(parts) == 2:
        return "", parts[0], parts[1]
    return parts[0], parts[1], parts[2]


def _range(text: str, what: str, whole: str) -> tuple[int, int]:
    first, dash, last = text.partition("-")
    numbers = []
    for part in (first, last) if dash else (first,):
        if not (part.isascii() and part.isdecimal()) or int(part) > 65535:
            raise PortError(f'"{whole}": {what} "{text}" is no number from 0 to 65535')
        numbers.append(int(part))
    if dash and numbers[0] > numbers[1]:
        raise PortError(f'"{whole}": {what} range "{text}" runs backwards')
    return numbers[0], numbers[-1]
