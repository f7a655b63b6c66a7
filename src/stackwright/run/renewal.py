"""Networks and volumes whose definition changed: made anew, with the containers that use them set aside meanwhile."""

from __future__ import annotations

from contextlib import suppress
from functools import partial

from stackwright.engine.errors import Conflict, NotFound
from stackwright.plan import attach
from stackwright.plan.container import Request
from stackwright.plan.observed import Container
from stackwright.run import resources
from stackwright.run.containers import namespace_ids
from stackwright.run.down import end
from stackwright.run.errors import RunError
from stackwright.run.events import Progress
from stackwright.run.executor import together
from stackwright.run.session import Session, place


async def network(session: Session, key: str, users: tuple[Container, ...], timeout: int | None) -> None:
    """Make the network `key` anew. `users` are stopped, and connected to the new one; they are not started.

    Raises `RunError` before anything is touched where somebody else's container runs in it.
    """
    name = session.project.networks[key].name
    await _nobody_else(session, f"networks.{key}", "network", name, users, running=True)
    await end(session, list(users), discard=False, timeout=timeout)
    subject = f"Network {name}"
    session.emit(Progress(subject, "Removing"))

    async def leave(one: Container) -> None:
        with suppress(NotFound):
            await session.engine.disconnect_network(name, one.id, force=True)

    await together([partial(leave, one) for one in users if name in one.networks])
    with suppress(NotFound):
        await session.engine.remove_network(name)
    session.emit(Progress(subject, "Removed", "done"))
    await resources.create_network(session, key)
    await together([partial(_connect, session, key, one) for one in users])


async def _connect(session: Session, key: str, one: Container) -> None:
    service = session.project.services[one.service]
    request = Request(
        name=one.name,
        number=one.number,
        image="",
        labels={},
        namespaces=await namespace_ids(session, service),
        api_version=session.engine.api_version,
    )
    name = session.project.networks[key].name
    await session.engine.connect_network(name, one.id, attach.endpoint(service, key, request))


async def volume(session: Session, key: str, users: tuple[Container, ...], timeout: int | None) -> None:
    """Make the volume `key` anew, empty; `users` are removed. Raises `RunError` where somebody else has it."""
    name = session.project.volumes[key].name
    await _nobody_else(session, f"volumes.{key}", "volume", name, users, running=False)
    await end(session, list(users), discard=True, timeout=timeout)
    subject = f"Volume {name}"
    session.emit(Progress(subject, "Removing"))
    try:
        await session.engine.remove_volume(name, force=True)
    except NotFound:
        pass
    except Conflict as error:
        raise RunError(
            f"volume {name} cannot be made anew: {error.message}",
            place=place(session.project, f"volumes.{key}"),
        ) from error
    session.emit(Progress(subject, "Removed", "done"))
    await resources.create_volume(session, key)


async def _nobody_else(
    session: Session, path: str, kind: str, name: str, users: tuple[Container, ...], *, running: bool
) -> None:
    known = {one.id for one in users}
    found = await session.engine.list_containers(all=not running, filters={kind: [name]})
    others = sorted(one.name for one in map(Container.from_api, found) if one.id not in known)
    if others:
        raise RunError(
            f"{kind} {name} changed and has to be made anew, but {', '.join(others)} "
            f"{'use' if len(others) > 1 else 'uses'} it too",
            hint="remove what else uses it first, or bring up all services of the project together",
            place=place(session.project, path),
        )
