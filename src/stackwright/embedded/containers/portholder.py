"""Which process holds a port, for the message about a port that is taken."""

from __future__ import annotations

import os
from contextlib import suppress

from stackwright.embedded.kernel.pseudofiles import read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_LISTEN = "0A"
_SHOWN = 80


def explain(reason: str, bindings: list[Any]) -> str:
    """Docker's sentence around `reason`, and the holder's name where /proc tells it."""
    text = f"driver failed programming external connectivity: {reason}"
    for binding in bindings:
        if binding.host_port and f":{binding.host_port} " in reason:
            found = holder(binding.proto, binding.host_port)
            if found is not None:
                pid, name = found
                text += f" (held by process {pid}, {name})"
            break
    return text


def holder(proto: str, port: int) -> tuple[int, str] | None:
    """(pid, name) of a process listening on `port`; None when /proc does not say."""
    inodes: set[str] = set()
    for family in ("", "6"):
        with suppress(OSError):
            for line in read(f"/proc/net/{proto}{family}").splitlines()[1:]:
                fields = line.split()
                if int(fields[1].rpartition(":")[2], 16) == port and (proto == "udp" or fields[3] == _LISTEN):
                    inodes.add(f"socket:[{fields[9]}]")
    inodes.discard("socket:[0]")
    if not inodes:
        return None
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with suppress(OSError):
            for fd in os.listdir(f"/proc/{pid}/fd"):
                with suppress(OSError):
                    if os.readlink(f"/proc/{pid}/fd/{fd}") in inodes:
                        return int(pid), _shown(pid)
    return None


def _shown(pid: str) -> str:
    """Its command line as `ps` shows it, cut short; the bare name of one without."""
    words = read(f"/proc/{pid}/cmdline").rstrip("\0").replace("\0", " ")
    return words[:_SHOWN] or read(f"/proc/{pid}/comm").strip()
