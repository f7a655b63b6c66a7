"""Volumes on disk: a row in the database and a folder each, and what a kill in the midst of either leaves.

    <root>/<name>/_data      content
    <root>/<name>/filling    there while the content is being copied from an image: what is in _data is half of it
    <root>/<name>/upper      of a volume over frozen folders (layered.py); _data is a mount point then
    <root>/.removing-<name>  on its way out

A folder without a row in the database is nothing; a row without a folder is a removal that was interrupted.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from stackwright.embedded.errors import EngineError
from stackwright.embedded.ids import new_id
from stackwright.embedded.kernel.attributes import has_unrelated_folders
from stackwright.embedded.state import Database, decode, encode
from stackwright.embedded.volumes import layered
from stackwright.embedded.volumes.types import Volume

_TABLES = ["CREATE TABLE volumes (name TEXT PRIMARY KEY, data TEXT NOT NULL)"]
_REMOVING = ".removing-"


class VolumeStore:
    """The volumes by name: in memory for reading, in SQLite for the next engine."""

    def __init__(self, database: Database, root: Path) -> None:
        self._database = database
        self._root = root
        root.mkdir(mode=0o711, parents=True, exist_ok=True)
        has_unrelated_folders(root)
        database.migrate("volumes", _TABLES)
        rows = database.execute("SELECT data FROM volumes ORDER BY name")
        self._all = {v.name: v for v in (decode(row["data"], Volume) for row in rows)}
        self._finish_removals()

    def __iter__(self) -> Iterator[Volume]:
        """By name; volumes may come and go meanwhile."""
        return iter(sorted(self._all.values(), key=lambda volume: volume.name))

    def find(self, name: str) -> Volume | None:
        """None when there is none."""
        return self._all.get(name)

    def folder(self, name: str) -> Path:
        """Where it is."""
        return self._root / name

    def add(self, volume: Volume) -> None:
        """Write a new one down; its folder is there."""
        sql = "INSERT INTO volumes (name, data) VALUES (?, ?)"
        self._database.execute(sql, (volume.name, encode(volume)))
        self._all[volume.name] = volume

    def save(self, volume: Volume) -> None:
        """Write down what has changed of it."""
        sql = "UPDATE volumes SET data = ? WHERE name = ?"
        self._database.execute(sql, (encode(volume), volume.name))
        self._all[volume.name] = volume

    def take_away(self, name: str) -> Path:
        """Forget it; its folder, which is left to be removed."""
        trash = self._root / f"{_REMOVING}{new_id()[:16]}"
        try:
            layered.unmount(self.folder(name))
            self.folder(name).rename(trash)
        except FileNotFoundError:
            pass
        except OSError as error:
            raise EngineError(f"remove {name}: {error.strerror}") from error
        self._forget(name)
        return trash

    def _forget(self, name: str) -> None:
        self._database.execute("DELETE FROM volumes WHERE name = ?", (name,))
        self._all.pop(name, None)

    def _finish_removals(self) -> None:
        """End what an engine before was cut off in."""
        for leftover in self._root.glob(f"{_REMOVING}*"):
            shutil.rmtree(leftover, ignore_errors=True)
        for volume in list(self._all.values()):
            if not self.folder(volume.name).is_dir():
                self._forget(volume.name)
        for folder in self._root.iterdir():
            if folder.name not in self._all:
                drop_empty(folder)  # a creation cut off before anybody was told


def drop_empty(folder: Path) -> None:
    """Remove a volume's folder while it is empty: what has content is somebody's."""
    for path in (folder / "_data", folder):
        with suppress(OSError):
            path.rmdir()
