"""Reading the name tables (`names` writes them): the resolver's view, refreshed when a file changes."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from typing import Any


class TableFile:
    """One JSON file, parsed again when it was replaced or written to. A missing or broken one is empty."""

    __slots__ = ("_stamp", "path", "table")

    def __init__(self, path: str) -> None:
        self.path = path
        self.table: dict[str, Any] = {}
        self._stamp: tuple[int, int, int] | None = None

    def fresh(self) -> dict[str, Any]:
        """The table as it is now."""
        try:
            status = os.stat(self.path)  # noqa: PTH116 - pathlib is not imported here: memory of every monitor
            stamp = (status.st_ino, status.st_mtime_ns, status.st_size)
            if stamp != self._stamp:
                with open(self.path, "rb") as file:  # noqa: PTH123
                    table = json.load(file)
                self.table = table if isinstance(table, dict) else {}
                self._stamp = stamp
        except FileNotFoundError:
            self.table, self._stamp = {}, None
        except (OSError, ValueError):
            pass  # keep the last good one
        return self.table


class Lookup:
    """Names as one container sees them: its links, then its networks in their order."""

    def __init__(self, tables: Sequence[str]) -> None:
        self._paths = tables
        self._files: dict[str, TableFile] = {}
        self._turns: dict[tuple[str, int], int] = {}

    @property
    def forwards(self) -> bool:
        """Whether unknown names may be asked upstream: not when all networks are internal."""
        own = [table for table in self._own() if "include" in table]
        return not own or any(table.get("forward", True) for table in own)

    def addresses(self, name: str, kind: int) -> tuple[list[str], list[str]] | None:
        """IPv4 and IPv6 addresses of a name, begun at another one each time (round-robin); None: unknown.

        Each name takes its turns for itself, and for each kind of question: programs ask for both families at once, and
        for their own names in turn, which would always hit the same replica of two.
        """
        for table in self._own():
            name = table.get("links", {}).get(name, name)
        for table in self._networks():
            key = name
            if key not in table.get("names", {}):
                stem, _, network = name.rpartition(".")
                if network != table.get("network") or stem not in table.get("names", {}):
                    continue
                key = stem
            turn = self._turns[key, kind] = self._turns.get((key, kind), 0) + 1
            four, six = table["names"][key], table.get("names6", {}).get(key, [])
            return _rotated(four, turn), _rotated(six, turn)
        return None

    def name_of(self, address: str) -> str | None:
        """ "container.network" of an address; None: not ours."""
        for table in self._networks():
            name = table.get("addresses", {}).get(address)
            if name:
                return f"{name}.{table.get('network', '')}".rstrip(".")
        return None

    def _own(self) -> list[dict[str, Any]]:
        return [self._file(path).fresh() for path in self._paths]

    def _networks(self) -> Iterable[dict[str, Any]]:
        for table in self._own():
            if "names" in table:
                yield table
            for path in table.get("include", ()):
                yield self._file(path).fresh()

    def _file(self, path: str) -> TableFile:
        if path not in self._files:
            self._files[path] = TableFile(path)
        return self._files[path]


def _rotated(items: list[str], turn: int) -> list[str]:
    if len(items) < 2:
        return items
    start = turn % len(items)
    return items[start:] + items[:start]
