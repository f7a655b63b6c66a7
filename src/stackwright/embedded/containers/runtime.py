"""The engine's view of containers: start, adopt, and what a running one can do."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Literal, Protocol

import msgspec

from .spec import ContainerSpec, ExecSpec, PortBinding, Resources


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
    pid: int
    netns: int
    netlink: int
    ports: tuple[PortBinding, ...]

    @property
    def netns_path(self) -> str:
        """`/proc/<pid>/ns/net`, valid while init lives."""
        return f"/proc/{self.pid}/ns/net"


ConfigureNetwork = Callable[[Sandbox], Awaitable[None]]
Stream = Literal["stdout", "stderr"]


class AttachStream(Protocol):
    """Both directions of an attached container or exec session. Iterate for (stream, bytes) until the end.

    With a terminal everything arrives as "stdout". Closing never ends the container.
    """

    def __aiter__(self) -> AsyncIterator[tuple[Stream, bytes]]: ...
    async def write(self, data: bytes) -> None:
        """Send to the process's stdin; waits while it does not read (back-pressure)."""
        ...

    async def close_stdin(self) -> None:
        """End of input."""
        ...

    async def close(self) -> None:
        """Detach."""
        ...


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
    start_time: float
    """Seconds since the epoch."""
    cpu_time: float
    tty: str
    command: str


class ExecSession(Protocol):
    """A running exec. `stream` is None for a detached one."""

    pid: int
    stream: AttachStream | None

    async def wait(self) -> int:
        """Exit code; 128 + signal when killed."""
        ...

    async def resize(self, rows: int, columns: int) -> None: ...


class Running(Protocol):
    """A started (or adopted) container."""

    spec: ContainerSpec
    pid: int
    started_at: int
    """ns since the epoch"""
    ports: tuple[PortBinding, ...]
    """As bound: no `host_port` is 0."""

    async def wait(self) -> ExitStatus:
        """Until it ended; may be called by many, at any time, also afterwards."""
        ...

    async def signal(self, number: int) -> None:
        """Send to PID 1. ProcessLookupError if it has ended."""
        ...

    async def resize(self, rows: int, columns: int) -> None: ...
    async def attach(
        self, *, stdin: bool = False, stdout: bool = True, stderr: bool = True
    ) -> AttachStream: ...
    async def exec(self, spec: ExecSpec, *, attach: bool = True) -> ExecSession:
        """Start a process in the container. Raises StartError (126/127 as for a container)."""
        ...

    async def pause(self) -> None: ...
    async def unpause(self) -> None: ...
    @property
    def paused(self) -> bool: ...
    async def update(self, resources: Resources) -> None: ...
    def stats(self) -> Stats: ...
    def processes(self) -> list[ProcessInfo]: ...
    @property
    def root(self) -> Path:
        """`/proc/<pid>/root`: the container's file system as it sees it, for `docker cp`."""
        ...


class RuntimeInterface(Protocol):
    """Implemented by `Runtime(starter: StarterHandle)`; owns the starter from then on."""

    async def start(self, spec: ContainerSpec, configure_network: ConfigureNetwork | None = None) -> Running:
        """Start; returns once exec succeeded. Raises StartError, with nothing left behind."""
        ...

    async def adopt(self, spec: ContainerSpec) -> Running | ExitStatus:
        """After an engine restart: the running container, or how it ended.

        A container whose monitor died unobserved is killed and cleaned up here (code 137, `error` set).
        """
        ...

    async def run_step(
        self, spec: ContainerSpec, configure_network: ConfigureNetwork | None = None
    ) -> Running:
        """As `start`; for build steps, which log to nobody (`log.driver` none) and are awaited at once."""
        ...

    async def close(self) -> None:
        """End the starter. Containers go on."""
        ...
