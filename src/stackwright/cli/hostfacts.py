"""Facts about this machine for `check --host`, from /proc: no program is run, no engine asked."""

from __future__ import annotations

import os
import socket
import struct
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path

from stackwright.checks.files import Host

_LISTEN = "0A"
_BOUND_UDP = "07"


def gather(boots: dict[str, float]) -> Host:
    """What is known of this machine; what cannot be read stays unknown. ``boots``: seconds to healthy by service."""
    cpus = (
        float(len(os.sched_getaffinity(0)))
        if hasattr(os, "sched_getaffinity")
        else float(os.cpu_count() or 0)
    )
    return Host(_memory(), cpus, tuple(_networks()), frozenset(_ports()), boots)


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return []


def _memory() -> int:
    for line in _lines("/proc/meminfo"):
        if line.startswith("MemTotal:"):
            return int(line.split()[1]) * 1024
    return 0


def _networks() -> list[tuple[str, IPv4Network | IPv6Network]]:
    """The networks of all routes except the default one and those of container bridges."""
    found: list[tuple[str, IPv4Network | IPv6Network]] = []
    for line in _lines("/proc/net/route")[1:]:
        fields = line.split()
        if (
            len(fields) < 8
            or fields[1] == "00000000"
            or fields[0].startswith(("docker", "br-", "sw", "podman", "cni"))
        ):
            continue
        address = socket.inet_ntoa(struct.pack("<L", int(fields[1], 16)))
        mask = socket.inet_ntoa(struct.pack("<L", int(fields[7], 16)))
        found.append((fields[0], ip_network(f"{address}/{mask}", strict=False)))
    return found


def _ports() -> set[tuple[str, int]]:
    """``(protocol, port)`` of all listening sockets."""
    found: set[tuple[str, int]] = set()
    for protocol, state in (("tcp", _LISTEN), ("udp", _BOUND_UDP)):
        for family in ("", "6"):
            for line in _lines(f"/proc/net/{protocol}{family}")[1:]:
                fields = line.split()
                if len(fields) > 3 and fields[3] == state:
                    found.add((protocol, int(fields[1].rpartition(":")[2], 16)))
    return found
