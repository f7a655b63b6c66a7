"""What the engine remembers of a snapshot."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from stackwright.embedded.errors import BadParameter, Conflict, NotFound
from stackwright.embedded.ids import match_prefix
from stackwright.embedded.lifecycle.config import Config, EndpointSettings, HostConfig
from stackwright.embedded.lifecycle.record import MountPoint
from stackwright.embedded.state import Database, decode, encode

_NAME_CHARACTERS = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-")


class FrozenVolume(msgspec.Struct, frozen=True, kw_only=True):
    """A volume's content. `destination`: where the container had it, "" in the snapshot of a volume alone."""

    name: str
    destination: str = ""
    layers: tuple[str, ...] = ()


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A container (or one volume) at a moment: what to start another from. Frozen folders topmost first."""

    id: str
    name: str
    created_ns: int
    kind: str
    """"container" or "volume"."""
    source_id: str
    source_name: str
    copied: int = 0
    """Bytes that had to be copied, since they were in use; 0 when folders were moved only."""
    volumes: tuple[FrozenVolume, ...] = ()
    image_id: str = ""
    image: str = ""
    layers: tuple[str, ...] = ()
    config: Config | None = None
    host_config: HostConfig | None = None
    endpoints: dict[str, EndpointSettings] = {}
    mounts: tuple[MountPoint, ...] = ()

    def frozen(self) -> Iterator[str]:
        """Every frozen folder it needs."""
        yield from self.layers
        for volume in self.volumes:
            yield from volume.layers


class Snapshots:
    """All of them: in memory for reading, in SQLite for the next engine."""

    def __init__(self, database: Database) -> None:
        self._database = database
        database.migrate("snapshots", ["CREATE TABLE snapshots (id TEXT PRIMARY KEY, data TEXT NOT NULL)"])
        rows = database.execute("SELECT data FROM snapshots")
        self._all = {one.id: one for one in (decode(row["data"], Snapshot) for row in rows)}

    def __iter__(self) -> Iterator[Snapshot]:
        return iter(sorted(self._all.values(), key=lambda one: one.created_ns, reverse=True))

    def get(self, reference: str) -> Snapshot:
        """By id, name or unambiguous id prefix. NotFound, BadParameter."""
        for one in self._all.values():
            if one.id == reference or (one.name and one.name == reference):
                return one
        matches = match_prefix(reference, self._all)
        if len(matches) > 1:
            raise BadParameter(f"multiple IDs found with provided prefix: {reference}")
        if not matches:
            raise NotFound(f"No such snapshot: {reference}")
        return self._all[matches[0]]

    def check_name(self, name: str) -> str:
        """A free, well-formed name, or "" for none. BadParameter, Conflict."""
        if not name:
            return name
        if len(name) < 2 or not set(name) <= _NAME_CHARACTERS or not name[0].isalnum():
            raise BadParameter(f"Invalid snapshot name ({name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed")
        for one in self._all.values():
            if one.name == name:
                raise Conflict(f'The snapshot name "{name}" is already in use by snapshot "{one.id}".')
        return name

    def add(self, snapshot: Snapshot) -> None:
        """Write it down."""
        self._database.execute("INSERT INTO snapshots VALUES (?, ?)", (snapshot.id, encode(snapshot)))
        self._all[snapshot.id] = snapshot

    def remove(self, ids: Iterable[str]) -> None:
        """Forget them; their folders stay for whoever came from them."""
        for one in ids:
            self._database.execute("DELETE FROM snapshots WHERE id = ?", (one,))
            self._all.pop(one, None)

    def frozen(self) -> Iterator[str]:
        """The frozen folders that snapshots need."""
        for one in self._all.values():
            yield from one.frozen()
