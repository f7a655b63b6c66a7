"""Waiting for a service: the moment it is ready, not the moment somebody looks again.

The embedded engine probes adaptively itself and says so with events. Other engines probe first
after a whole `interval`; there we run the same test by exec, within milliseconds of the start and
then less and less often, up to the interval. Our probes can only end the wait early: the verdict
"unhealthy", with retries and start_period, stays the engine's.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime
from typing import Any

from stackwright.engine.errors import ApiError, EngineGone, NotFound
from stackwright.plan.graph import Condition
from stackwright.run.session import Session
from stackwright.run.watch import Watch

JSON = dict[str, Any]
FIRST_PROBE = 0.005
GROWTH = 1.6
LOOK_AGAIN = 1.0
SETTLE = 0.2
"""Seconds that a service without a health check must have run to count as up."""
RESTARTS = 3
"""Ends that are not yet hopeless: a service may need a few starts until what it uses is there."""


class NotReady(Exception):  # noqa: N818 - an outcome, turned into ServiceFailed by who knows the service
    """The wait ended without success: why, and the container's last inspection."""

    def __init__(self, why: str, container: JSON) -> None:
        super().__init__(why)
        self.why, self.container = why, container


async def await_condition(session: Session, watch: Watch, container: str, condition: Condition) -> str:
    """Wait until the container meets the condition; returns Started, Healthy, Exited or Running.

    Raises `NotReady`.
    """
    if condition == "service_completed_successfully":
        return await _completed(session, watch, container)
    state = await session.engine.inspect_container(container)
    check = state["Config"].get("Healthcheck") or {}
    has_check = bool(check.get("Test")) and check["Test"] != ["NONE"]
    if condition == "service_started":
        return "Started"
    if not has_check:
        if condition == "service_healthy":
            raise NotReady("it has no health check, so it can never be healthy", state)
        return await _settled(session, watch, container)
    if session.engine.kind == "embedded" or _status(state) == "healthy":
        return await _healthy(session, watch, container, None)
    prober = asyncio.create_task(_probe(session, watch, container, check))
    tasks = {prober}
    if session.engine.kind == "podman":
        tasks.add(asyncio.create_task(_beat(session, watch, container, check)))
    try:
        return await _healthy(session, watch, container, prober)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def _settled(session: Session, watch: Watch, container: str) -> str:
    """A service without a check is up when it runs and does not end right after its start."""
    deadline = time.monotonic() + SETTLE
    while True:
        state = await _look(session, container)
        current = state["State"]
        if not current.get("Running") or current.get("Restarting"):
            if current.get("ExitCode"):
                raise NotReady("it ended", state)
            return "Exited"
        left = min(deadline - time.monotonic(), SETTLE - _age(current.get("StartedAt", "")))
        if left <= 0:
            return "Running"
        await watch.changed(container, left)


def _age(started: str) -> float:
    """Seconds since the engine's start time; 0 when its clock is not ours."""
    try:
        return max(0.0, time.time() - datetime.fromisoformat(started[:19] + "+00:00").timestamp() - 1)
    except ValueError:
        return 0.0


async def _look(session: Session, container: str) -> JSON:
    try:
        return await session.engine.inspect_container(container)
    except NotFound:
        raise NotReady("it was removed while we waited for it", {}) from None


async def _healthy(session: Session, watch: Watch, container: str, prober: asyncio.Task[bool] | None) -> str:
    pause = 0.02
    begun = time.monotonic()
    known = -1
    while True:
        state = await _look(session, container)
        known = int(state.get("RestartCount") or 0) if known < 0 else known
        status = _status(state)
        if status == "healthy" or (prober is not None and prober.done() and prober.result()):
            return "Healthy"
        if status == "unhealthy":
            raise NotReady("its health check failed", state)
        current = state["State"]
        if current.get("Status") in ("exited", "dead", "created") and not current.get("Restarting"):
            raise NotReady("it ended", state)
        restarts = int(state.get("RestartCount") or 0) - known
        if restarts >= RESTARTS and time.monotonic() - begun > _patience(state):
            raise NotReady(f"it ended {restarts} times", state)
        await watch.changed(container, pause)
        pause = min(pause * GROWTH, LOOK_AGAIN)


def _patience(state: JSON) -> float:
    """How long a container may end and be restarted before we give up on it, in seconds."""
    check = state["Config"].get("Healthcheck") or {}
    budget = (check.get("StartPeriod") or 0) + (check.get("Interval") or 30e9) * (check.get("Retries") or 3)
    return float(min(max(30.0, budget / 1e9), 300.0))


async def _completed(session: Session, watch: Watch, container: str) -> str:
    pause = 0.02
    while True:
        state = await _look(session, container)
        current = state["State"]
        if current.get("Status") in ("exited", "dead"):
            if current.get("ExitCode") == 0:
                return "Exited"
            raise NotReady("it did not complete successfully", state)
        await watch.changed(container, pause)
        pause = min(pause * GROWTH, LOOK_AGAIN)


def _status(state: JSON) -> str:
    return str((state["State"].get("Health") or {}).get("Status", ""))


async def _probe(session: Session, watch: Watch, container: str, check: JSON) -> bool:
    """Run the health check's own test until it passes; True, or it is cancelled."""
    test = list(check["Test"])
    command = ["/bin/sh", "-c", *test[1:2]] if test[0] == "CMD-SHELL" else test[1:]
    if (shell := (check.get("Shell") or None)) and test[0] == "CMD-SHELL":
        command = [*shell, test[1]]
    interval = (check.get("Interval") or 30e9) / 1e9
    timeout = (check.get("Timeout") or 30e9) / 1e9
    pause = FIRST_PROBE
    while True:
        await asyncio.sleep(min(pause, interval))
        pause *= GROWTH
        with suppress(ApiError, EngineGone):
            code = await _within(timeout, lambda: session.engine.run_exec(container, command))
            if code is not None and code[0] == 0:
                if session.engine.kind == "podman":  # so that it knows, too
                    await session.engine.run_healthcheck(container)
                watch.notify(container)
                return True


async def _beat(session: Session, watch: Watch, container: str, check: JSON) -> bool:
    """Run the check at its interval where Podman has no timer for it (it needs systemd for that).

    Podman counts the failures and knows retries and start_period. Where it has a timer, this one stands back.
    Returns only by being cancelled.
    """
    interval = (check.get("Interval") or 30e9) / 1e9
    known = ""
    while True:
        await asyncio.sleep(interval)
        with suppress(ApiError, EngineGone):
            if await _last_beat(session, container) == known:  # nobody else's since
                await session.engine.run_healthcheck(container)
            known = await _last_beat(session, container)
            watch.notify(container)


async def _last_beat(session: Session, container: str) -> str:
    health = (await session.engine.inspect_container(container))["State"].get("Health") or {}
    return str(health["Log"][-1].get("Start")) if health.get("Log") else ""


async def _within(
    seconds: float, call: Callable[[], Awaitable[tuple[int, bytes]]]
) -> tuple[int, bytes] | None:
    try:
        async with asyncio.timeout(seconds):
            return await call()
    except TimeoutError:
        return None
