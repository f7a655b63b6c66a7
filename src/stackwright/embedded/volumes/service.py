"""Volumes of the embedded engine: the `local` driver, as Docker has it."""

from __future__ import annotations

import asyncio
import logging
import shutil
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from stackwright.embedded.errors import Conflict, EngineError, NotFound
from stackwright.embedded.ids import new_id
from stackwright.embedded.images.view import LayerView
from stackwright.embedded.networks import filters as f
from stackwright.embedded.networks.definition import now
from stackwright.embedded.snapshots.frozen import MAX_DEPTH, FrozenStore, Owner
from stackwright.embedded.state import Database
from stackwright.embedded.volumes import layered
from stackwright.embedded.volumes import options as o
from stackwright.embedded.volumes.content import Contents
from stackwright.embedded.volumes.copy import is_empty, tree_size
from stackwright.embedded.volumes.store import VolumeStore, drop_empty
from stackwright.embedded.volumes.types import Volume, VolumeMount

_ANONYMOUS = "com.docker.volume.anonymous"
_LIST_FILTERS = ("name", "driver", "label", "dangling")
_PRUNE_FILTERS = ("label", "label!", "all")
log = logging.getLogger("stackwright.engine")


class VolumeService:
    """All volumes of one engine. Raises the errors of `embedded.errors`."""

    def __init__(
        self, database: Database, root: Path, users: Callable[[str], Sequence[str]], frozen: FrozenStore
    ) -> None:
        """`root`: `<state dir>/volumes`; `users(name)`: ids of the containers that mention the volume."""
        self._store = VolumeStore(database, root)
        self._contents = Contents(self._store, frozen)
        self._users = users
        self._frozen = frozen
        frozen.named_by(lambda: [one for volume in self._store for one in volume.frozen])
        self._locks: dict[str, asyncio.Lock] = {}

    def start(self) -> None:
        """Mount the volumes that lie over frozen folders, where an earlier engine's mounts are gone."""
        for volume in self._store:
            try:
                self._contents.mount_layers(volume)
            except (OSError, EngineError) as error:
                log.error("volume %s cannot be mounted: %s", volume.name, error)

    def close(self, *, keep_mounts: bool) -> None:
        """`keep_mounts`: containers that outlive the engine use them."""
        for volume in self._store:
            if volume.frozen and not keep_mounts:
                layered.unmount(self._store.folder(volume.name))

    async def create(
        self,
        name: str = "",
        *,
        driver: str = "local",
        driver_opts: Mapping[str, str] | None = None,
        labels: Mapping[str, str] | None = None,
        frozen: Sequence[str] = (),
        snapshot: str = "",
        pending: bool = False,
    ) -> Volume:
        """POST /volumes/create. An existing volume of that name is returned as it is; no name: an anonymous one.

        `frozen`: the frozen folders that a new one starts from, topmost first, which the caller holds. `pending`: an
        anonymous one is for a container that is being created; unless `settle` follows, the next engine drops it.
        """
        if there := self._store.find(name):
            return there
        anonymous = not name
        name = name or new_id()
        o.check_name(name)
        o.check_driver(name, driver)
        o.check_options(name, driver_opts or {})
        volume = Volume(
            name=name,
            created=now(),
            mountpoint=str(self._store.folder(name) / "_data"),
            options=dict(driver_opts or {}),
            labels={**(labels or {}), **({_ANONYMOUS: ""} if anonymous else {})},
            anonymous=anonymous,
            frozen=tuple(frozen),
            snapshot=snapshot,
            pending=pending and anonymous,
        )
        try:
            (self._store.folder(name) / "_data").mkdir(parents=True, exist_ok=True, mode=0o755)
            if frozen:
                layered.prepare(self._store.folder(name), self._frozen.folders(frozen))
        except OSError as error:
            drop_empty(self._store.folder(name))
            raise EngineError(f"create {name}: {error.strerror}: {error.filename}") from error
        try:
            self._store.add(volume)
        except BaseException:
            drop_empty(self._store.folder(name))
            raise
        try:
            self._contents.mount_layers(volume)
        except (OSError, EngineError):
            await self.remove(name, force=True)
            raise
        return volume

    def settle(self, names: Sequence[str], *, pending: bool = False) -> None:
        """Whether these are on their way with their container: it exists now, or it begins to go."""
        for name in names:
            if volume := self._store.find(name):
                self._store.save(msgspec.structs.replace(volume, pending=pending))

    def sweep(self) -> None:
        """Once the containers of an earlier engine are known: drop what came or went with one, cut off by a kill."""
        for volume in [one for one in self._store if one.pending]:
            if self._users(volume.name):
                self.settle([volume.name])
                continue
            trash = self._store.take_away(volume.name)
            shutil.rmtree(trash, ignore_errors=True)

    def exists(self, name: str) -> bool:
        """Whether there is one of that name."""
        return self._store.find(name) is not None

    def get(self, name: str) -> Volume:
        """NotFound "get x: no such volume"."""
        if (volume := self._store.find(name)) is None:
            raise NotFound(f"get {name}: no such volume")
        return volume

    def list(self, filters: Mapping[str, Sequence[str]] | None = None) -> tuple[Volume, ...]:
        """GET /volumes; filters: name, driver, label, dangling. By name."""
        wanted = filters or {}
        f.check_names(wanted, _LIST_FILTERS)
        dangling = f.is_true(wanted["dangling"]) if "dangling" in wanted else None
        return tuple(
            volume
            for volume in self._store
            if f.matches(volume.name, wanted.get("name", ()))
            and volume.driver in (wanted.get("driver") or (volume.driver,))
            and f.has_labels(volume.labels, wanted.get("label", ()))
            and (dangling is None or dangling == (not self._users(volume.name)))
        )

    async def remove(self, name: str, *, force: bool = False) -> None:
        """Conflict "remove x: volume is in use - [ids]"; `force` makes a missing one no error.

        A folder of the host (driver_opts o=bind) keeps its content.
        """
        if self._store.find(name) is None:
            if force:
                return
            raise NotFound(f"get {name}: no such volume")
        async with self._lock(name):
            self._refuse_in_use(name)
            if self._store.find(name) is None:
                return
            trash = self._store.take_away(name)
        self._locks.pop(name, None)
        await asyncio.to_thread(shutil.rmtree, trash, ignore_errors=True)
        await self._frozen.collect()

    async def prune(self, filters: Mapping[str, Sequence[str]] | None = None) -> tuple[Sequence[str], int]:
        """Unused anonymous volumes (all unused ones with filter all=true): their names, bytes reclaimed."""
        wanted = filters or {}
        f.check_names(wanted, _PRUNE_FILTERS)
        everything = f.is_true(wanted["all"]) if "all" in wanted else False
        names = []
        reclaimed = 0
        for volume in self._store:
            if (
                not (everything or volume.anonymous)
                or self._users(volume.name)
                or not f.has_labels(volume.labels, wanted.get("label", ()))
                or f.excluded_by_label(volume.labels, wanted.get("label!", ()))
            ):
                continue
            size = await asyncio.to_thread(tree_size, Path(volume.mountpoint))
            try:
                await self.remove(volume.name)
            except Conflict:  # taken in the meantime
                continue
            names.append(volume.name)
            reclaimed += size
        return names, reclaimed

    async def mount(self, volume: Volume) -> VolumeMount:
        """What the container has to mount. BadParameter when driver_opts name a folder that is not there."""
        if volume.options.get("type") == "tmpfs":
            return VolumeMount(kind="tmpfs", source="tmpfs", options=tuple(o.mount_options(volume.options)))
        async with self._lock(volume.name):  # a snapshot of it may be under way
            volume = self._store.find(volume.name) or volume
            self._contents.mount_layers(volume)
            folder = self._contents.folder(volume)
            await self._contents.settle(volume)
        extra = tuple(option for option in o.mount_options(volume.options) if option not in ("bind", "rbind"))
        return VolumeMount(kind="bind", source=str(folder), options=extra)

    async def populate(self, volume: Volume, layers: Sequence[Path], path: str) -> None:
        """First use: copy `path` of an image (its layers, topmost first) into an empty volume, as Docker does.

        Owner and mode of the directory are taken over too. A volume that has content stays as it is, and so does
        one on tmpfs; a folder of the host (o=bind) is filled like any other. An interrupted copy is begun again.
        The caller skips it for mounts with `nocopy` and for read-only mounts.
        """
        if volume.options.get("type") == "tmpfs" or not layers:
            return
        async with self._lock(volume.name):
            folder = self._contents.folder(volume)
            await self._contents.settle(volume)
            if not is_empty(folder):
                return
            view = LayerView(layers)
            try:
                source = view.lookup(path)
                if source and source.is_dir:
                    await asyncio.to_thread(self._contents.fill, volume, view, source, folder)
            except OSError as error:
                raise EngineError(
                    f"failed to copy {path} of the image into volume {volume.name}: {error.strerror}: {error.filename}"
                ) from error

    @asynccontextmanager
    async def freezing(self, names: Sequence[str]) -> AsyncIterator[None]:
        """While the content of these volumes is being frozen: nobody fills, mounts or removes them."""
        async with AsyncExitStack() as stack:
            for name in sorted(set(names)):
                await stack.enter_async_context(self._lock(name))
            yield

    async def freeze(self, name: str, *, in_use: bool) -> tuple[tuple[str, ...], bool]:
        """Freeze the content, inside `freezing`: its frozen folders (held for the caller), and whether it was copied.

        Not `in_use`: the content moves below, and the volume goes on over it; else it is copied as it stands.
        """
        volume = self.get(name)
        upper = self._store.folder(name) / ("upper" if volume.frozen else "_data")
        await self._contents.settle(volume)
        self._frozen.hold(volume.frozen)
        if volume.frozen and is_empty(upper):
            return volume.frozen, False
        if len(volume.frozen) >= MAX_DEPTH:
            raise Conflict(
                f"volume {name} lies over {MAX_DEPTH} snapshots already: copy it into a new volume"
            )
        if in_use:
            return (await self._frozen.copy(upper), *volume.frozen), True
        return self._stack(volume, upper), False

    def take_back(self, frozen_id: str, owner: Owner) -> bool:
        """A frozen folder was this volume's, and the row that said so is lost: it goes below again."""
        volume = self._store.find(owner.name)
        if volume is None or volume.created != owner.born:
            return False
        self._store.save(msgspec.structs.replace(volume, frozen=(frozen_id, *volume.frozen)))
        layered.prepare(self._store.folder(volume.name), [self._frozen.data(frozen_id)])
        return True

    def drop_missing(self, exists: Callable[[str], bool]) -> None:
        """Forget frozen folders that never came to be: the content is still where it was."""
        for volume in self._store:
            kept = tuple(one for one in volume.frozen if exists(one))
            if kept != volume.frozen:
                self._store.save(msgspec.structs.replace(volume, frozen=kept))

    def inspect(self, volume: Volume) -> dict[str, Any]:
        """Engine API `Volume`."""
        return {
            "CreatedAt": volume.created,
            "Driver": volume.driver,
            "Labels": dict(volume.labels) or None,
            "Mountpoint": volume.mountpoint,
            "Name": volume.name,
            "Options": dict(volume.options) or None,
            "Scope": "local",
        }

    # --- inside ------------------------------------------------------------------------------------------------

    def _stack(self, volume: Volume, upper: Path) -> tuple[str, ...]:
        """Move the content to the frozen folders and let the volume go on over it. Not interrupted by other tasks."""
        folder = self._store.folder(volume.name)
        layered.unmount(folder)
        owner = Owner(kind="volume", name=volume.name, born=volume.created, moved_ns=time.time_ns())
        frozen_id = self._frozen.move(upper, owner)
        try:
            # The first time, what is empty now is the mount point.
            layered.prepare(folder, [self._frozen.data(frozen_id)])
            grown = msgspec.structs.replace(volume, frozen=(frozen_id, *volume.frozen))
            self._store.save(grown)
        except BaseException:
            self._frozen.undo_move(frozen_id, upper)
            self._contents.mount_layers(volume)
            raise
        self._contents.mount_layers(grown)
        return grown.frozen

    def _refuse_in_use(self, name: str) -> None:
        users = self._users(name)
        if users:
            raise Conflict(f"remove {name}: volume is in use - [{', '.join(users)}]")

    def _lock(self, name: str) -> asyncio.Lock:
        return self._locks.setdefault(name, asyncio.Lock())
