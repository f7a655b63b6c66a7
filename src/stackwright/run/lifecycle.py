"""Existing containers of services: stop, start, restart, kill, pause."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import partial

from stackwright.engine.errors import Conflict
from stackwright.model.types import Service
from stackwright.plan import graph as graphs
from stackwright.plan.graph import Step
from stackwright.plan.observed import Container
from stackwright.run import containers, prestart, readiness, stopping
from stackwright.run.containers import subject
from stackwright.run.down import end, pre_stop
from stackwright.run.errors import RunError
from stackwright.run.events import Progress
from stackwright.run.executor import execute, together
from stackwright.run.explain import explain
from stackwright.run.session import Session, check_services
from stackwright.run.session import containers as list_containers
from stackwright.run.up import hooks
from stackwright.run.watch import watching


async def members(
    session: Session, services: tuple[str, ...], *, known: bool = True, orphans: bool = False
) -> list[Container]:
    """Containers of the named services, or of all; one-off ones are not meant."""
    if known:
        check_services(session, services)
    mine = {*session.project.services, *session.project.disabled_services}
    return [
        one
        for one in await list_containers(session.engine, session.project.name)
        if not one.oneoff
        and (one.service in services if services else not known or orphans or one.service in mine)
    ]


async def stop(
    session: Session, services: tuple[str, ...], *, timeout: int | None, known: bool = True
) -> None:
    """Stop running containers, each after what depends on it."""
    found = await members(session, services, known=known)
    await end(session, [one for one in found if one.running], discard=False, timeout=timeout)


async def start(
    session: Session,
    services: tuple[str, ...],
    *,
    wait: bool = False,
    wait_timeout: int | None = None,
    known: bool = True,
) -> None:
    """Start existing containers in the order of their dependencies, waiting for their conditions."""
    found = containers.by_service(await members(session, services, known=known))
    missing = [name for name in services if name not in found]
    if missing or not found:
        name = (missing or ["?"])[0]
        raise RunError(f'service "{name}" has no container to start', hint="create it with up or create")
    graph = start_graph(session, found, wait=wait)
    async with watching(session.engine, session.project.name) as watch:

        async def perform(step: Step) -> None:
            if step.kind == "start":
                await _before(session, step)
                await together([partial(_start, session, one) for one in step.containers if not one.running])
                return
            for one in step.containers:
                session.emit(Progress(subject(one.name), "Waiting"))
                try:
                    text = await readiness.await_condition(session, watch, one.id, step.condition)
                except readiness.NotReady as outcome:
                    session.emit(Progress(subject(one.name), "Error", "error", outcome.why))
                    raise await explain(session, step.subject, one.id, outcome) from None
                session.emit(Progress(subject(one.name), text, "done"))

        try:
            async with asyncio.timeout(wait_timeout):
                await execute(graph, perform, limit=session.parallel)
        except TimeoutError:
            raise RunError(f"the services are not ready after {wait_timeout} s (--wait-timeout)") from None


def start_graph(session: Session, found: dict[str, list[Container]], *, wait: bool) -> graphs.Graph:
    """Starts and the gates between them, among the containers that exist."""
    steps: list[Step] = []
    for name, group in found.items():
        service = session.project.services.get(name, Service(name=name))
        gates = {
            other: dependency.condition for other, dependency in service.depends_on.items() if other in found
        }
        steps += [
            Step(
                f"ready:{other}:{condition}",
                "ready",
                other,
                (f"start:{other}",),
                condition=condition,
                containers=tuple(found[other]),
            )
            for other, condition in gates.items()
        ]
        needs = tuple(f"ready:{other}:{condition}" for other, condition in gates.items())
        steps.append(Step(f"start:{name}", "start", name, needs, containers=tuple(group)))
        if wait:
            steps.append(
                Step(
                    f"ready:{name}",
                    "ready",
                    name,
                    (f"start:{name}",),
                    condition="running_or_healthy",
                    containers=tuple(group),
                )
            )
    return {step.id: step for step in steps}


async def _before(session: Session, step: Step) -> None:
    service = session.project.services.get(step.subject)
    if service is not None and service.pre_start:
        idle = [one.id for one in step.containers if not one.running]
        await prestart.run(session, service, idle, scaling=len(idle) < len(step.containers))


async def _start(session: Session, one: Container) -> None:
    service = session.project.services.get(one.service, Service(name=one.service))
    await containers.start(session, service, one.id, one.name)
    if service.post_start:
        await hooks(session, service.name, one.id)


async def restart(
    session: Session,
    services: tuple[str, ...],
    *,
    timeout: int | None,
    no_deps: bool = False,
    known: bool = True,
) -> None:
    """Restart containers in dependency order; who asked for it with `depends_on.restart` follows."""
    every = await members(session, (), known=known)
    if known:
        check_services(session, services)
    chosen = set(services) or {one.service for one in every}
    if not no_deps:
        chosen |= {
            name
            for name, service in session.project.services.items()
            if any(entry.restart and other in chosen for other, entry in service.depends_on.items())
        }
    found = containers.by_service(one for one in every if one.service in chosen)

    async def one(container: Container) -> None:
        session.emit(Progress(subject(container.name), "Restarting"))
        await pre_stop(session, container)
        await stopping.restart(session, container.id, container.name, timeout)
        session.emit(Progress(subject(container.name), "Started", "done"))

    async def perform(step: Step) -> None:
        await together([partial(one, container) for container in step.containers])

    steps = {}
    for name, group in found.items():
        service = session.project.services.get(name, Service(name=name))
        needs = tuple(f"start:{other}" for other in service.depends_on if other in found)
        steps[f"start:{name}"] = Step(f"start:{name}", "start", name, needs, containers=tuple(group))
    await execute(steps, perform, limit=session.parallel)


async def kill(
    session: Session,
    services: tuple[str, ...],
    signal: str,
    *,
    known: bool = True,
    remove_orphans: bool = False,
) -> None:
    """Send a signal to running containers, all at once."""
    found = await members(session, services, known=known, orphans=remove_orphans)

    async def one(container: Container) -> None:
        session.emit(Progress(subject(container.name), "Killing"))
        with suppress(Conflict):  # it ended in between
            await session.engine.kill_container(container.id, signal)
        session.emit(Progress(subject(container.name), "Killed", "done"))

    await together([partial(one, container) for container in found if container.running])


async def freeze(session: Session, services: tuple[str, ...], *, frozen: bool, known: bool = True) -> None:
    """Pause or unpause containers. Raises the engine's error when there are some, and all of them are so already."""
    engine = session.engine
    state = "running" if frozen else "paused"

    async def one(container: Container) -> None:
        await (engine.pause_container if frozen else engine.unpause_container)(container.id)
        session.emit(Progress(subject(container.name), "Paused" if frozen else "Unpaused", "done"))

    found = [one for one in await members(session, services, known=known) if one.running]
    fitting = [one for one in found if one.state == state]
    await together([partial(one, container) for container in fitting or found])
