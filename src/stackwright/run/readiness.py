"""Waiting for a service: the moment it is ready, not the moment somebody looks again.

The embedded engine probes adaptively itself and says so with events. Other engines probe first after a whole
`interval`; there `probing` runs the same test by exec, within milliseconds of the start and then less and less
often. With `--engine-health` only the engine's own verdict counts. See docs/decisions/0060-the-first-probes-are-ours.md.
"""

from __future__ import annotations

import asyncio
import time
from datetime import datetime
from typing import Any

from stackwright.engine.errors import ApiError, NotFound
from stackwright.plan.graph import Condition
from stackwright.run.absence import patiently
from stackwright.run.events import Note
from stackwright.run.probing import Check, Prober, beat, check_of
from stackwright.run.session import Session
from stackwright.run.watch import Watch

JSON = dict[str, Any]
GROWTH = 2.0
FIRST_LOOK = 0.1
LOOK_AGAIN = 1.0
"""Seconds between looks when no event comes; the events make us look at once."""
SETTLE = 0.2
"""Seconds that a service without a health check must have run to count as up."""
QUIET = 0.015
"""Seconds over which its processes must have slept to count as up before that."""
RESTARTS = 3
"""Ends that are not yet hopeless: a service may need a few starts until what it uses is there."""


class NotReady(Exception):  # noqa: N818 - an outcome, turned into ServiceFailed by who knows the service
    """The wait ended without success: why, the container's last inspection, and our own probes."""

    def __init__(self, why: str, container: JSON, probes: list[JSON] | None = None) -> None:
        super().__init__(why)
        self.why, self.container, self.probes = why, container, probes or []


async def await_condition(session: Session, watch: Watch, container: str, condition: Condition) -> str:
    """Wait until the container meets the condition; returns Started, Healthy, Exited or Running.

    Raises `NotReady`.
    """
    if session.dry:
        return {"service_healthy": "Healthy", "service_completed_successfully": "Exited"}.get(
            condition, "Started"
        )
    if condition == "service_started":
        return "Started"
    if condition == "service_completed_successfully":
        return await _completed(session, watch, container)
    state = await _look(session, container)
    check = check_of(state)
    if check is None:
        if condition == "service_healthy":
            raise NotReady("it has no health check, so it can never be healthy", state)
        return await _settled(session, watch, container, state)
    if session.engine.kind == "embedded" or session.engine_health or _status(state) == "healthy":
        return await _healthy(session, watch, container, check, state)
    prober = Prober(session.engine, container, check, lambda: watch.notify(container))
    tasks = {asyncio.create_task(prober.run(), name=f"probe {container[:12]}")}
    if session.engine.kind == "podman":
        tasks.add(
            asyncio.create_task(beat(session.engine, container, check, lambda: watch.notify(container)))
        )
    try:
        return await _healthy(session, watch, container, check, state, prober)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def _settled(session: Session, watch: Watch, container: str, state: JSON) -> str:
    """A service without a check is up when it runs and does not end right after its start.

    That is: when it has run for a moment, or when all that it runs sleeps and so waits for something to do.
    """
    deadline = time.monotonic() + SETTLE
    before: object = None
    while True:
        current = state["State"]
        if not current.get("Running") or current.get("Restarting"):
            if current.get("ExitCode"):
                raise NotReady("it ended", state)
            return "Exited"
        left = min(deadline - time.monotonic(), SETTLE - _age(session, current.get("StartedAt", "")))
        if left <= 0:
            return "Running"
        if session.engine.kind == "embedded":  # elsewhere the engine would run `ps`, which takes longer
            now = await _asleep(session, container)
            if now is not None and now == before:
                return "Running"
            before, left = now, min(left, QUIET)
        await watch.changed(container, left)
        state = await _look(session, container)


async def _asleep(session: Session, container: str) -> object:
    """The processes of a container and the time they used, or None while one of them has something to do."""
    try:
        table = await session.engine.top(container, "-o pid,stat,cputimes")
    except ApiError:  # it ended: the next look says so
        return None
    state = table["Titles"].index("STAT")
    rows = table["Processes"]
    return rows if rows and all(row[state].startswith(("S", "I")) for row in rows) else None


def _age(session: Session, started: str) -> float:
    """Seconds since the engine's start time; 0 when its clock may not be ours."""
    if session.engine.address.scheme != "unix":
        return 0.0
    try:
        return time.time() - datetime.fromisoformat(started[:26].rstrip("Z") + "+00:00").timestamp()
    except ValueError:
        return 0.0


async def _look(session: Session, container: str) -> JSON:
    try:
        return await patiently(
            session.engine,
            lambda text: session.emit(Note(text, warning=True)),
            lambda: session.engine.inspect_container(container),
        )
    except NotFound:
        raise NotReady("it was removed while we waited for it", {}) from None


async def _healthy(
    session: Session, watch: Watch, container: str, check: Check, state: JSON, prober: Prober | None = None
) -> str:
    pause = FIRST_LOOK
    begun = time.monotonic()
    known = int(state.get("RestartCount") or 0)
    while True:
        status = _status(state)
        if status == "healthy" or (prober is not None and prober.passed and status != "unhealthy"):
            return "Healthy"
        probes = prober.log if prober is not None else []
        current = state["State"]
        if current.get("Status") in ("exited", "dead", "created") and not current.get("Restarting"):
            raise NotReady("it ended", state, probes)  # before its health: Docker calls what ended unhealthy
        if status == "unhealthy" or (prober is not None and prober.overdue and not _log(state)):
            raise NotReady("its health check failed", state, probes)
        restarts = int(state.get("RestartCount") or 0) - known
        if restarts >= RESTARTS and time.monotonic() - begun > _patience(check):
            raise NotReady(f"it ended {restarts} times", state, probes)
        await watch.changed(container, pause)
        pause = min(pause * GROWTH, LOOK_AGAIN)
        if prober is not None and prober.passed and watch.verdict(container) != "unhealthy":
            return "Healthy"
        state = await _look(session, container)


def _patience(check: Check) -> float:
    """How long a container may end and be restarted before we give up on it, in seconds."""
    return min(max(30.0, check.start_period + check.interval * check.retries), 300.0)


async def _completed(session: Session, watch: Watch, container: str) -> str:
    pause = FIRST_LOOK
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


def _log(state: JSON) -> list[JSON]:
    return (state["State"].get("Health") or {}).get("Log") or []
