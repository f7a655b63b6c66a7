"""Launches the starter: the small process that forks monitors and exec sessions."""

from __future__ import annotations

import socket
from typing import NamedTuple


class StarterHandle(NamedTuple):
    """The running starter; the engine's end of its socket pair. The starter ends when that closes."""

    pid: int
    socket: socket.socket


def launch_starter() -> StarterHandle:
    """Spawn the starter. Call first thing in `__main__`: it boots beside the engine's own imports.

    It is spawned (posix_spawn of this interpreter without `site`), not forked, so it holds nothing
    of the caller and can be launched again at any time, also from a process with threads.
    """
    raise NotImplementedError
