"""Watches running containers: probes them, takes note of their end, and restarts those whose policy says
so."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from stackwright.embedded.containers.runtime import ExitStatus, Running, Sandbox
from stackwright.embedded.containers.spec import ExecSpec
from stackwright.embedded.errors import EngineError
from stackwright.embedded.ids import new_id
from stackwright.embedded.lifecycle.health import SECOND, Health, HealthPolicy, ProbeResult, policy_from
from stackwright.embedded.lifecycle.launcher import Launcher, StartFailed
from stackwright.embedded.lifecycle.live import Live, Run
from stackwright.embedded.lifecycle.machine import Status
from stackwright.embedded.lifecycle.prober import keep_probing
from stackwright.embedded.lifecycle.record import Container, HealthRecord, Probe
from stackwright.embedded.lifecycle.restart import Ended, decide
from stackwright.embedded.lifecycle.services import Services
from stackwright.embedded.lifecycle.specs import exec_spec
from stackwright.embedded.lifecycle.tasks import Tasks
from stackwright.embedded.lifecycle.wiring import Wiring

log = logging.getLogger("stackwright.engine")
AutoRemove = Callable[[Container], Awaitable[None]]


class Supervisor:
    """Owns the runs of all containers of this engine."""

    def __init__(self, services: Services, launcher: Launcher, wiring: Wiring, tasks: Tasks) -> None:
        self._services = services
        self._launcher = launcher
        self._wiring = wiring
        self._tasks = tasks
        self._live: defaultdict[str, Live] = defaultdict(Live)
        self.auto_remove: AutoRemove | None = None
        """Set by the manager: removes a container that was created with AutoRemove and has ended."""

    def live(self, container: Container) -> Live:
        """The container's locks, waiters and current run."""
        return self._live[container.id]

    def forget(self, container: Container) -> None:
        """The container was removed."""
        self._live.pop(container.id, None)

    def running(self, container: Container) -> Running | None:
        """Its current run's process."""
        run = self._live[container.id].run
        return run.running if run else None

    def tell(self, container: Container, action: str, attributes: Mapping[str, str] | None = None) -> None:
        """Publish an event of the container with its usual attributes (image, name, labels)."""
        self._services.events.publish(
            "container",
            action,
            container.id,
            {
                **container.config.labels,
                "image": container.image,
                "name": container.name,
                **(attributes or {}),
            },
        )

    def _tell_volumes(self, container: Container, action: str) -> None:
        for mount in container.mounts:
            if mount.kind == "volume":
                attributes = {"container": container.id, "driver": mount.driver or "local"}
                if action == "mount":
                    attributes |= {
                        "destination": mount.destination,
                        "propagation": mount.propagation,
                        "read/write": "false" if mount.readonly else "true",
                    }
                self._services.events.publish("volume", action, mount.name, attributes)

    async def launch(self, container: Container) -> None:
        """Start it and watch it; the caller holds the lock. Raises what the launcher raises, state noted."""
        live = self.live(container)
        if live.run is not None:
            await live.run.cleaned.wait()
        if live.leaving is not None:
            await live.leaving.cleaned()
            live.leaving = None
        try:
            running = await self._launcher.launch(container, lambda s: self._attach_pending(container, s))
        except EngineError as error:
            self._note_failure(container, error)
            raise
        container.status = Status.RUNNING
        container.pid = running.pid
        container.exit_code = 0
        container.error = ""
        container.oom_killed = False
        container.started_ns = running.started_at
        container.boot_id = boot_id()
        policy = health_policy(container)
        container.health = HealthRecord(status="starting", failing_streak=0) if policy else None
        self._services.containers.save(container)
        self.watch(container, running)
        self._tell_volumes(container, "mount")
        self.tell(container, "start")

    def watch(self, container: Container, running: Running) -> None:
        """Supervise a run that has just started or was adopted."""
        run = Run(running)
        self.live(container).run = run
        self._tasks.spawn(self._supervise(container, run), f"supervise {container.name}")

    async def ended(self, container: Container, status: ExitStatus, run: Run | None) -> None:
        """A run is over: note it, give back what it held, decide what comes next."""
        live = self.live(container)
        self._note_end(container, status)
        self._launcher.forget(container.id)
        if run:
            run.over.set()
        if status.oom_killed:
            self.tell(container, "oom")
        self.tell(container, "die", _die_attributes(container))
        live.waiters.tell("next-exit", container.exit_code)
        if container.status == Status.RESTARTING:
            # Docker wakes them too, although the container comes back.
            live.waiters.tell("not-running", container.exit_code)
        try:
            await self._wiring.release(container)
        except EngineError as error:  # a full disk: the next engine gives back what is still held
            log.error("the network of %s could not be given back: %s", container.name, error.message)
        self._tell_volumes(container, "unmount")
        if run:
            live.leaving = run.running
            run.cleaned.set()
            if live.run is run:
                live.run = None
        if container.status == Status.RESTARTING:
            live.restart = self._tasks.spawn(self._restart_later(container), f"restart {container.name}")
            return
        live.waiters.tell("not-running", container.exit_code)
        if container.host_config.auto_remove and self.auto_remove is not None:
            self._tasks.spawn(self._remove(container), f"remove {container.name}")

    async def _supervise(self, container: Container, run: Run) -> None:
        prober: asyncio.Task[None] | None = None
        if policy := health_policy(container):
            probing = self._keep_probing(container, run.running, policy)
            prober = self._tasks.spawn(probing, f"probe {container.name}")
        try:
            status = await run.running.wait()
        finally:
            if prober:
                prober.cancel()
        await self.ended(container, status, run)

    async def _keep_probing(self, container: Container, running: Running, policy: HealthPolicy) -> None:
        def make() -> ExecSpec:
            return exec_spec(new_id(), container, policy.command, running.spec.process.user)

        def report(health: Health) -> None:
            before = container.health.status if container.health else ""
            container.health = to_record(health)
            if health.status != before:
                self._services.containers.save(container)
                self.tell(container, f"health_status: {health.status}")

        await keep_probing(policy, running, make, report, from_record(container.health))

    async def _restart_later(self, container: Container) -> None:
        await asyncio.sleep(container.restart_delay)
        live = self.live(container)
        async with live.lock:
            live.restart = None
            if container.status != Status.RESTARTING:
                return
            container.restarts += 1
            try:
                await self.launch(container)
            except EngineError as error:
                log.warning("restart of %s failed: %s", container.name, error.message)
                failed = ExitStatus(code=container.exit_code, finished_at=time.time_ns(), error=error.message)
                container.started_ns = failed.finished_at
                await self.ended(container, failed, None)

    async def _remove(self, container: Container) -> None:
        assert self.auto_remove is not None
        await self.auto_remove(container)

    async def _attach_pending(self, container: Container, sandbox: Sandbox) -> None:
        """Connect clients that attached before the start, while the process waits for its go."""
        live = self.live(container)
        pending, live.pending = live.pending, []
        for client in pending:
            if not client.stream.done():
                wants = client.streams
                stream = await sandbox.attach(stdin=wants.stdin, stdout=wants.stdout, stderr=wants.stderr)
                client.stream.set_result(stream)

    def _note_failure(self, container: Container, error: EngineError) -> None:
        container.exit_code = error.code if isinstance(error, StartFailed) else 128
        container.error = error.message
        if container.status != Status.CREATED:
            container.status = Status.EXITED
            container.finished_ns = time.time_ns()
        container.pid = 0
        self._services.containers.save(container)
        live = self.live(container)
        for pending in live.pending:
            pending.stream.cancel()
        live.pending.clear()
        live.waiters.tell("not-running", container.exit_code)

    def _note_end(self, container: Container, status: ExitStatus) -> None:
        policy = container.host_config.restart_policy
        ran = max(0, status.finished_at - container.started_ns) / SECOND
        decision = decide(
            policy.name,
            policy.maximum_retry_count,
            Ended(
                exit_code=status.code,
                ran=ran,
                restarts=container.restarts,
                last_delay=container.restart_delay,
                stopped_by_user=container.stopped_by_user,
            ),
        )
        container.exit_code = status.code
        container.oom_killed = status.oom_killed
        container.error = status.error
        container.finished_ns = status.finished_at or time.time_ns()
        container.pid = 0
        container.restart_delay = decision.delay or 0.0
        container.status = Status.EXITED if decision.delay is None else Status.RESTARTING
        self._services.containers.save(container)


def health_policy(container: Container) -> HealthPolicy | None:
    """The container's health check, if it has one."""
    return policy_from(container.config.healthcheck, container.config.shell)


def to_record(health: Health) -> HealthRecord:
    """State of the prober → what is stored."""
    log_ = tuple(
        Probe(started_ns=p.started_ns, ended_ns=p.ended_ns, exit_code=p.exit_code, output=p.output)
        for p in health.log
    )
    return HealthRecord(status=health.status, failing_streak=health.failing_streak, log=log_)


def from_record(record: HealthRecord | None) -> Health:
    """What was stored → where the prober goes on."""
    if record is None:
        return Health()
    results = tuple(ProbeResult(p.started_ns, p.ended_ns, p.exit_code, p.output) for p in record.log)
    return Health(record.status, record.failing_streak, results)


def boot_id() -> str:
    """Changes with each boot of the host."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _die_attributes(container: Container) -> dict[str, str]:
    seconds = max(0, container.finished_ns - container.started_ns) // SECOND
    return {"exitCode": str(container.exit_code), "execDuration": str(seconds)}
