"""`docker cp` and `docker export`: what goes in and out of a container's file system, running or not."""

from __future__ import annotations

import asyncio
import os
import posixpath
import stat
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar, cast

from stackwright.embedded.containers.spec import Mount, Rootfs
from stackwright.embedded.containers.users import resolve_user
from stackwright.embedded.errors import BadParameter, EngineError, Forbidden, NotFound
from stackwright.embedded.images.archive.compression import open_compressed
from stackwright.embedded.images.archive.errors import BadArchive
from stackwright.embedded.images.archive.limits import Limits
from stackwright.embedded.images.archive.reader import TarReader
from stackwright.embedded.images.archive.unpack import UnpackPolicy, unpack
from stackwright.embedded.images.streams import produced_by, spool
from stackwright.embedded.lifecycle.files import ContainerFiles, resolve_mount
from stackwright.embedded.lifecycle.record import Container
from stackwright.embedded.lifecycle.rootview import running_root, stopped_root
from stackwright.embedded.lifecycle.services import Services
from stackwright.embedded.lifecycle.treetar import Below, write_tree

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PathStat:
    """A path in a container; `mode` is st_mode; `link_target` only for a symbolic link."""

    name: str
    size: int
    mode: int
    mtime_ns: int
    link_target: str = ""


@dataclass(frozen=True, slots=True)
class _View:
    """How to enter a container's root: by its process, or by mounting it."""

    pid: int
    rootfs: Rootfs
    binds: tuple[Mount, ...]

    def run(self, work: Callable[[], T]) -> T:
        return running_root(self.pid, work) if self.pid else stopped_root(self.rootfs, self.binds, work)


class Copying:
    """Reads and writes files of containers; raises NotFound, BadParameter, Forbidden."""

    def __init__(self, services: Services, files: ContainerFiles) -> None:
        self._services = services
        self._files = files
        self._spool = services.state_dir / "spool"

    async def stat(self, container: Container, path: str) -> PathStat:
        """HEAD /containers/{id}/archive."""
        view = await self._view(container)
        return await asyncio.to_thread(view.run, lambda: _stat(container, path))

    async def read(self, container: Container, path: str) -> tuple[PathStat, AsyncIterator[bytes]]:
        """GET /containers/{id}/archive: what the path is, and its archive, named by its last part."""
        found = await self.stat(container, path)
        view = await self._view(container)
        name = "." if posixpath.basename(path) == "." else found.name

        def produce(write: Callable[[bytes], None]) -> None:
            view.run(lambda: write_tree(absolute(path), name, write))

        return found, produced_by(produce)

    async def export(self, container: Container) -> AsyncIterator[bytes]:
        """GET /containers/{id}/export: the root file system without what is mounted into it."""
        view = await self._view(container, with_mounts=False)

        def produce(write: Callable[[bytes], None]) -> None:
            view.run(lambda: write_tree("/", "", write, one_filesystem=True))

        return produced_by(produce)

    async def write(
        self, container: Container, path: str, archive: AsyncIterator[bytes], *, own: bool, keep_kind: bool
    ) -> None:
        """PUT /containers/{id}/archive: unpack into the folder `path`.

        `own`: give everything to the container's user. `keep_kind`: no file in a folder's place, nor reverse.
        """
        if container.host_config.readonly_rootfs and not _in_mount(container, path):
            raise Forbidden("container rootfs is marked read-only")
        with self._files.writing(container.id):
            await self._write(container, path, archive, own=own, keep_kind=keep_kind)

    async def _write(
        self, container: Container, path: str, archive: AsyncIterator[bytes], *, own: bool, keep_kind: bool
    ) -> None:
        view = await self._view(container)
        await asyncio.to_thread(view.run, lambda: _check_folder(container, path))
        owner = self._owner(container) if own else None
        self._spool.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = self._spool / uuid.uuid4().hex
        try:
            await spool(archive, file)
            await asyncio.to_thread(_unpack, view, file, absolute(path), owner, keep_kind)
        finally:
            file.unlink(missing_ok=True)

    def sweep(self) -> None:
        """Remove what an earlier engine was receiving."""
        if self._spool.is_dir():
            for file in self._spool.iterdir():
                file.unlink()

    def _owner(self, container: Container) -> tuple[int, int]:
        layers = self._services.images.lower_dirs(container.image_id)
        user = resolve_user(self._files.rootfs(container, layers), container.config.user)
        return user.uid, user.gid

    async def _view(self, container: Container, *, with_mounts: bool = True) -> _View:
        layers = self._services.images.lower_dirs(container.image_id)
        rootfs = self._files.rootfs(container, layers)
        if container.up:
            return _View(container.pid, rootfs, ())
        binds = [
            await resolve_mount(mount, self._services.volumes)
            for mount in container.mounts
            if with_mounts and mount.kind in ("bind", "volume")
        ]
        return _View(0, rootfs, tuple(bind for bind in binds if bind.kind != "tmpfs"))


def absolute(path: str) -> str:
    """A path as given by a client, relative ones from the root."""
    return posixpath.normpath("/" + path.lstrip("/"))


def _names_content(path: str) -> bool:
    """Whether a path, as `docker cp` takes it, means what is in a folder: it ends in a slash or a dot."""
    return posixpath.basename(path) in ("", ".")


def _stat(container: Container, path: str) -> PathStat:
    where = absolute(path)
    try:
        # A trailing slash or dot asks for what a link leads to, which has to be a folder.
        found = os.stat(f"{where}/") if _names_content(path) else os.lstat(where)  # noqa: PTH116
    except (FileNotFoundError, NotADirectoryError):
        raise NotFound(f"Could not find the file {path} in container {container.id}") from None
    target = ""
    if stat.S_ISLNK(found.st_mode):
        target = posixpath.normpath(posixpath.join(posixpath.dirname(where), os.readlink(where)))  # noqa: PTH115
    name = posixpath.basename(where) or "/"
    return PathStat(name, found.st_size, found.st_mode, found.st_mtime_ns, target)


def _check_folder(container: Container, path: str) -> None:
    try:
        found = os.stat(f"{absolute(path)}/" if _names_content(path) else absolute(path))  # noqa: PTH116
    except (FileNotFoundError, NotADirectoryError):
        raise NotFound(f"Could not find the file {path} in container {container.id}") from None
    if not stat.S_ISDIR(found.st_mode):
        raise BadParameter("extraction point is not a directory")


def _unpack(view: _View, file: Path, folder: str, owner: tuple[int, int] | None, keep_kind: bool) -> None:
    with file.open("rb") as stream:
        try:
            plain = open_compressed(stream)
            reader = Below(TarReader(plain, Limits.for_folder(file.parent)), folder, keep_kind=keep_kind)
            policy = UnpackPolicy(owner=owner)
            view.run(lambda: unpack(cast("TarReader", reader), Path("/"), policy))
        except BadArchive as error:
            raise BadParameter(f"the archive cannot be unpacked: {error.message}") from error
        except EngineError:
            raise
        except OSError as error:
            raise EngineError(f"copying into the container: {error.strerror}") from error


def _in_mount(container: Container, path: str) -> bool:
    where = absolute(path)
    return any(
        not m.readonly and (where == m.destination or where.startswith(m.destination + "/"))
        for m in container.mounts
    )
