"""The verbs on containers: what `docker start`, `stop`, `kill`, `rm`… do, over the state machine's rules."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable
from contextlib import suppress
from typing import Any

from stackwright.embedded.containers.runtime import AttachStream, Running
from stackwright.embedded.errors import BadParameter, Conflict, DiskFull, EngineError
from stackwright.embedded.lifecycle.acceptable import check_host_config
from stackwright.embedded.lifecycle.config import HostConfig, convert, to_docker
from stackwright.embedded.lifecycle.files import ContainerFiles
from stackwright.embedded.lifecycle.launcher import Launcher
from stackwright.embedded.lifecycle.live import PendingAttach, Streams
from stackwright.embedded.lifecycle.machine import UP, Status, check
from stackwright.embedded.lifecycle.record import Container
from stackwright.embedded.lifecycle.services import Services
from stackwright.embedded.lifecycle.signals import parse_signal, stop_signal
from stackwright.embedded.lifecycle.specs import resources_of
from stackwright.embedded.lifecycle.supervisor import Supervisor

DEFAULT_STOP_TIMEOUT = 10
_KILL_TIMEOUT = 10.0
_UPDATABLE = frozenset(
    [
        "CpuShares",
        "Memory",
        "CpuPeriod",
        "CpuQuota",
        "CpusetCpus",
        "CpusetMems",
        "MemoryReservation",
        "MemorySwap",
        "BlkioWeight",
        "PidsLimit",
        "NanoCpus",
        "CpuRealtimePeriod",
        "CpuRealtimeRuntime",
        "RestartPolicy",
    ]
)


class Manager:
    """One method per verb. Raises EngineError in Docker's words; all may be called side by side."""

    def __init__(
        self, services: Services, supervisor: Supervisor, launcher: Launcher, files: ContainerFiles
    ) -> None:
        self._services = services
        self._supervisor = supervisor
        self._launcher = launcher
        self._files = files
        supervisor.auto_remove = self._auto_remove

    async def start(self, container: Container) -> None:
        """POST /containers/{id}/start. NotModified when it runs already."""
        live = self._supervisor.live(container)
        async with live.lock:
            self._check("start", container)
            live.cancel_restart()
            container.stopped_by_user = False
            container.restarts, container.restart_delay = 0, 0.0
            try:
                await self._supervisor.launch(container)
            except EngineError:
                if container.host_config.auto_remove:
                    await self._remove(container, volumes=True)
                raise

    async def stop(self, container: Container, timeout: int | None = None, signal_name: str = "") -> None:
        """POST /containers/{id}/stop: the stop signal, up to `timeout` s (-1: for ever), then SIGKILL."""
        async with self._supervisor.live(container).lock:
            self._check("stop", container)
            await self._stop(container, timeout, signal_name)
        self._supervisor.tell(container, "stop")

    async def restart(self, container: Container, timeout: int | None = None, signal_name: str = "") -> None:
        """POST /containers/{id}/restart; starts one that does not run."""
        live = self._supervisor.live(container)
        async with live.lock:
            if container.status in (Status.REMOVING, Status.DEAD):
                self._check("start", container)
            removes, container.host_config.auto_remove = container.host_config.auto_remove, False
            try:
                if container.status in UP or container.status == Status.RESTARTING:
                    await self._stop(container, timeout, signal_name)
                    self._supervisor.tell(container, "stop")
                container.stopped_by_user = False
                container.restart_delay = 0.0
                await self._supervisor.launch(container)
            finally:
                container.host_config.auto_remove = removes
                self._services.containers.save(container)
        self._supervisor.tell(container, "restart")

    async def kill(self, container: Container, signal_name: str = "") -> None:
        """POST /containers/{id}/kill: the signal to its process 1, SIGKILL unless named."""
        number = parse_signal(signal_name or "KILL")
        self._check("kill", container)
        if container.status == Status.RESTARTING:
            await self.stop(container)
            return
        ends = number in (signal.SIGKILL, stop_signal(container))
        if ends:
            container.stopped_by_user = True
            self._services.containers.save(container)
        running = self._running(container)
        await _send(running, number)
        if ends and container.status == Status.PAUSED:
            await self._thaw(container, running)
        self._supervisor.tell(container, "kill", {"signal": str(int(number))})
        if number == signal.SIGKILL:
            await self._over(container, _KILL_TIMEOUT)

    async def pause(self, container: Container) -> None:
        """POST /containers/{id}/pause."""
        async with self._supervisor.live(container).lock:
            self._check("pause", container)
            await self._running(container).pause()
            container.status = Status.PAUSED
            self._services.containers.save(container)
        self._supervisor.tell(container, "pause")

    async def unpause(self, container: Container) -> None:
        """POST /containers/{id}/unpause."""
        async with self._supervisor.live(container).lock:
            self._check("unpause", container)
            await self._thaw(container, self._running(container))
        self._supervisor.tell(container, "unpause")

    async def remove(self, container: Container, *, force: bool = False, volumes: bool = False) -> None:
        """DELETE /containers/{id}; `force` kills it first, `volumes` removes its anonymous volumes too."""
        live = self._supervisor.live(container)
        async with live.lock:
            if container.status in UP or container.status == Status.RESTARTING:
                if not force:
                    self._check("remove", container)
                container.host_config.auto_remove = False
                await self._stop(container, 0, "KILL")
            self._check("remove", container)
            await self._remove(container, volumes=volumes)

    def rename(self, container: Container, name: str) -> None:
        """POST /containers/{id}/rename."""
        if not name.removeprefix("/"):
            raise BadParameter("Neither old nor new names may be empty")
        if name.removeprefix("/") == container.name:
            raise BadParameter(
                f"Renaming a container with the same name as its current name: {container.name}"
            )
        if container.status in (Status.REMOVING, Status.DEAD):
            raise Conflict("container is marked for removal and cannot be renamed")
        old = container.name
        self._services.containers.rename(container, self._services.containers.check_name(name))
        self._supervisor.tell(container, "rename", {"oldName": f"/{old}"})

    async def update(self, container: Container, changes: dict[str, Any]) -> None:
        """POST /containers/{id}/update: limits and restart policy, applied at once to a running one."""
        wanted = {key: value for key, value in changes.items() if key in _UPDATABLE and value is not None}
        before = to_docker(container.host_config)
        host = convert({**before, **{k: v for k, v in wanted.items() if v not in ("", 0)}}, HostConfig)
        if "RestartPolicy" in wanted and not wanted["RestartPolicy"].get("Name"):
            host.restart_policy = container.host_config.restart_policy
        check_host_config(host)
        async with self._supervisor.live(container).lock:
            running = self._supervisor.running(container)
            if running and resources_of(host) != resources_of(container.host_config):
                await running.update(resources_of(host))
            container.host_config = host
            self._services.containers.save(container)
        self._supervisor.tell(container, "update")

    def wait(self, container: Container, condition: str) -> asyncio.Future[int]:
        """POST /containers/{id}/wait: a future with the exit code. Conditions not-running, next-exit,
        removed."""
        if condition not in ("", "not-running", "next-exit", "removed"):
            raise BadParameter(f'invalid condition: "{condition}"')
        condition = condition or "not-running"
        future = self._supervisor.live(container).waiters.add(condition)
        down = container.status in (Status.EXITED, Status.DEAD, Status.CREATED)
        if condition == "not-running" and down:
            future.set_result(container.exit_code)
        return future

    async def attach(self, container: Container, streams: Streams) -> asyncio.Future[AttachStream]:
        """The container's streams: now when it runs, else as soon as it starts, missing nothing."""
        running = self._supervisor.running(container)
        future: asyncio.Future[AttachStream] = asyncio.get_running_loop().create_future()
        if container.status == Status.PAUSED:
            raise Conflict(f"container {container.id} is paused, unpause the container before attach.")
        if running is not None and container.up:
            future.set_result(
                await running.attach(stdin=streams.stdin, stdout=streams.stdout, stderr=streams.stderr)
            )
        else:
            self._supervisor.live(container).pending.append(PendingAttach(streams, future))
        self._supervisor.tell(container, "attach")
        return future

    def running(self, container: Container, verb: str) -> Running:
        """The process of a container that must be up for `verb` (exec, top, resize)."""
        self._check(verb, container)
        return self._running(container)

    async def stop_all(self, timeout: int | None = None) -> None:
        """Stop every container, side by side; used when the whole engine is asked to end."""
        up = [c for c in self._services.containers if c.up or c.status == Status.RESTARTING]
        await asyncio.gather(*(self._quietly(self.stop(c, timeout)) for c in up))

    async def _quietly(self, verb: Awaitable[None]) -> None:
        try:
            await verb
        except EngineError:
            return

    def _check(self, verb: str, container: Container) -> None:
        check(verb, container.status, name=container.name, container_id=container.id)

    def _running(self, container: Container) -> Running:
        running = self._supervisor.running(container)
        if running is None:
            raise Conflict(f"container {container.id} is not running")
        return running

    async def _stop(self, container: Container, timeout: int | None, signal_name: str) -> None:
        number = parse_signal(signal_name) if signal_name else stop_signal(container)
        container.stopped_by_user = True
        live = self._supervisor.live(container)
        if container.status == Status.RESTARTING:
            live.cancel_restart()
            container.status = Status.EXITED
            self._services.containers.save(container)
            live.waiters.tell("not-running", container.exit_code)
            return
        if timeout is None:
            configured = container.config.stop_timeout
            timeout = DEFAULT_STOP_TIMEOUT if configured is None else configured
        running = self._running(container)
        await _send(running, number)
        self._services.containers.save(container)  # while the process ends
        self._supervisor.tell(container, "kill", {"signal": str(int(number))})
        if container.status == Status.PAUSED:
            await self._thaw(container, running)
        if await self._over(container, None if timeout < 0 else float(timeout)):
            return
        await _send(running, signal.SIGKILL)
        self._supervisor.tell(container, "kill", {"signal": str(int(signal.SIGKILL))})
        if not await self._over(container, _KILL_TIMEOUT):
            raise EngineError(f"cannot stop container: {container.name}: it did not end after SIGKILL")

    async def _over(self, container: Container, timeout: float | None) -> bool:
        """Wait for the end of the run, cleaning included."""
        run = self._supervisor.live(container).run
        if run is None:
            return True
        try:
            async with asyncio.timeout(timeout):
                await run.cleaned.wait()
        except TimeoutError:
            return False
        return True

    async def _thaw(self, container: Container, running: Running) -> None:
        await running.unpause()
        if container.status == Status.PAUSED:
            container.status = Status.RUNNING
            self._services.containers.save(container)

    async def _auto_remove(self, container: Container) -> None:
        async with self._supervisor.live(container).lock:
            if container.status == Status.EXITED:
                await self._remove(container, volumes=True)

    async def _remove(self, container: Container, *, volumes: bool) -> None:
        services = self._services
        live = self._supervisor.live(container)
        live.cancel_restart()
        own = [m.name for m in container.mounts if volumes and m.anonymous and m.name]
        with suppress(DiskFull):  # what makes room is not refused
            services.volumes.settle(own, pending=True)
        # One commit decides: a folder that belongs to no container goes at the engine's next start.
        services.containers.remove(container)
        container.status = Status.REMOVING
        self._files.remove(container.id)
        self._launcher.forget(container.id)
        await services.frozen.collect()
        for name in own:
            await self._remove_volume(name)
        self._supervisor.tell(container, "destroy")
        live.waiters.tell("removed", container.exit_code)
        live.waiters.tell("not-running", container.exit_code)
        for pending in live.pending:
            pending.stream.cancel()
        self._supervisor.forget(container)

    async def _remove_volume(self, name: str) -> None:
        try:
            await self._services.volumes.remove(name)
            self._services.events.publish("volume", "destroy", name, {"driver": "local"})
        except EngineError:  # used by another container (volumes-from): that one will remove it
            self._services.volumes.settle([name])


async def _send(running: Running, number: int) -> None:
    try:
        await running.signal(number)
    except ProcessLookupError:
        return  # it has just ended: its supervisor will say so
