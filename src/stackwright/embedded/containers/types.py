"""The values that the engine gets from the runtime: endings, figures, errors."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Literal

import msgspec

from .attach import AttachStream, attach
from .spec import PortBinding


class StartError(Exception):
    """A container or exec session did not start.

    `stage`: "ports" | "cgroup" | "namespaces" | "network" | "rootfs" | "mounts" | "process" | "starter".
    `code`: the exit code Docker gives (126 not executable, 127 not found, 128 otherwise).
    `errno`: of the failed system call, 0 when there is none. `str()` is Docker's wording.
    """

    def __init__(self, message: str, *, stage: str, code: int = 128, errno: int = 0) -> None:
        super().__init__(message)
        self.stage = stage
        self.code = code
        self.errno = errno


class ExitStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How a container ended. `code` is 128 + signal for a killed one; times in ns since the epoch."""

    code: int
    signal: int = 0
    oom_killed: bool = False
    started_at: int = 0
    finished_at: int = 0
    error: str = ""
    """Non-empty when the ending was not observed (the monitor died)."""


class Sandbox(msgspec.Struct, kw_only=True):
    """Handed to `configure_network` between unshare and exec; descriptors are closed afterwards.

    `netns` and `netlink` are -1 when the container has no network namespace of its own.
    `netlink` is an AF_NETLINK/NETLINK_ROUTE socket opened inside the namespace. `ports` are bound already.
    The callback may replace `ports` (to fill `container_ip` in).
    """

    container_id: str
    directory: str
    pid: int
    netns: int
    netlink: int
    ports: tuple[PortBinding, ...]

    @property
    def netns_path(self) -> str:
        """`/proc/<pid>/ns/net`, valid while init lives."""
        return f"/proc/{self.pid}/ns/net"

    async def attach(self, *, stdin: bool = False, stdout: bool = True, stderr: bool = True) -> AttachStream:
        """Attach before the process begins, so that not a byte is missed."""
        return await attach(self.directory, stdin=stdin, stdout=stdout, stderr=stderr)


ConfigureNetwork = Callable[[Sandbox], Awaitable[None]]
Stream = Literal["stdout", "stderr"]


class Stats(msgspec.Struct, frozen=True, kw_only=True):
    """Cgroup figures at one moment. Times in ns, sizes in bytes; None where the host cannot tell."""

    read_at: int
    cpu_total: int = 0
    cpu_user: int = 0
    cpu_system: int = 0
    percpu: tuple[int, ...] = ()
    throttled_periods: int = 0
    periods: int = 0
    throttled_time: int = 0
    memory_usage: int = 0
    memory_max_usage: int | None = None
    memory_limit: int = 0
    memory_stat: dict[str, int] = {}
    oom_kills: int = 0
    pids: int = 0
    pids_limit: int | None = None
    blkio: tuple[tuple[int, int, str, int], ...] = ()
    """(major, minor, "read" | "write", bytes)"""


class ProcessInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A process of the container for `docker top`; `pid` is the host's number."""

    pid: int
    ppid: int
    uid: int
    state: str
    """One letter, as in /proc/pid/stat: R runs, S sleeps, Z has ended..."""
    start_time: float
    """Seconds since the epoch."""
    cpu_time: float
    """Seconds of processor time used."""
    virtual: int
    """Bytes of address space."""
    resident: int
    """Bytes in memory."""
    tty: str
    command: str
