"""The engine's consistent state: one SQLite file, one connection, used by every service.

Write-ahead logging with synchronous=NORMAL: a killed engine loses nothing that was committed; power loss may
lose the last commits but never tears one. Each service owns its tables and brings them up by `migrate`.

    db = Database(state_dir / "engine.db")
    db.migrate("volumes", ["CREATE TABLE volumes (name TEXT PRIMARY KEY, data TEXT NOT NULL)"])
    with db.transaction():
        db.execute("INSERT INTO volumes VALUES (?, ?)", (name, encode(volume)))

Never await inside `transaction()`: statements of other tasks would fall into it.

On a full disk, statements raise DiskFull. So that a full disk can be emptied through the engine, a file beside
the database keeps a little room; deletions get it when there is no other.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from stackwright.embedded.errors import DiskFull

T = TypeVar("T")


def encode(value: Any) -> str:
    """Value (msgspec Struct, dataclass, dict, list…) → JSON text for a column."""
    return msgspec.json.encode(value).decode()


def decode(text: str | bytes, kind: type[T]) -> T:
    """JSON text of a column → a value of `kind`; raises msgspec.ValidationError when it does not fit."""
    return msgspec.json.decode(text, type=kind)


class Reserve:
    """A file whose room is given back when the disk is full and something is to be removed."""

    SIZE = 512 * 1024

    def __init__(self, path: Path | None) -> None:
        self._path = path

    def keep(self) -> None:
        """Have the file, if there is room for it and twice as much again."""
        if self._path is None or self._path.exists():
            return
        disk = os.statvfs(self._path.parent)
        if disk.f_bavail * disk.f_frsize < 3 * self.SIZE:
            return
        temporary = self._path.with_name(self._path.name + ".new")
        try:
            temporary.write_bytes(bytes(self.SIZE))
            temporary.rename(self._path)
        except OSError:
            temporary.unlink(missing_ok=True)

    def release(self) -> bool:
        """Give the room back; false when that was done already."""
        try:
            if self._path is None:
                return False
            self._path.unlink()
        except OSError:
            return False
        return True


class Database:
    """One SQLite connection shared by the services (and their worker threads, one at a time)."""

    def __init__(self, path: Path | str) -> None:
        if str(path) != ":memory:":
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            # Environments of containers are in it. SQLite's own files beside it get the same permissions.
            Path(path).touch(mode=0o600)
            Path(path).chmod(0o600)
        self._path = str(path)
        self._lock = threading.RLock()
        self._depth = 0
        self._reserve = Reserve(Path(f"{path}-reserve") if str(path) != ":memory:" else None)
        self._connection = sqlite3.connect(str(path), isolation_level=None, check_same_thread=False)
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=NORMAL")
        self._connection.execute("PRAGMA foreign_keys=ON")
        self._connection.execute("PRAGMA busy_timeout=5000")
        self._connection.execute(
            "CREATE TABLE IF NOT EXISTS migrations (service TEXT PRIMARY KEY, version INTEGER NOT NULL)"
        )
        self._reserve.keep()

    def migrate(self, service: str, statements: Sequence[str]) -> None:
        """Run those of `statements` (one step each, append only) that this file has not seen yet."""
        row = self.execute("SELECT version FROM migrations WHERE service = ?", (service,)).fetchone()
        done = int(row["version"]) if row else 0
        if row and done >= len(statements):
            return  # nothing is written: an engine starts on a full disk, too
        with self.transaction():
            for statement in statements[done:]:
                self.execute(statement)
            self.execute(
                "INSERT OR REPLACE INTO migrations (service, version) VALUES (?, ?)",
                (service, max(done, len(statements))),
            )

    def execute(self, sql: str, parameters: Sequence[Any] | dict[str, Any] = ()) -> sqlite3.Cursor:
        """One statement; outside `transaction()` it commits by itself. Rows are `sqlite3.Row`."""
        with self._lock:
            if self._depth == 0 and sql.startswith("DELETE"):
                return self._with_reserve(lambda: self._run(sql, parameters))
            return self._run(sql, parameters)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing for the statements inside; a nested one joins the outer."""
        with self._lock:
            self._depth += 1
            try:
                if self._depth == 1:
                    self._run("BEGIN IMMEDIATE")
                yield
                if self._depth == 1:
                    self._run("COMMIT")
            except BaseException:
                if self._depth == 1 and self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
            finally:
                self._depth -= 1

    def removal(self, work: Callable[[], T]) -> T:
        """What `work` gives, in a transaction that makes room, and may use what is kept for that.

        `work` may run twice: whatever fails for want of room is rolled back, and begins again with more.
        """

        def whole() -> T:
            with self.transaction():
                return work()

        with self._lock:
            return whole() if self._depth else self._with_reserve(whole)

    def _with_reserve(self, work: Callable[[], T]) -> T:
        try:
            done = work()
        except DiskFull:
            if not self._reserve.release():
                raise
            return work()
        self._reserve.keep()
        return done

    def _run(self, sql: str, parameters: Sequence[Any] | dict[str, Any] = ()) -> sqlite3.Cursor:
        try:
            return self._connection.execute(sql, parameters)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_FULL and not _is_full_disk(error):
                raise
            raise DiskFull(self._path) from error

    def close(self) -> None:
        """Close the file; safe to call twice."""
        with self._lock:
            self._connection.close()


def _is_full_disk(error: sqlite3.OperationalError) -> bool:
    """What SQLite calls an I/O error when the shared-memory file or the log cannot grow."""
    return error.sqlite_errorname in ("SQLITE_IOERR_SHMSIZE", "SQLITE_IOERR_WRITE", "SQLITE_IOERR_TRUNCATE")
