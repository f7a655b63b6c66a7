"""Freezing containers and volumes, and what starts from them (our own part of the API; docs/engine.md, "Snapshots").

A container that does not run, or stands still, is frozen with all its volumes. What nobody uses moves: its folder
becomes a frozen one, and the container or volume goes on above it, as overlayfs stacks it; that takes no longer for a
gigabyte than for a byte. What is in use (a paused container) is copied.

Order, so that a kill loses nothing: folders move, each saying whose it was; then everything is written down at once.
`recover` puts together what lies between.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec

from stackwright.embedded.errors import BadParameter, Conflict
from stackwright.embedded.ids import new_id
from stackwright.embedded.images.removal import SNAPSHOT
from stackwright.embedded.lifecycle.files import ContainerFiles
from stackwright.embedded.lifecycle.machine import DOWN, Status
from stackwright.embedded.lifecycle.record import Container, now_ns
from stackwright.embedded.lifecycle.services import Services
from stackwright.embedded.lifecycle.supervisor import Supervisor
from stackwright.embedded.snapshots.cloning import Clone, clone
from stackwright.embedded.snapshots.frozen import MAX_DEPTH, Owner, successor
from stackwright.embedded.snapshots.record import FrozenVolume, Snapshot, Snapshots
from stackwright.embedded.volumes.copy import is_empty, tree_size
from stackwright.embedded.volumes.types import Volume

log = logging.getLogger("stackwright.engine")


@dataclass(slots=True)
class _Work:
    """Of a snapshot under way: the folders it holds, the bytes it had to copy."""

    held: list[str] = field(default_factory=list)
    copied: int = 0


class SnapshotService:
    """All snapshots of one engine. Raises NotFound, BadParameter, Conflict."""

    def __init__(self, services: Services, files: ContainerFiles, supervisor: Supervisor) -> None:
        self._services = services
        self._files = files
        self._supervisor = supervisor
        self._frozen = services.frozen
        self.all = Snapshots(services.database)
        self._frozen.named_by(self.all.frozen)
        self._frozen.named_by(lambda: [one for c in services.containers for one in c.frozen])

    def recover(self) -> None:
        """Before anything else of an engine: make whole what an earlier one was doing when it was killed."""
        services = self._services
        self._frozen.open()

        def exists(frozen_id: str) -> bool:
            return self._frozen.data(frozen_id).is_dir()

        self.all.remove([one.id for one in self.all if not all(map(exists, one.frozen()))])
        services.volumes.drop_missing(exists)
        for container in services.containers:
            kept = [one for one in container.frozen if exists(one)]
            if kept != container.frozen:  # they were not moved after all: the folder is where it was
                container.frozen = kept
                services.containers.save(container)
        for frozen_id, owner in list(self._frozen.lost()):
            if self._take_back(frozen_id, owner):
                log.info("%s %s goes on above what an interrupted snapshot froze", owner.kind, owner.name)
        services.volumes.start()

    async def of_container(self, container: Container, name: str = "") -> Snapshot:
        """POST /containers/{id}/snapshot?name=."""
        service = self._services.volumes
        async with self._supervisor.live(container).lock:
            self._check_still(container)
            mounted = {m.destination: service.get(m.name) for m in container.mounts if m.kind == "volume"}
            kept = {place: volume for place, volume in mounted.items() if not volume.options}
            async with self._freezing(kept.values(), container, name) as work:
                layers = await self._freeze_root(container, work)
                contents = {
                    one: await self._freeze_volume(one, work)
                    for one in {volume.name for volume in kept.values()}
                }
                volumes = tuple(
                    FrozenVolume(name=volume.name, destination=place, layers=contents[volume.name])
                    for place, volume in kept.items()
                )
                return self._add(
                    msgspec.structs.replace(
                        _taken("container", container.id, container.name, name, work, volumes),
                        image_id=container.image_id,
                        image=container.image,
                        layers=layers,
                        config=container.config,
                        host_config=container.host_config,
                        endpoints=container.endpoints,
                        mounts=tuple(container.mounts),
                    )
                )

    async def of_volume(self, volume: Volume, name: str = "") -> Snapshot:
        """POST /volumes/{name}/snapshot?name=."""
        if volume.options:
            raise BadParameter(
                f"volume {volume.name} is a folder of the host or a tmpfs (driver options: "
                f"{', '.join(sorted(volume.options))}): nothing of it is kept here that could be frozen"
            )
        async with self._freezing([volume], None, name) as work:
            layers = await self._freeze_volume(volume.name, work)
            frozen = FrozenVolume(name=volume.name, layers=layers)
            return self._add(_taken("volume", volume.name, volume.name, name, work, (frozen,)))

    def clone(self, reference: str, body: Mapping[str, Any]) -> tuple[Snapshot, Clone]:
        """What POST /containers/create?snapshot= is to create. Its folders are to be held until that is written."""
        snapshot = self.all.get(reference)
        if snapshot.kind != "container":
            raise BadParameter(f"snapshot {reference} is of a volume: create a volume from it")
        wanted = body.get("Image")
        if wanted and self._services.images.get(str(wanted)).id != snapshot.image_id:
            raise BadParameter(
                f"snapshot {reference} was made over image {snapshot.image}, not {wanted}: leave Image out"
            )
        return snapshot, clone(snapshot, body)

    async def create_volume(self, reference: str, name: str, labels: Mapping[str, str]) -> Volume:
        """POST /volumes/create?snapshot=: a volume that starts from a frozen one. Conflict when the name is taken."""
        volumes, snapshot = self._services.volumes, self.all.get(reference)
        if snapshot.kind != "volume":
            raise BadParameter(f"snapshot {reference} is of a container: create a container from it")
        if any(volume.name == name for volume in volumes.list()):
            raise Conflict(f"volume {name} exists already: it cannot start from a snapshot")
        with self._frozen.holding(snapshot.frozen()):
            return await volumes.create(
                name, labels=labels, frozen=snapshot.volumes[0].layers, snapshot=snapshot.id
            )

    async def remove(self, reference: str) -> Snapshot:
        """DELETE /snapshots/{id}. What was created from it keeps what it needs."""
        snapshot = self.all.get(reference)
        self.all.remove([snapshot.id])
        await self._frozen.collect()
        return snapshot

    async def prune(self) -> list[str]:
        """POST /snapshots/prune: remove those that no container and no volume was created from."""
        services = self._services
        used = {c.snapshot for c in services.containers} | {v.snapshot for v in services.volumes.list()}
        unused = [one.id for one in self.all if one.id not in used]
        self.all.remove(unused)
        await self._frozen.collect()
        return unused

    def images_in_use(self) -> Iterator[tuple[str, str]]:
        """Image id and what a refusal to remove it says."""
        for one in self.all:
            if one.image_id:
                yield one.image_id, SNAPSHOT + one.id

    # --- inside ------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def _freezing(
        self, volumes: Iterable[Volume], container: Container | None, name: str
    ) -> AsyncIterator[_Work]:
        """Nobody touches these volumes meanwhile, and what was frozen stays until it is written down."""
        self.all.check_name(name)
        wanted = list(volumes)
        work = _Work()
        async with self._services.volumes.freezing([one.name for one in wanted]):
            for volume in wanted:
                self._check_users(volume, container)
            try:
                yield work
            finally:
                self._frozen.release(work.held)
        await self._frozen.collect()

    def _add(self, snapshot: Snapshot) -> Snapshot:
        self.all.check_name(snapshot.name)  # another request may have taken it meanwhile
        self.all.add(snapshot)
        return snapshot

    async def _freeze_root(self, container: Container, work: _Work) -> tuple[str, ...]:
        upper, below = self._files.upper(container.id), tuple(container.frozen)
        self._frozen.hold(below)
        work.held += below
        if below and is_empty(upper):
            return below
        if len(below) >= MAX_DEPTH:
            raise Conflict(
                f"container {container.name} lies over {MAX_DEPTH} snapshots already: commit it to an image"
            )
        if container.up:
            frozen_id = await self._frozen.copy(upper)
            work.copied += tree_size(self._frozen.data(frozen_id))
            work.held.append(frozen_id)
        else:
            owner = Owner(kind="container", name=container.id, born="", moved_ns=now_ns())
            frozen_id = self._frozen.move(upper, owner)
            work.held.append(frozen_id)
            container.frozen = [frozen_id, *below]
            self._services.containers.save(container)
        return (frozen_id, *below)

    async def _freeze_volume(self, name: str, work: _Work) -> tuple[str, ...]:
        volumes = self._services.volumes
        in_use = any(c.up for c in self._users(name))
        layers, copied = await volumes.freeze(name, in_use=in_use)
        work.held += layers
        if copied:
            work.copied += tree_size(self._frozen.data(layers[0]))
        return layers

    def _users(self, volume: str) -> list[Container]:
        return [c for c in self._services.containers if any(m.name == volume for m in c.mounts)]

    def _check_still(self, container: Container) -> None:
        if container.status not in DOWN and container.status != Status.PAUSED:
            raise Conflict(f"container {container.name} is {container.status}: stop or pause it first")
        if self._files.written_to(container.id):
            raise Conflict(
                f"files are being copied into container {container.name}: try again when they are there"
            )

    def _check_users(self, volume: Volume, container: Container | None) -> None:
        for user in self._users(volume.name):
            if user is container:
                continue
            busy = self._supervisor.live(user).lock.locked() or self._files.written_to(user.id)
            if busy or (user.status not in DOWN and user.status != Status.PAUSED):
                raise Conflict(
                    f"volume {volume.name} is in use by container {user.name}: stop or pause that one too"
                )

    def _take_back(self, frozen_id: str, owner: Owner) -> bool:
        if owner.kind == "volume":
            return self._services.volumes.take_back(frozen_id, owner)
        container = self._services.containers.find(owner.name)
        if container is None or container.id != owner.name:
            return False
        container.frozen = [frozen_id, *container.frozen]
        self._services.containers.save(container)
        upper = self._files.upper(container.id)
        if not upper.is_dir():
            successor(self._frozen.data(frozen_id), upper)
        return True


def _taken(
    kind: str, source_id: str, source_name: str, name: str, work: _Work, volumes: tuple[FrozenVolume, ...]
) -> Snapshot:
    """What every snapshot says of itself."""
    return Snapshot(
        id=new_id(),
        name=name,
        created_ns=now_ns(),
        kind=kind,
        source_id=source_id,
        source_name=source_name,
        copied=work.copied,
        volumes=volumes,
    )
