"""Removes big folders behind the back of whoever is waiting: a rename now, the files in a thread.

Deleting tens of thousands of files takes longer than many builds. What an interrupted engine had not
deleted yet is in the trash folder, which the next start empties.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from pathlib import Path

from stackwright.embedded.images.archive.unpack import remove_tree


class Trash:
    """``folder``: a private one, on the same file system as what is thrown away."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._tasks: set[asyncio.Task[None]] = set()

    def empty(self) -> None:
        """Remove what earlier engines left. Blocking."""
        remove_tree(self._folder)
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # somebody may still be removing in it

    def take(self, path: Path) -> Path:
        """Move something here, so that it is gone from its place at once; pass the result to
        :meth:`discard`.
        """
        place = self._folder / secrets.token_hex(8)
        try:
            path.rename(place)
        except FileNotFoundError:
            return place
        except OSError:  # a full disk has no room for the name: it is deleted where it is
            return path
        return place

    def discard(self, *places: Path) -> None:
        """Delete in the background."""
        if places:
            task = asyncio.create_task(asyncio.to_thread(_remove_all, places))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def throw(self, path: Path) -> None:
        """:meth:`take` and :meth:`discard`."""
        self.discard(self.take(path))

    async def settle(self) -> None:
        """Wait until all of it is deleted."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)


def _remove_all(places: tuple[Path, ...]) -> None:
    for place in places:
        with contextlib.suppress(OSError):  # the next start tries again
            remove_tree(place)
