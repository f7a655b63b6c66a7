"""`cp`: files between the local file system and a service's containers, through the Engine API's archives.

What lands where follows `docker cp`: a folder as the destination takes the source in under its name; a destination
that is not there becomes the copy; `folder/.` means what is in the folder.
"""

from __future__ import annotations

import asyncio
import os
import posixpath
import tarfile
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from stackwright.engine.errors import NotFound
from stackwright.plan.observed import Container
from stackwright.run import tarring
from stackwright.run.errors import RunError
from stackwright.run.events import Progress
from stackwright.run.executor import together
from stackwright.run.oneoff import service_containers
from stackwright.run.session import Session

JSON = dict[str, Any]
GO_DIR, GO_LINK = 1 << 31, 1 << 27
"""Bits of a file mode as Go numbers it (Engine API: X-Docker-Container-Path-Stat)."""
LINKS = 10


@dataclass(frozen=True, slots=True)
class Choice:
    """Which containers of a service are meant, and how files are copied."""

    index: int = 0
    everything: bool = False
    """One-off containers of `run` too."""
    archive: bool = False
    follow: bool = False


async def _targets(session: Session, service: str, choice: Choice) -> list[Container]:
    return await service_containers(session, service, choice.index, oneoff=choice.everything)


# -- out of a container ------------------------------------------------------------------------------


async def out(session: Session, service: str, source: str, target: str, choice: Choice) -> None:
    """Copy `source` of the service's first container to the local path `target`."""
    one = (await _targets(session, service, choice))[0]
    subject = f"{one.name} copy {one.name}:{source} to {target}"
    session.emit(Progress(subject, "Copying"))
    found, path = await _resolve(session, one, source, follow=choice.follow)
    content = source.endswith(("/.", "/")) or source in (".", "")
    if not session.dry:
        _, pieces = await session.engine.get_archive(one.id, path)
        with tempfile.TemporaryFile() as spool:
            async for piece in pieces:
                spool.write(piece)
            spool.seek(0)
            folder = bool(found["mode"] & GO_DIR)
            base = posixpath.basename(posixpath.normpath(path))
            place = landing(target, base, folder=folder, content=content and folder)
            await asyncio.to_thread(_unpack, spool, base, place, choice.archive)
    session.emit(Progress(subject, "Copied", "done"))


async def tar_out(session: Session, service: str, source: str, choice: Choice) -> AsyncIterator[bytes]:
    """`source` of the service's first container as a tar, piece by piece."""
    one = (await _targets(session, service, choice))[0]
    _, path = await _resolve(session, one, source, follow=choice.follow)
    _, pieces = await session.engine.get_archive(one.id, path)
    async for piece in pieces:
        yield piece


async def _resolve(session: Session, one: Container, path: str, *, follow: bool) -> tuple[JSON, str]:
    """What is at `path` in the container, and its path after links if `follow`. Raises `RunError`."""
    shown = path
    try:
        for _ in range(LINKS):
            found = await session.engine.stat_archive(one.id, path)
            if not (follow and found["mode"] & GO_LINK and found.get("linkTarget")):
                return found, path
            path = posixpath.join(posixpath.dirname(path), str(found["linkTarget"]))
    except NotFound:
        raise RunError(f"{one.name} has no file {shown}") from None
    raise RunError(f"{one.name}: {shown} leads through too many links")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a copy lands: in `folder`, its root renamed to `name` (empty: only what is in the root)."""

    folder: Path
    name: str


def landing(target: str, base: str, *, folder: bool, content: bool) -> Place:
    """Where a copy of `base` goes when the local path `target` is asked for. Raises `RunError`.

    `folder`: the source is one. `content`: only what is in it (`source/.`).
    """
    path = Path(target or ".")
    if path.is_dir():
        return Place(path, "" if content else base)
    if path.exists():
        if folder:
            raise RunError(f"a folder cannot be copied over the file {target}")
        return Place(path.parent, path.name)
    if target.endswith("/") and not folder:
        raise RunError(
            f"{target} is no folder", hint="create it first, or leave out the slash for a file of that name"
        )
    if not path.parent.is_dir():
        raise RunError(f"{path.parent} is no folder", hint="create it first")
    return Place(path.parent, path.name)


def _unpack(spool: Any, base: str, place: Place, keep_owner: bool) -> None:
    with tarfile.open(fileobj=spool, mode="r:") as tar:
        for member in tar:
            name = posixpath.normpath(member.name)
            rest = "" if name in (base, ".") else name.removeprefix(base + "/")
            renamed = posixpath.join(place.name, rest) if rest else place.name
            if not renamed:
                continue
            if member.islnk():
                inner = posixpath.normpath(member.linkname).removeprefix(base + "/")
                member = member.replace(linkname=posixpath.join(place.name, inner), deep=False)
            try:
                _extract(tar, member.replace(name=renamed, deep=False), place.folder, keep_owner)
            except (tarfile.FilterError, OSError) as error:
                raise RunError(f"{place.folder / renamed} cannot be written: {error}") from error


def _extract(tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Path, keep_owner: bool) -> None:
    where = folder / member.name
    if where.is_symlink() or (where.exists() and not where.is_dir() and not member.isdir()):
        where.unlink()
    safe = tarfile.tar_filter(member, str(folder))
    if not keep_owner:
        safe = safe.replace(uid=os.getuid(), gid=os.getgid(), uname="", gname="", deep=False)
    tar._extract_member(safe, str(where), numeric_owner=True)


# -- into containers ---------------------------------------------------------------------------------


async def into(session: Session, source: str, service: str, target: str, choice: Choice) -> None:
    """Copy the local path `source` to `target` in every container of the service (or the one of `index`)."""
    path = Path(source)
    if not os.path.lexists(path):
        raise RunError(f"there is no {source}")
    if choice.follow or source.endswith("/"):
        path = path.resolve()
    content = source.endswith("/.") or source == "."
    await together(
        [
            partial(_into, session, one, path, source, target, choice, content)
            for one in await _targets(session, service, choice)
        ],
        limit=session.parallel,
    )


async def _into(
    session: Session, one: Container, path: Path, shown: str, target: str, choice: Choice, content: bool
) -> None:
    subject = f"{one.name} copy {shown} to {one.name}:{target}"
    session.emit(Progress(subject, "Copying"))
    folder = path.is_dir() and not path.is_symlink()
    where, name = await _inside(session, one, path, target, folder=folder, content=content and folder)
    await session.engine.put_archive(
        one.id, where, tarring.stream(_tree(path, name)), own=choice.archive, keep_kind=True
    )
    session.emit(Progress(subject, "Copied", "done"))


async def _inside(
    session: Session, one: Container, path: Path, target: str, *, folder: bool, content: bool
) -> tuple[str, str]:
    """The folder in the container that takes the tar, and the name of the tar's root (empty: only its content)."""
    target = target or "/"
    absolute = posixpath.join("/", target)
    base = path.resolve().name
    try:
        found, absolute = await _resolve(session, one, absolute, follow=True)
    except RunError:
        if target.endswith("/") and not folder:
            raise RunError(
                f"{one.name} has no folder {target}",
                hint="leave out the slash for a file of that name, or create the folder first",
            ) from None
        parent, name = posixpath.split(absolute.rstrip("/"))
        await _resolve(session, one, parent, follow=True)
        return parent, name
    if found["mode"] & GO_DIR:
        return absolute, "" if content else base
    if folder:
        raise RunError(f"a folder cannot be copied over the file {one.name}:{target}")
    parent, name = posixpath.split(absolute)
    return parent, name


def _tree(path: Path, name: str) -> Iterator[tarring.Entry]:
    if name:
        yield tarring.Entry(name, path)
    if path.is_symlink() or not path.is_dir():
        return
    for child in sorted(path.iterdir()):
        yield from _tree(child, posixpath.join(name, child.name))


async def tar_into(
    session: Session, tar: AsyncIterator[bytes], service: str, target: str, choice: Choice
) -> None:
    """Unpack a tar into the folder `target` of the service's containers (with several: of each)."""
    found = await _targets(session, service, choice)
    if len(found) == 1:
        await _tar_into(session, found[0], tar, target, choice)
        return
    data = b"".join([piece async for piece in tar])
    await together([partial(_tar_into, session, one, data, target, choice) for one in found])


async def _tar_into(
    session: Session, one: Container, tar: AsyncIterator[bytes] | bytes, target: str, choice: Choice
) -> None:
    found, path = await _resolve(session, one, posixpath.join("/", target), follow=True)
    if not found["mode"] & GO_DIR:
        raise RunError(f"{one.name}:{target} must be a folder to take a tar in")
    await session.engine.put_archive(one.id, path, tar, own=choice.archive, keep_kind=True)
