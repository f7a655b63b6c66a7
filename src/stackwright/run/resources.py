"""Networks and volumes: made where they are ours, looked for where they are external."""

from __future__ import annotations

from contextlib import suppress

from stackwright.engine.errors import Conflict, NotFound
from stackwright.plan.resources import network_body, volume_body
from stackwright.run.errors import ResourceMissing
from stackwright.run.events import Progress
from stackwright.run.session import Session, place


async def create_network(session: Session, key: str) -> None:
    """Create the network `key` of the model; an external one must exist."""
    network = session.project.networks[key]
    if network.external:
        try:
            await session.engine.inspect_network(network.name)
        except NotFound:
            raise ResourceMissing(
                f"network {network.name} is declared as external, but could not be found",
                hint=f"create it with: docker network create {network.name}",
                place=place(session.project, f"networks.{key}"),
            ) from None
        return
    subject = f"Network {network.name}"
    session.emit(Progress(subject, "Creating"))
    with suppress(Conflict):  # another command of the same project was quicker
        await session.engine.create_network(network_body(session.project, key))
    session.emit(Progress(subject, "Created", "done"))


async def create_volume(session: Session, key: str) -> None:
    """Create the volume `key` of the model; an external one must exist."""
    volume = session.project.volumes[key]
    if volume.external:
        try:
            await session.engine.inspect_volume(volume.name)
        except NotFound:
            raise ResourceMissing(
                f'external volume "{volume.name}" not found',
                hint=f"create it with: docker volume create {volume.name}",
                place=place(session.project, f"volumes.{key}"),
            ) from None
        return
    subject = f'Volume "{volume.name}"'
    session.emit(Progress(subject, "Creating"))
    await session.engine.create_volume(volume_body(session.project, key))
    session.emit(Progress(subject, "Created", "done"))


async def remove_network(session: Session, name: str, *, first: bool = True, last: bool = True) -> bool:
    """Remove a network, and return whether it is gone; one that others still use stays, with a warning.

    Where it is tried twice, only the `first` try says that it begins, and only the `last` what is in the way.
    """
    from stackwright.engine.errors import ApiError

    subject = f"Network {name}"
    if first:
        session.emit(Progress(subject, "Removing"))
    try:
        await session.engine.remove_network(name)
    except NotFound:
        pass
    except ApiError as error:
        if not last:
            return False
        if "active endpoints" not in error.message and error.status not in (403, 409):
            raise
        session.emit(Progress(subject, "Resource is still in use", "warning"))
        return False
    session.emit(Progress(subject, "Removed", "done"))
    return True


async def remove_volume(session: Session, name: str) -> None:
    """Remove a volume; one that others still use stays, with a warning."""
    subject = f"Volume {name}"
    session.emit(Progress(subject, "Removing"))
    try:
        await session.engine.remove_volume(name, force=True)
    except NotFound:
        pass
    except Conflict:
        session.emit(Progress(subject, "Resource is still in use", "warning"))
        return
    session.emit(Progress(subject, "Removed", "done"))
