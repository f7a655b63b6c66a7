"""Frozen folders on disk: the writable layer of a container, or the content of a volume, as it was.

    <state>/frozen/<id>/data    the content; never changes again, and is stacked below by overlayfs
    <state>/frozen/<id>/owner   whose folder it was, when it was moved here instead of copied
    <state>/frozen/.trash/      on its way out

A folder lives for as long as somebody names it (a snapshot, a container, a volume). One that nobody names is what an
interrupted engine left: a copy is removed at the next start; what was *moved* out of a container or volume that is
still there goes back under it (`lost`), whatever became of the row that should have said so.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import stat
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from stackwright.embedded.errors import EngineError
from stackwright.embedded.ids import new_id
from stackwright.embedded.images.layers import copy_tree
from stackwright.embedded.trash import Trash

MAX_DEPTH = 200
"""Frozen folders below one root: overlayfs stacks 500 in all, and the image has a right to most of them."""


class Owner(msgspec.Struct, frozen=True, kw_only=True):
    """Whose folder was moved. `kind`: container or volume; `born` tells a volume from a later one of its name."""

    kind: str
    name: str
    born: str
    moved_ns: int


class FrozenStore:
    """All frozen folders of one engine. What blocks for long is awaited in a thread."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._trash = Trash(root / ".trash")
        self._named: list[Callable[[], Iterable[str]]] = []
        self._held: Counter[str] = Counter()
        self._known: set[str] = set()

    def open(self) -> None:
        """Make the folder and take stock."""
        self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._trash.empty()
        self._known = {folder.name for folder in self._root.iterdir() if not folder.name.startswith(".")}

    def named_by(self, names: Callable[[], Iterable[str]]) -> None:
        """Register somebody who keeps folders alive: a callable giving the ids it names now."""
        self._named.append(names)

    def data(self, frozen_id: str) -> Path:
        """The content of one."""
        return self._root / frozen_id / "data"

    def folders(self, ids: Sequence[str]) -> tuple[Path, ...]:
        """Contents, in the order given; for overlayfs topmost first. EngineError for one that is missing."""
        found = tuple(self.data(one) for one in ids)
        for folder in found:
            if not folder.is_dir():
                raise EngineError(f"the frozen folder {folder} is missing: it was removed by other means")
        return found

    def move(self, source: Path, owner: Owner) -> str:
        """Freeze a folder that nobody uses by moving it here; an empty one takes its place. Held until released.

        A rename: the time it takes does not depend on what is in it.
        """
        frozen_id = new_id()
        folder = self._root / frozen_id
        self._begin(frozen_id)
        try:
            folder.mkdir(mode=0o711)
            (folder / "owner").write_bytes(msgspec.json.encode(owner))
            source.rename(folder / "data")
            successor(folder / "data", source)
        except BaseException as error:
            with suppress(OSError):
                self.undo_move(frozen_id, source)
            if isinstance(error, OSError):
                raise EngineError(f"freezing {source}: {error.strerror}") from error
            raise
        return frozen_id

    def undo_move(self, frozen_id: str, source: Path) -> None:
        """Back to its place, when the move could not be written down."""
        data = self.data(frozen_id)
        if data.is_dir():
            if source.is_dir():
                source.rmdir()
            data.rename(source)
        shutil.rmtree(self._root / frozen_id, ignore_errors=True)
        self._known.discard(frozen_id)
        self.release([frozen_id])

    async def copy(self, source: Path) -> str:
        """Freeze a folder that is in use (its processes stand still) by copying it; blocks are shared where the file
        system can. Held until released."""
        frozen_id = new_id()
        folder = self._root / frozen_id
        self._begin(frozen_id)
        try:
            folder.mkdir(mode=0o711)
            await asyncio.to_thread(copy_tree, source, folder / "data")
        except BaseException as error:
            self.release([frozen_id])
            await self.collect()
            if isinstance(error, OSError):
                raise EngineError(f"copying {source}: {error.strerror}: {error.filename}") from error
            raise
        return frozen_id

    def hold(self, ids: Iterable[str]) -> None:
        """Keep folders although nobody names them yet, until `release`."""
        self._held.update(ids)

    def release(self, ids: Iterable[str]) -> None:
        """They are named now, or not wanted after all."""
        self._held.subtract(ids)

    @contextmanager
    def holding(self, ids: Iterable[str]) -> Iterator[None]:
        """`hold`, and `release` in the end."""
        held = list(ids)
        self.hold(held)
        try:
            yield
        finally:
            self.release(held)

    async def collect(self) -> None:
        """Remove what nobody names any more."""
        if not self._known:
            return
        named = {one for names in self._named for one in names()} | set(+self._held)
        places = []
        for frozen_id in self._known - named:
            self._known.discard(frozen_id)
            places.append(self._trash.take(self._root / frozen_id))
        self._trash.discard(*places)
        if places:
            await self._trash.settle()

    def lost(self) -> Iterator[tuple[str, Owner]]:
        """Moved folders that nobody names, oldest first."""
        named = {one for names in self._named for one in names()}
        found = []
        for frozen_id in self._known - named:
            with suppress(OSError, msgspec.DecodeError, msgspec.ValidationError):
                owner = msgspec.json.decode((self._root / frozen_id / "owner").read_bytes(), type=Owner)
                if self.data(frozen_id).is_dir():
                    found.append((frozen_id, owner))
        yield from sorted(found, key=lambda one: one[1].moved_ns)

    async def close(self) -> None:
        """Finish deleting."""
        await self._trash.settle()

    def _begin(self, frozen_id: str) -> None:
        self._known.add(frozen_id)
        self.hold([frozen_id])


def successor(frozen: Path, place: Path) -> None:
    """Make `place` the empty upper folder over `frozen`: in an overlay, the topmost folder says whose the root is."""
    status = frozen.stat()
    place.mkdir(mode=0o700, exist_ok=True)
    os.chown(place, status.st_uid, status.st_gid)
    place.chmod(stat.S_IMODE(status.st_mode))
