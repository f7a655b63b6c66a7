"""What the engine remembers of a container: its wishes, its present state, and what the last run left."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable, Iterator

import msgspec

from stackwright.embedded.errors import BadParameter, Conflict, DiskFull, NotFound
from stackwright.embedded.ids import match_prefix
from stackwright.embedded.lifecycle.config import Config, EndpointSettings, HostConfig
from stackwright.embedded.lifecycle.machine import UP, Status
from stackwright.embedded.state import Database, decode, encode

log = logging.getLogger("stackwright.engine")
_NAME_CHARACTERS = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-")


class MountPoint(msgspec.Struct, kw_only=True):
    """A mount as decided at creation. `kind`: bind, volume, tmpfs. `options` are the tmpfs options as
    text."""

    kind: str
    destination: str
    source: str = ""
    name: str = ""
    driver: str = ""
    mode: str = ""
    readonly: bool = False
    propagation: str = ""
    options: str = ""
    anonymous: bool = False
    no_copy: bool = False
    subpath: str = ""
    recursive: bool = True


class Probe(msgspec.Struct, kw_only=True, frozen=True):
    """One health check result, kept for inspect."""

    started_ns: int
    ended_ns: int
    exit_code: int
    output: str


class HealthRecord(msgspec.Struct, kw_only=True, frozen=True):
    """`State.Health`."""

    status: str
    failing_streak: int
    log: tuple[Probe, ...] = ()


class Container(msgspec.Struct, kw_only=True):
    """One container. Changed only by its manager, saved after each change that must survive a kill."""

    id: str
    name: str
    created_ns: int
    image_id: str
    image: str
    config: Config
    host_config: HostConfig
    endpoints: dict[str, EndpointSettings] = {}
    """What was asked of each network, by its name; the first is the one with the default route."""
    mounts: list[MountPoint] = []
    status: Status = Status.CREATED
    pid: int = 0
    exit_code: int = 0
    error: str = ""
    oom_killed: bool = False
    started_ns: int = 0
    finished_ns: int = 0
    restarts: int = 0
    restart_delay: float = 0.0
    stopped_by_user: bool = False
    boot_id: str = ""
    health: HealthRecord | None = None
    frozen: list[str] = []
    """Frozen folders between its writable layer and its image, topmost first."""
    snapshot: str = ""
    """What it was created from."""

    @property
    def up(self) -> bool:
        """Whether its process exists."""
        return self.status in UP


class Containers:
    """All containers: in memory for reading, in SQLite for the next engine."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._all: dict[str, Container] = {}
        self._names: dict[str, str] = {}
        database.migrate(
            "containers",
            ["CREATE TABLE containers (id TEXT PRIMARY KEY, name TEXT UNIQUE NOT NULL, data TEXT NOT NULL)"],
        )
        for row in database.execute("SELECT data FROM containers"):
            self._remember(decode(row["data"], Container))

    def __iter__(self) -> Iterator[Container]:
        return iter(list(self._all.values()))

    def __len__(self) -> int:
        return len(self._all)

    def find(self, reference: str) -> Container | None:
        """By id, name (with or without the slash) or unambiguous id prefix; None when there is none."""
        if found := self._all.get(reference):
            return found
        if container_id := self._names.get(reference.removeprefix("/")):
            return self._all[container_id]
        matches = match_prefix(reference, self._all)
        if len(matches) > 1:
            raise BadParameter(f"multiple IDs found with provided prefix: {reference}")
        return self._all[matches[0]] if matches else None

    def get(self, reference: str) -> Container:
        """As `find`, but raises NotFound."""
        container = self.find(reference)
        if container is None:
            raise NotFound(f"No such container: {reference}")
        return container

    def check_name(self, name: str) -> str:
        """A name as given → without its slash; raises BadParameter or Conflict (in use)."""
        name = name.removeprefix("/")
        if len(name) < 2 or not set(name) <= _NAME_CHARACTERS or not name[0].isalnum():
            raise BadParameter(f"Invalid container name ({name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed")
        if owner := self._names.get(name):
            raise Conflict(
                f'Conflict. The container name "/{name}" is already in use by container "{owner}". '
                "You have to remove (or rename) that container to be able to reuse that name."
            )
        return name

    def add(self, container: Container, along: Callable[[], None] = lambda: None) -> None:
        """Insert a new one; its name was checked. What `along` writes is written with it or not at all."""
        with self._database.transaction():
            self._database.execute(
                "INSERT INTO containers VALUES (?, ?, ?)", (container.id, container.name, encode(container))
            )
            along()
        self._remember(container)

    def save(self, container: Container) -> None:
        """Write the present state; does nothing for one that was removed meanwhile.

        On a full disk the state in memory stays the true one and the next save tries again: what happened
        to a container cannot be refused.
        """
        if container.id not in self._all:
            return
        try:
            self._database.execute(
                "UPDATE containers SET data = ? WHERE id = ?", (encode(container), container.id)
            )
        except (DiskFull, sqlite3.OperationalError) as error:
            log.error("the state of container %s could not be written: %s", container.name, error)

    def rename(self, container: Container, name: str) -> None:
        """Give it another, free name."""
        before, container.name = container.name, name
        try:
            self._database.execute(
                "UPDATE containers SET name = ?, data = ? WHERE id = ?",
                (name, encode(container), container.id),
            )
        except BaseException:
            container.name = before
            raise
        del self._names[before]
        self._names[name] = container.id

    def remove(self, container: Container) -> None:
        """Forget it."""
        self._database.execute("DELETE FROM containers WHERE id = ?", (container.id,))
        self._all.pop(container.id, None)
        self._names.pop(container.name, None)

    def _remember(self, container: Container) -> None:
        self._all[container.id] = container
        self._names[container.name] = container.id


def now_ns() -> int:
    """Wall clock in nanoseconds, as the Engine API prints times."""
    return time.time_ns()
