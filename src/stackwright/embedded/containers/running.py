"""A started (or adopted) container as the engine holds it."""

from __future__ import annotations

import asyncio
import signal as signals
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stackwright.embedded.kernel.cgroups import Cgroup, cgroup
from stackwright.embedded.kernel.process import start_ticks

from . import messages, state
from .attach import AttachStream, attach
from .channel import Channel
from .processes import ProcessTable, namesakes
from .sessions import ExecSession
from .spec import ContainerSpec, ExecSpec, PortBinding, Resources
from .types import ExitStatus, ProcessInfo, Stats
from .watched import Watched

if TYPE_CHECKING:
    from .runtime import Runtime

UNOBSERVED = "the container's monitor ended unexpectedly; the container was killed"


class Running(Watched[ExitStatus]):
    """One run of a container. Lives until the container has ended; afterwards `wait` still answers."""

    def __init__(
        self, runtime: Runtime, spec: ContainerSpec, channel: Channel, started: Any, pidfd: int
    ) -> None:
        super().__init__(channel, started.pid, pidfd, name=f"container {spec.id[:12]}")
        self._runtime = runtime
        self.spec = spec
        self.start_ticks = start_ticks_of(started.pid)
        self.started_at: int = started.started_at
        self.warnings: tuple[str, ...] = tuple(started.warnings)
        self.ports = port_bindings(started.ports)
        self._group = cgroup_of(spec)
        self.group_path = self._group.path
        self._begin(self._watch())

    async def attach(self, *, stdin: bool = False, stdout: bool = True, stderr: bool = True) -> AttachStream:
        """Attach to what it writes from now on. OSError when it has just ended."""
        return await attach(self.spec.directory, stdin=stdin, stdout=stdout, stderr=stderr)

    async def exec(self, spec: ExecSpec, *, attach: bool = True) -> ExecSession:
        """Start a process in the container. Raises StartError (126/127 as for a container)."""
        return await self._runtime.exec(self, spec, attach=attach)

    async def pause(self) -> None:
        """Freeze every process; returns once they stand still. Raises KernelError."""
        await asyncio.to_thread(self._group.freeze, True)

    async def unpause(self) -> None:
        """Let them go on."""
        await asyncio.to_thread(self._group.freeze, False)

    @property
    def paused(self) -> bool:
        """Whether it is frozen."""
        return self._group.frozen()

    async def update(self, resources: Resources) -> list[str]:
        """Change limits; returns a warning for each that this host cannot set. Raises KernelError."""
        return self._group.apply(resources, first=False)

    def stats(self) -> Stats:
        """Current figures; zeros when it has just ended."""
        figures = self._group.figures()
        values = {name: getattr(figures, name) for name in Stats.__struct_fields__ if name != "read_at"}
        return Stats(read_at=time.time_ns(), **values)

    def processes(self) -> list[ProcessInfo]:
        """What runs in it."""
        table = ProcessTable()
        pids = self._group.pids() or namesakes(self.pid, "pid")
        return [info for pid in sorted(pids) if (info := table.read(pid)) is not None]

    @property
    def root(self) -> Path:
        """`/proc/<pid>/root`: the container's file system as it sees it, for `docker cp`."""
        return Path(f"/proc/{self.pid}/root")

    async def _watch(self) -> None:
        try:
            message = None
            while (message := await self._channel.message()) is not None:
                if message.op == messages.EXITED:
                    break
            status = exit_status(vars(message)) if message is not None else await self._unobserved()
            if not self._ended.done():
                self._ended.set_result(status)
            if message is not None:
                await self._see_it_cleaned()
        finally:
            self._let_go()

    async def cleaned(self) -> None:
        """Until nothing of the run is left in the kernel, or watching was stopped; some ms after `wait`."""
        await asyncio.wait({self._task})

    async def _see_it_cleaned(self) -> None:
        last = await self._channel.message()
        if last is None or last.op != messages.CLEANED:  # the monitor was killed in between
            await asyncio.to_thread(self._group.remove)

    async def _unobserved(self) -> ExitStatus:
        return await asyncio.to_thread(clean_up_unobserved, self.spec, self._group, self.started_at)


def clean_up_unobserved(spec: ContainerSpec, group: Cgroup, started_at: int = 0) -> ExitStatus:
    """How a container whose monitor is gone has ended; kills what may be left of it. Blocks for a moment."""
    written = state.read(spec.directory, state.EXIT)
    known = state.read(spec.directory, state.RUNNING)
    if known is not None:
        state.kill_init(known)
    group.kill()
    group.remove()
    if written is not None:
        return exit_status(written)
    status = ExitStatus(
        code=137,
        signal=signals.SIGKILL,
        started_at=started_at,
        finished_at=time.time_ns(),
        error=UNOBSERVED if known is not None else "the container was not running",
    )
    state.write_exit(spec.directory, {name: getattr(status, name) for name in status.__struct_fields__})
    state.forget_running(spec.directory)
    return status


def exit_status(record: dict[str, Any]) -> ExitStatus:
    """From an EXITED message or exit.json."""
    return ExitStatus(**{name: record[name] for name in ExitStatus.__struct_fields__ if name in record})


def port_bindings(records: list[Any]) -> tuple[PortBinding, ...]:
    """From a message's records."""
    return tuple(PortBinding(**vars(record)) for record in records)


def cgroup_of(spec: ContainerSpec) -> Cgroup:
    """The container's control group."""
    return cgroup(f"{spec.cgroup_parent}/{spec.id}")


def start_ticks_of(pid: int) -> int:
    """Start time of `pid`; 0 when it has ended already."""
    try:
        return start_ticks(pid)
    except ProcessLookupError:
        return 0
