"""`down`, `stop` and `rm`: ends services, each after everything that depends on it."""

from __future__ import annotations

from functools import partial

from stackwright.engine.errors import Conflict, NotFound
from stackwright.model.project import Project
from stackwright.plan import graph as graphs
from stackwright.plan import labels
from stackwright.plan.graph import Step
from stackwright.plan.observed import Container
from stackwright.run import containers, resources
from stackwright.run.events import Note, Progress
from stackwright.run.executor import execute, together
from stackwright.run.session import Session
from stackwright.run.session import containers as list_containers

_RELEASES: dict[str, graphs.Release] = {"embedded": "halt", "docker": "mostly halt"}


async def end(
    session: Session,
    found: list[Container],
    *,
    discard: bool,
    timeout: int | None = None,
    volumes: bool = False,
    networks: tuple[str, ...] = (),
) -> None:
    """Stop containers, and remove them with `discard`, and `networks` then; `timeout` in seconds, None for their own."""

    async def halt(container: Container) -> None:
        await pre_stop(session, container)
        await containers.stop(session, container, timeout)

    async def discard_(container: Container) -> None:
        await containers.remove(session, container, volumes=volumes)

    tried: dict[str, bool] = {}
    """Whether a network was gone after the first try."""

    async def disconnect(network: str, *, last: bool) -> None:
        if not tried.get(network):
            first = network not in tried
            tried[network] = await resources.remove_network(session, network, first=first, last=last)

    async def perform(step: Step) -> None:
        if step.kind in ("try-disconnect", "disconnect"):
            await disconnect(step.subject, last=step.kind == "disconnect")
            return
        do = halt if step.kind == "halt" else discard_
        await together([partial(do, container) for container in step.containers])

    graph = graphs.halt(
        found, discard=discard, networks=networks, release=_RELEASES.get(session.engine.kind, "discard")
    )
    await execute(graph, perform, limit=session.parallel)


async def pre_stop(session: Session, container: Container) -> None:
    """Run `pre_stop` hooks; one that fails is a warning, the stop goes on."""
    service = session.project.services.get(container.service)
    if service is None or container.state != "running":
        return
    for hook in service.pre_stop:
        code, _ = await session.engine.run_exec(
            container.id,
            hook.command or [],
            User=hook.user,
            Privileged=hook.privileged,
            WorkingDir=hook.working_dir,
            Env=[f"{key}={value}" for key, value in hook.environment.items() if value is not None],
        )
        if code:
            session.emit(Note(f"{container.name}: pre_stop hook ended with exit code {code}", warning=True))


async def down(
    session: Session,
    services: tuple[str, ...] = (),
    *,
    remove_orphans: bool = False,
    volumes: bool = False,
    images: str = "",
    timeout: int | None = None,
    known: bool = True,
) -> bool:
    """Stop and remove containers and networks; volumes and images if asked for.

    `images` is `all`, `local` or empty. `known` False: there is no Compose file, everything that
    carries the project's name goes. Returns False when there was nothing to do.
    """
    project = session.project
    filters = labels.project_filter(project.name)
    everything = await list_containers(session.engine, project.name)
    found = [one for one in everything if _wanted(one, session, services, remove_orphans, known)]
    own = _own_networks(project) if known and not remove_orphans else None
    if services:
        networks: frozenset[str] = frozenset()
    elif own is not None and own <= _in_use(found):
        networks = own
    else:
        listed = await session.engine.list_networks(filters=filters)
        there = frozenset(one["Name"] for one in listed)
        networks = there if own is None else there & own
    await end(session, found, discard=True, timeout=timeout, volumes=True, networks=tuple(sorted(networks)))
    did = bool(found or networks)
    if services:
        return did
    if volumes:
        names = [one["Name"] for one in await session.engine.list_volumes(filters=filters)]
        await together([partial(resources.remove_volume, session, name) for name in sorted(names)])
        did = did or bool(names)
    if images:
        did = await _remove_images(session, images) or did
    return did


def _own_networks(project: Project) -> frozenset[str]:
    return frozenset(one.name for one in project.networks.values() if not one.external)


def _in_use(found: list[Container]) -> set[str]:
    """Networks that are there for certain: whoever runs in one keeps it."""
    return {name for one in found if one.state == "running" for name in one.networks}


def _wanted(
    one: Container, session: Session, services: tuple[str, ...], remove_orphans: bool, known: bool
) -> bool:
    if services:
        return one.service in services
    if not known or remove_orphans or one.oneoff:
        return True
    return one.service in session.project.services or one.service in session.project.disabled_services


async def _remove_images(session: Session, which: str) -> bool:
    project = session.project
    names = {
        labels.image_name(project.name, service)
        for service in project.services.values()
        if which == "all" or not service.image
    }

    async def one(name: str) -> None:
        session.emit(Progress(f"Image {name}", "Removing"))
        try:
            await session.engine.remove_image(name)
        except NotFound:
            session.emit(Progress(f"Image {name}", "No such image", "warning"))
            return
        except Conflict:
            session.emit(Progress(f"Image {name}", "Resource is still in use", "warning"))
            return
        session.emit(Progress(f"Image {name}", "Removed", "done"))

    await together([partial(one, name) for name in sorted(names)])
    return bool(names)
