"""Volumes of the embedded engine: the `local` driver, as Docker has it.

    <root>/<name>/_data      content
    <root>/<name>/filling    there while the content is being copied from an image: what is in _data is half of it
    <root>/<name>/upper      of a volume over frozen folders (layered.py); _data is a mount point then
    <root>/.removing-<name>  on its way out

A folder without a row in the database is nothing; a row without a folder is a removal that was interrupted.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec

from stackwright.embedded.errors import BadParameter, Conflict, EngineError, NotFound
from stackwright.embedded.ids import new_id
from stackwright.embedded.images.view import LayerView, Node
from stackwright.embedded.networks import filters as f
from stackwright.embedded.networks.definition import now
from stackwright.embedded.snapshots.frozen import MAX_DEPTH, FrozenStore, Owner
from stackwright.embedded.state import Database, decode, encode
from stackwright.embedded.volumes import layered
from stackwright.embedded.volumes import options as o
from stackwright.embedded.volumes.copy import TreeCopy, clear, is_empty, tree_size

_TABLES = ["CREATE TABLE volumes (name TEXT PRIMARY KEY, data TEXT NOT NULL)"]
_ANONYMOUS = "com.docker.volume.anonymous"
_LIST_FILTERS = ("name", "driver", "label", "dangling")
_PRUNE_FILTERS = ("label", "label!", "all")
_REMOVING = ".removing-"
log = logging.getLogger("stackwright.engine")


class Volume(msgspec.Struct, frozen=True, kw_only=True):
    """A volume; `created` is RFC 3339. `anonymous`: made without a name (label com.docker.volume.anonymous)."""

    name: str
    created: str
    mountpoint: str
    driver: str = "local"
    options: dict[str, str] = {}
    labels: dict[str, str] = {}
    anonymous: bool = False
    frozen: tuple[str, ...] = ()
    """Frozen folders below its own content, topmost first."""
    snapshot: str = ""
    """What it was created from."""
    pending: bool = False
    """Made without a name for a container that is just being created, or removed with it: a kill takes it along."""


class VolumeMount(msgspec.Struct, frozen=True, kw_only=True):
    """How a container's init mounts the volume: bind `source`, or a fresh filesystem for driver_opts type=tmpfs."""

    kind: str
    """"bind" or "tmpfs"."""
    source: str
    options: tuple[str, ...] = ()


class VolumeService:
    """All volumes of one engine. Raises the errors of `embedded.errors`."""

    def __init__(
        self, database: Database, root: Path, users: Callable[[str], Sequence[str]], frozen: FrozenStore
    ) -> None:
        """`root`: `<state dir>/volumes`; `users(name)`: ids of the containers that mention the volume."""
        self._database = database
        self._root = root
        self._users = users
        self._frozen = frozen
        frozen.named_by(lambda: [one for volume in self._volumes.values() for one in volume.frozen])
        self._locks: dict[str, asyncio.Lock] = {}
        root.mkdir(mode=0o711, parents=True, exist_ok=True)
        database.migrate("volumes", _TABLES)
        rows = database.execute("SELECT data FROM volumes ORDER BY name")
        self._volumes = {v.name: v for v in (decode(row["data"], Volume) for row in rows)}
        self._finish_removals()

    def _finish_removals(self) -> None:
        """End what an engine before was cut off in."""
        for leftover in self._root.glob(f"{_REMOVING}*"):
            shutil.rmtree(leftover, ignore_errors=True)
        for volume in list(self._volumes.values()):
            if not self._folder(volume.name).is_dir():
                self._forget(volume.name)
        for folder in self._root.iterdir():
            if folder.name not in self._volumes:
                _drop_empty(folder)  # a creation cut off before anybody was told

    def start(self) -> None:
        """Mount the volumes that lie over frozen folders, where an earlier engine's mounts are gone."""
        for volume in self._volumes.values():
            try:
                self._mount_layers(volume)
            except (OSError, EngineError) as error:
                log.error("volume %s cannot be mounted: %s", volume.name, error)

    def close(self, *, keep_mounts: bool) -> None:
        """`keep_mounts`: containers that outlive the engine use them."""
        for volume in self._volumes.values():
            if volume.frozen and not keep_mounts:
                layered.unmount(self._folder(volume.name))

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
        if name in self._volumes:
            return self._volumes[name]
        anonymous = not name
        name = name or new_id()
        o.check_name(name)
        o.check_driver(name, driver)
        o.check_options(name, driver_opts or {})
        volume = Volume(
            name=name,
            created=now(),
            mountpoint=str(self._folder(name) / "_data"),
            options=dict(driver_opts or {}),
            labels={**(labels or {}), **({_ANONYMOUS: ""} if anonymous else {})},
            anonymous=anonymous,
            frozen=tuple(frozen),
            snapshot=snapshot,
            pending=pending and anonymous,
        )
        try:
            (self._folder(name) / "_data").mkdir(parents=True, exist_ok=True, mode=0o755)
            if frozen:
                layered.prepare(self._folder(name), self._frozen.folders(frozen))
        except OSError as error:
            _drop_empty(self._folder(name))
            raise EngineError(f"create {name}: {error.strerror}: {error.filename}") from error
        sql = "INSERT INTO volumes (name, data) VALUES (?, ?)"
        try:
            self._database.execute(sql, (name, encode(volume)))
        except BaseException:
            _drop_empty(self._folder(name))
            raise
        self._volumes[name] = volume
        try:
            self._mount_layers(volume)
        except (OSError, EngineError):
            await self.remove(name, force=True)
            raise
        return volume

    def settle(self, names: Sequence[str], *, pending: bool = False) -> None:
        """Whether these are on their way with their container: it exists now, or it begins to go."""
        for name in names:
            if name in self._volumes:
                self._save(msgspec.structs.replace(self._volumes[name], pending=pending))

    def sweep(self) -> None:
        """Once the containers of an earlier engine are known: drop what came or went with one, cut off by a kill."""
        for volume in [one for one in self._volumes.values() if one.pending]:
            if self._users(volume.name):
                self.settle([volume.name])
                continue
            trash = self._take_away(volume.name)
            shutil.rmtree(trash, ignore_errors=True)

    def get(self, name: str) -> Volume:
        """NotFound "get x: no such volume"."""
        if name not in self._volumes:
            raise NotFound(f"get {name}: no such volume")
        return self._volumes[name]

    def list(self, filters: Mapping[str, Sequence[str]] | None = None) -> tuple[Volume, ...]:
        """GET /volumes; filters: name, driver, label, dangling. By name."""
        wanted = filters or {}
        f.check_names(wanted, _LIST_FILTERS)
        dangling = f.is_true(wanted["dangling"]) if "dangling" in wanted else None
        return tuple(
            volume
            for volume in sorted(self._volumes.values(), key=lambda v: v.name)
            if f.matches(volume.name, wanted.get("name", ()))
            and volume.driver in (wanted.get("driver") or (volume.driver,))
            and f.has_labels(volume.labels, wanted.get("label", ()))
            and (dangling is None or dangling == (not self._users(volume.name)))
        )

    async def remove(self, name: str, *, force: bool = False) -> None:
        """Conflict "remove x: volume is in use - [ids]"; `force` makes a missing one no error.

        A folder of the host (driver_opts o=bind) keeps its content.
        """
        if name not in self._volumes:
            if force:
                return
            raise NotFound(f"get {name}: no such volume")
        async with self._lock(name):
            self._refuse_in_use(name)
            if name not in self._volumes:
                return
            trash = self._take_away(name)
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
        for volume in sorted(self._volumes.values(), key=lambda v: v.name):
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
            volume = self._volumes.get(volume.name, volume)
            self._mount_layers(volume)
            folder = self._content(volume)
            if self._filling(volume).exists():
                await self._empty_again(volume)
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
            folder = self._content(volume)
            if self._filling(volume).exists():
                await self._empty_again(volume)
            if not is_empty(folder):
                return
            view = LayerView(layers)
            try:
                source = view.lookup(path)
                if source and source.is_dir:
                    await asyncio.to_thread(self._fill, volume, view, source, folder)
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
        upper = self._folder(name) / ("upper" if volume.frozen else "_data")
        if self._filling(volume).exists():
            await self._empty_again(volume)
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
        volume = self._volumes.get(owner.name)
        if volume is None or volume.created != owner.born:
            return False
        self._save(msgspec.structs.replace(volume, frozen=(frozen_id, *volume.frozen)))
        layered.prepare(self._folder(volume.name), [self._frozen.data(frozen_id)])
        return True

    def drop_missing(self, exists: Callable[[str], bool]) -> None:
        """Forget frozen folders that never came to be: the content is still where it was."""
        for volume in list(self._volumes.values()):
            kept = tuple(one for one in volume.frozen if exists(one))
            if kept != volume.frozen:
                self._save(msgspec.structs.replace(volume, frozen=kept))

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
        folder = self._folder(volume.name)
        layered.unmount(folder)
        owner = Owner(kind="volume", name=volume.name, born=volume.created, moved_ns=time.time_ns())
        frozen_id = self._frozen.move(upper, owner)
        try:
            # The first time, what is empty now is the mount point.
            layered.prepare(folder, [self._frozen.data(frozen_id)])
            grown = msgspec.structs.replace(volume, frozen=(frozen_id, *volume.frozen))
            self._save(grown)
        except BaseException:
            self._frozen.undo_move(frozen_id, upper)
            self._mount_layers(volume)
            raise
        self._mount_layers(grown)
        return grown.frozen

    def _mount_layers(self, volume: Volume) -> None:
        if volume.frozen:
            layered.mount(self._folder(volume.name), self._frozen.folders(volume.frozen))

    def _save(self, volume: Volume) -> None:
        sql = "UPDATE volumes SET data = ? WHERE name = ?"
        self._database.execute(sql, (encode(volume), volume.name))
        self._volumes[volume.name] = volume

    def _folder(self, name: str) -> Path:
        return self._root / name

    def _filling(self, volume: Volume) -> Path:
        return self._folder(volume.name) / "filling"

    def _content(self, volume: Volume) -> Path:
        """Where the files are; a host folder must exist."""
        device = o.bound_folder(volume.options)
        folder = Path(device or volume.mountpoint)
        if device and not folder.is_dir():
            raise BadParameter(
                f"error while mounting volume '{volume.mountpoint}': failed to mount local volume: "
                f"mount {device}:{volume.mountpoint}: no such directory"
            )
        return folder

    def _fill(self, volume: Volume, view: LayerView, source: Node, folder: Path) -> None:
        marker = self._filling(volume)
        marker.touch()
        TreeCopy(view).into(source, str(folder))
        marker.unlink()

    async def _empty_again(self, volume: Volume) -> None:
        await asyncio.to_thread(clear, self._content(volume))
        self._filling(volume).unlink(missing_ok=True)

    def _refuse_in_use(self, name: str) -> None:
        users = self._users(name)
        if users:
            raise Conflict(f"remove {name}: volume is in use - [{', '.join(users)}]")

    def _take_away(self, name: str) -> Path:
        """Forget it; its folder, which is left to be removed."""
        trash = self._root / f"{_REMOVING}{new_id()[:16]}"
        try:
            layered.unmount(self._folder(name))
            self._folder(name).rename(trash)
        except FileNotFoundError:
            pass
        except OSError as error:
            raise EngineError(f"remove {name}: {error.strerror}") from error
        self._forget(name)
        return trash

    def _forget(self, name: str) -> None:
        self._database.execute("DELETE FROM volumes WHERE name = ?", (name,))
        self._volumes.pop(name, None)

    def _lock(self, name: str) -> asyncio.Lock:
        return self._locks.setdefault(name, asyncio.Lock())


def _drop_empty(folder: Path) -> None:
    """Remove a volume's folder while it is empty: what has content is somebody's."""
    for path in (folder / "_data", folder):
        with suppress(OSError):
            path.rmdir()
