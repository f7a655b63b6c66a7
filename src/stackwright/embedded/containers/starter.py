"""Launches the starter: the small process that forks monitors and exec sessions."""

from __future__ import annotations

import os
import socket
import sys
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from stackwright.embedded.kernel import mount

_HANDED_ON = ("STACKWRIGHT_KEEPER", "STACKWRIGHT_CGROUPS")
"""Where an ordinary user's monitors find the host's network and their control groups (embedded/rootless)."""

_MAIN = "from stackwright.embedded.containers.starter_main import main; main({fd})"


class StarterHandle(NamedTuple):
    """The running starter; the engine's end of its socket pair. The starter ends when that closes."""

    pid: int
    socket: socket.socket


def launch_starter() -> StarterHandle:
    """Spawn the starter. Call first thing in `__main__`: it boots beside the engine's own imports.

    It is spawned (posix_spawn of this interpreter without `site`), not forked, so it holds nothing
    of the caller and can be launched again at any time, also from a process with threads.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    sealed = _read_only_interpreter()
    try:
        inherited = 3
        code = f"import sys; sys.path.insert(0, {str(_package_root())!r}); " + _MAIN.format(fd=inherited)
        flags = ["-I", "-S"] + (["-B"] if sys.dont_write_bytecode else [])
        pid = os.posix_spawn(
            sys.executable if sealed < 0 else f"/proc/self/fd/{sealed}",
            [sys.executable, *flags, "-c", code],
            {"PATH": os.defpath, **{name: os.environ[name] for name in _HANDED_ON if name in os.environ}},
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDWR, 0),
                (os.POSIX_SPAWN_DUP2, 0, 1),
                (os.POSIX_SPAWN_DUP2, theirs.fileno(), inherited),
            ],
        )
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()
        if sealed >= 0:
            os.close(sealed)
    return StarterHandle(pid, ours)


def _read_only_interpreter() -> int:
    """The interpreter's file through a read-only mount of its own, as a descriptor; -1 where that cannot be had.

    Between entering a container and exec our processes can be seen in there. Whoever gets hold of their
    /proc/<pid>/exe (CVE-2019-5736) then holds a file that cannot be written, whatever rights it has.
    """
    try:
        tree = mount.open_tree(os.path.realpath(sys.executable), recursive=False)
    except OSError:
        return -1
    try:
        mount.make_readonly(tree, recursive=False)
    except OSError:
        os.close(tree)
        return -1
    return tree


async def end_starter(starter: StarterHandle) -> None:
    """Close the starter's socket and wait for its end."""
    import asyncio  # not at the top: `launch_starter` comes first in a program, before this is paid for

    starter.socket.close()
    with suppress(ChildProcessError):
        await asyncio.to_thread(os.waitpid, starter.pid, 0)


def _package_root() -> Path:
    """The directory that holds the `stackwright` package."""
    return Path(__file__).resolve().parents[3]
