"""The engine's way to containers: start them, take them over after a restart, end with them going on."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from contextlib import suppress
from typing import Any, Protocol

from . import messages, wire
from .attach import AttachStream, Stream
from .channel import Channel
from .running import Running, cgroup_of, clean_up_unobserved, port_bindings
from .sessions import ExecSession
from .spec import ContainerSpec, ExecSpec, to_wire
from .starter import StarterHandle, end_starter, launch_starter
from .syscalls import filter_for
from .types import ConfigureNetwork, ExitStatus, ProcessInfo, Sandbox, StartError, Stats

__all__ = [
    "AttachStream",
    "ConfigureNetwork",
    "ExecSession",
    "ExitStatus",
    "ProcessInfo",
    "Running",
    "Runtime",
    "RuntimeInterface",
    "Sandbox",
    "StartError",
    "Stats",
    "Stream",
]

_ATTEMPTS = 2
"""A starter that died takes one request with it; the next one gets it again."""


class RuntimeInterface(Protocol):
    """What the lifecycle layer uses of `Runtime`."""

    async def start(self, spec: ContainerSpec, configure_network: ConfigureNetwork | None = None) -> Running:
        """Start; returns once exec succeeded. Raises StartError, with nothing left behind."""
        ...

    async def adopt(self, spec: ContainerSpec) -> Running | ExitStatus:
        """After an engine restart: the running container, or how it ended.

        A container whose monitor died unobserved is killed and cleaned up here (code 137, `error` set).
        """
        ...

    async def close(self) -> None:
        """End the starter. Containers go on."""
        ...


class _StarterGone(Exception):  # noqa: N818 - retried, never seen outside
    pass


class Runtime:
    """Owns the starter and a watching task per container and exec session."""

    def __init__(self, starter: StarterHandle | None = None) -> None:
        """`starter`: one launched early in `__main__`; owned from here on. None launches one now."""
        self._starter = starter or launch_starter()
        self._watched: set[Running | ExecSession] = set()

    @property
    def starter_pid(self) -> int:
        """The starter's process; another one after it had to be replaced."""
        return self._starter.pid

    async def start(self, spec: ContainerSpec, configure_network: ConfigureNetwork | None = None) -> Running:
        """Start; returns once exec succeeded. Raises StartError, with nothing left behind.

        `configure_network` runs when the namespaces exist, beside the container's mounts being made;
        what it raises ends the start and is raised from here. The directories of the spec exist already.
        """
        for attempt in range(_ATTEMPTS):
            channel = self._request(messages.STARTER_CONTAINER)
            try:
                started, pidfd = await self._converse(channel, spec, configure_network)
            except _StarterGone:
                channel.close()
                if attempt + 1 == _ATTEMPTS:
                    raise StartError("the starter process ended", stage="starter") from None
                continue
            except BaseException:
                channel.close()
                raise
            return self._watch(Running(self, spec, channel, started, pidfd))
        raise AssertionError

    async def exec(self, running: Running, spec: ExecSpec, *, attach: bool = True) -> ExecSession:
        """Start a process in a running container; see Running.exec."""
        channel = self._request(messages.STARTER_EXEC)
        try:
            request = wire.message(
                messages.EXEC,
                spec=to_wire(spec),
                filter=wire.text(filter_for(spec.process, privileged=spec.privileged)),
                directory=running.spec.directory,
                pid=running.pid,
                start_ticks=running.start_ticks,
                cgroup=running.group_path,
                hostname=running.spec.hostname,
                attach=attach,
            )
            with suppress(BrokenPipeError):
                await channel.send(request)
            answer = await channel.message()
            if answer is None:
                raise StartError("the exec session's process ended", stage="starter")
            _raise_failure(answer)
            session = ExecSession(channel, answer.pid, channel.take_descriptor(), attached=attach)
        except BaseException:
            channel.close()
            raise
        self._watched.add(session)
        session.on_end(lambda: self._watched.discard(session))
        return session

    async def adopt(self, spec: ContainerSpec) -> Running | ExitStatus:
        """After an engine restart: the running container, or how it ended.

        A container whose monitor died unobserved is killed and cleaned up here (code 137, `error` set).
        """
        try:
            channel = await Channel.connect(spec.directory)
        except OSError:
            return await asyncio.to_thread(clean_up_unobserved, spec, cgroup_of(spec))
        try:
            with suppress(BrokenPipeError, ConnectionResetError):
                await channel.send(wire.message(messages.HELLO))
            started = await channel.message()
            if started is not None and started.op == messages.STARTED:
                return self._watch(Running(self, spec, channel, started, channel.take_descriptor()))
        except BaseException:
            channel.close()
            raise
        channel.close()
        return await asyncio.to_thread(clean_up_unobserved, spec, cgroup_of(spec))

    async def close(self) -> None:
        """End the starter and stop watching. Containers go on."""
        for watched in list(self._watched):
            await watched.close()
        await end_starter(self._starter)

    def _watch(self, running: Running) -> Running:
        self._watched.add(running)
        running.on_end(lambda: self._watched.discard(running))
        return running

    def _request(self, role: bytes) -> Channel:
        """Have the starter fork for `role`; the channel to what it forked."""
        ours, theirs = socket.socketpair()
        try:
            try:
                socket.send_fds(self._starter.socket, [role], [theirs.fileno()])
            except (BrokenPipeError, ConnectionResetError):
                self._relaunch()
                socket.send_fds(self._starter.socket, [role], [theirs.fileno()])
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        return Channel(ours)

    def _relaunch(self) -> None:
        self._starter.socket.close()
        with suppress(ChildProcessError):
            os.waitpid(self._starter.pid, 0)
        self._starter = launch_starter()

    async def _converse(
        self, channel: Channel, spec: ContainerSpec, configure_network: ConfigureNetwork | None
    ) -> tuple[Any, int]:
        """From START to STARTED; see `messages`."""
        with suppress(BrokenPipeError):
            calls = wire.text(filter_for(spec.process, privileged=spec.privileged))
            await channel.send(wire.message(messages.START, spec=to_wire(spec), filter=calls))
        ready = await channel.message()
        if ready is None:
            raise _StarterGone
        _raise_failure(ready)
        sandbox = Sandbox(
            container_id=spec.id,
            directory=spec.directory,
            pid=ready.pid,
            netns=channel.take_descriptor(),
            netlink=channel.take_descriptor(),
            ports=port_bindings(ready.ports),
        )
        try:
            if configure_network is not None:
                await configure_network(sandbox)
        finally:
            for fd in (sandbox.netns, sandbox.netlink):
                if fd >= 0:
                    os.close(fd)
        dns = to_wire(spec.dns) if spec.dns is not None else None
        with suppress(BrokenPipeError, ConnectionResetError):
            await channel.send(wire.message(messages.GO, ports=[to_wire(p) for p in sandbox.ports], dns=dns))
        finishing = asyncio.ensure_future(_started(channel))
        try:
            return await asyncio.shield(finishing)
        except asyncio.CancelledError:
            # Past GO the monitor no longer ends with the channel: what nobody wants any more is killed here.
            with suppress(StartError):
                _, pidfd = await finishing
                with suppress(ProcessLookupError):
                    signal.pidfd_send_signal(pidfd, signal.SIGKILL)
                os.close(pidfd)
                await channel.message()
            raise


async def _started(channel: Channel) -> tuple[Any, int]:
    """Wait for STARTED: the message and init's pidfd."""
    started = await channel.message()
    if started is None:
        raise StartError("the container's monitor ended unexpectedly", stage="process")
    _raise_failure(started)
    return started, channel.take_descriptor()


def _raise_failure(answer: Any) -> None:
    if answer.op == messages.FAILED:
        raise StartError(answer.message, stage=answer.stage, code=answer.code, errno=answer.errno)
