"""Makes, replaces, starts, stops and removes the containers of services."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from contextlib import suppress

from stackwright.engine.errors import ApiError, Conflict, NotFound
from stackwright.model.types import Service
from stackwright.plan import container as bodies
from stackwright.plan import labels, mounts
from stackwright.plan.decide import Decision, lasting, shares
from stackwright.plan.observed import Container
from stackwright.run import inject, stopping
from stackwright.run.errors import PortTaken, RunError
from stackwright.run.events import Progress
from stackwright.run.session import Session, containers, place

ANONYMOUS = re.compile(r"[0-9a-f]{64}")
"""The name that engines give to a volume without one."""
_PORT = re.compile(r"(?:\d{1,3}(?:\.\d{1,3}){3}|\[?::\]?):(\d{1,5})|port (\d{1,5})")


def subject(name: str) -> str:
    """How progress names a container."""
    return f"Container {name}"


async def namespace_ids(session: Session, service: Service) -> dict[str, str]:
    """Container ids of the services whose namespaces, volumes or names `service` uses."""
    wanted = {*shares(service), *(link.partition(":")[0] for link in service.links)}
    if not wanted:
        return {}
    found = await containers(session.engine, session.project.name)
    return {name: id for name, id in lasting(found).items() if name in wanted}


async def create(
    session: Session,
    service: Service,
    *,
    name: str,
    number: int,
    image_id: str,
    inherited: tuple[mounts.Inherited, ...] = (),
    extra_labels: dict[str, str] | None = None,
    display: str | None = None,
    volumes_from: str = "",
    **request: bool,
) -> str:
    """Create one container (not started) and return its id."""
    project = session.project
    oneoff = request.get("oneoff", False)
    tags = labels.container_labels(
        project,
        service,
        number=number,
        image_id=image_id,
        oneoff=oneoff,
        environment_files=session.environment_files,
    )
    wanted = bodies.Request(
        name=display or name,
        number=number,
        image=labels.image_name(project.name, service),
        labels={**tags, **(extra_labels or {})},
        namespaces=await namespace_ids(session, service),
        inherited=inherited,
        api_version=session.engine.api_version,
        volumes_from=volumes_from,
        **request,
    )
    made = bodies.body(project, service, wanted)
    try:
        container = await session.engine.create_container(name, made.config, platform=service.platform)
    except Conflict as error:
        if "name" in error.message and "already in use" in error.message:
            raise RunError(
                f'the name "{name}" is taken by a container that is not of project {project.name}',
                hint=f"remove it (docker rm {name}) or choose another container_name",
                place=place(project, f"services.{service.name}"),
            ) from None
        raise
    except ApiError as error:
        raise _refused(session, service, error) from error
    for network, endpoint in made.later:
        await session.engine.connect_network(network, container, endpoint)
    await inject.files(session, service, container)
    return container


def _refused(session: Session, service: Service, error: ApiError) -> RunError:
    where = place(session.project, f"services.{service.name}")
    return RunError(f"service {service.name} cannot be created: {error.message}", place=where)


async def carry_out(
    session: Session, service: Service, decision: Decision, image_id: str, *, renew_volumes: bool = False
) -> str | None:
    """Make what a decision says, up to but not including the start; returns the container's id.

    A replacement is made under a temporary name beside the old container and takes its place in
    `swap`, just before it is started: the old one serves until then.
    """
    name, old = decision.name, decision.container
    if decision.action == "create":
        session.emit(Progress(subject(name), "Creating"))
        made = await create(session, service, name=name, number=decision.number, image_id=image_id)
        session.emit(Progress(subject(name), "Created", "done"))
        return made
    assert old is not None
    if decision.action == "recreate":
        session.emit(Progress(subject(old.name), "Recreate", detail=decision.reason))
        temporary = f"{old.id[:12]}_{name}"
        await _discard_leftover(session, temporary)
        return await create(
            session,
            service,
            name=temporary,
            number=decision.number,
            image_id=image_id,
            inherited=() if renew_volumes else await anonymous_volumes(session, old),
            extra_labels={labels.REPLACE: old.name.removeprefix(f"{session.project.name}-")},
            display=name,
        )
    if decision.action == "remove":
        await stop(session, old, None)
        await remove(session, old)
        return None
    if decision.action == "keep":
        session.emit(Progress(subject(old.name), "Running", "done"))
    elif decision.action == "start":
        session.emit(Progress(subject(old.name), "Created", "done"))
    return old.id


async def restore_name(session: Session, decision: Decision, container: str) -> None:
    """Give a replacement its proper name, where a command was killed before it could."""
    old = decision.container
    if old is None or decision.action not in ("keep", "start") or labels.REPLACE not in old.labels:
        return
    proper = labels.replaces(session.project.name, old.labels[labels.REPLACE])
    if old.name not in proper:
        service = session.project.services[old.service]
        name = labels.container_name(session.project.name, service, old.number)
        await session.engine.rename_container(container, name)


async def _discard_leftover(session: Session, name: str) -> None:
    """A command killed in the middle of a replacement may have left its temporary container."""
    await remove_quietly(session, name, force=True)


async def set_aside(session: Session, old: Container, timeout: int | None) -> None:
    """Stop and remove a container whose replacement is there; one that is gone already is no error."""
    with suppress(NotFound):
        await stopping.stop(session, old.id, old.name, timeout)
        await session.engine.remove_container(old.id, force=True)


async def swap(session: Session, decision: Decision, made: str, timeout: int | None) -> None:
    """Put a replacement into the place of the old container: stop and remove that, take its name."""
    old = decision.container
    assert old is not None
    await set_aside(session, old, timeout)
    await session.engine.rename_container(made, decision.name)
    session.emit(Progress(subject(decision.name), "Recreated", "done"))


async def anonymous_volumes(session: Session, old: Container) -> tuple[mounts.Inherited, ...]:
    """The unnamed volumes of a container that is replaced: their data goes on living in the new one."""
    state = await session.engine.inspect_container(old.id)
    return tuple(
        mounts.Inherited(mount["Name"], mount["Destination"], bool(mount.get("RW", True)))
        for mount in state.get("Mounts") or ()
        if mount.get("Type") == "volume" and ANONYMOUS.fullmatch(mount.get("Name", ""))
    )


async def start(session: Session, service: Service, container: str, name: str) -> None:
    """Start a container. Raises `PortTaken`, or `RunError` with the engine's reason."""
    session.emit(Progress(subject(name), "Starting"))
    try:
        await session.engine.start_container(container)
    except ApiError as error:
        low = error.message.lower()
        where = place(session.project, f"services.{service.name}")
        if (
            "already allocated" in low
            or "address already in use" in low
            or ("already in use" in low and "port" in low)
        ):
            where = place(session.project, f"services.{service.name}.ports") or where
            raise PortTaken(
                f"service {service.name} cannot start: {_port(error.message, service)} is already taken by something else",
                hint="stop what listens there, or publish another port",
                place=where,
            ) from error
        # Docker Engine, killed between beginning a container and writing that down, never starts it again.
        forgotten = (
            low.startswith("task ") and low.endswith(": already exists")
        ) or low == "id already in use"
        raise RunError(
            f"service {service.name} cannot start: {error.message}",
            hint=f"the engine was killed while it started {name}; make it anew: up --force-recreate {service.name}"
            if forgotten
            else "",
            place=where,
        ) from error
    session.emit(Progress(subject(name), "Started", "done"))


def _port(message: str, service: Service) -> str:
    found = _PORT.search(message)
    if found:
        return f"port {found[1] or found[2]}"
    published = [port.published for port in service.ports if port.published]
    return f"port {published[0]}" if len(published) == 1 else f"one of the ports {', '.join(published)}"


async def stop(session: Session, one: Container, timeout: int | None) -> None:
    """Stop a container: its signal, its grace period (or `timeout` seconds), then SIGKILL."""
    if not one.running:
        return
    session.emit(Progress(subject(one.name), "Stopping"))
    with suppress(NotFound):
        await stopping.stop(session, one.id, one.name, timeout)
    session.emit(Progress(subject(one.name), "Stopped", "done"))


async def remove(session: Session, one: Container, *, volumes: bool = False, force: bool = True) -> None:
    """Remove a container; `volumes` removes its anonymous volumes too. One that is gone is no error."""
    session.emit(Progress(subject(one.name), "Removing"))
    await remove_quietly(session, one.id, force=force, volumes=volumes)
    session.emit(Progress(subject(one.name), "Removed", "done"))


async def remove_quietly(session: Session, container: str, *, force: bool, volumes: bool = False) -> None:
    """Remove, or wait for who is removing it already."""
    try:
        await session.engine.remove_container(container, force=force, volumes=volumes)
    except NotFound:
        return
    except Conflict as error:
        if "already in progress" not in error.message:
            raise
        await _gone(session, container)


async def _gone(session: Session, container: str) -> None:
    pause = 0.01
    while True:
        try:
            await session.engine.inspect_container(container)
        except NotFound:
            return
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, 0.5)


def by_service(found: Iterable[Container]) -> dict[str, list[Container]]:
    """Containers grouped by service."""
    groups: dict[str, list[Container]] = {}
    for one in found:
        groups.setdefault(one.service, []).append(one)
    return groups
