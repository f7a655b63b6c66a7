"""The engine's consistent state: one SQLite file, one connection, used by every service.

Write-ahead logging with synchronous=NORMAL: a killed engine loses nothing that was committed; power loss may
lose the last commits but never tears one. Each service owns its tables and brings them up by `migrate`.

    db = Database(state_dir / "engine.db")
    db.migrate("volumes", ["CREATE TABLE volumes (name TEXT PRIMARY KEY, data TEXT NOT NULL)"])
    with db.transaction():
        db.execute("INSERT INTO volumes VALUES (?, ?)", (name, encode(volume)))

Never await inside `transaction()`: statements of other tasks would fall into it.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")


def encode(value: Any) -> str:
    """Value (msgspec Struct, dataclass, dict, list…) → JSON text for a column."""
    return msgspec.json.encode(value).decode()


def decode(text: str | bytes, kind: type[T]) -> T:
    """JSON text of a column → a value of `kind`; raises msgspec.ValidationError when it does not fit."""
    return msgspec.json.decode(text, type=kind)


class Database:
    """One SQLite connection shared by the services (and their worker threads, one at a time)."""

    def __init__(self, path: Path | str) -> None:
        if str(path) != ":memory:":
            Path(path).parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.RLock()
        self._depth = 0
        self._connection = sqlite3.connect(str(path), isolation_level=None, check_same_thread=False)
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=NORMAL")
        self._connection.execute("PRAGMA foreign_keys=ON")
        self._connection.execute("PRAGMA busy_timeout=5000")
        self._connection.execute(
            "CREATE TABLE IF NOT EXISTS migrations (service TEXT PRIMARY KEY, version INTEGER NOT NULL)"
        )

    def migrate(self, service: str, statements: Sequence[str]) -> None:
        """Run those of `statements` (one step each, append only) that this file has not seen yet."""
        with self.transaction():
            row = self.execute("SELECT version FROM migrations WHERE service = ?", (service,)).fetchone()
            done = int(row["version"]) if row else 0
            for statement in statements[done:]:
                self.execute(statement)
            self.execute(
                "INSERT OR REPLACE INTO migrations (service, version) VALUES (?, ?)",
                (service, max(done, len(statements))),
            )

    def execute(self, sql: str, parameters: Sequence[Any] | dict[str, Any] = ()) -> sqlite3.Cursor:
        """One statement; outside `transaction()` it commits by itself. Rows are `sqlite3.Row`."""
        with self._lock:
            return self._connection.execute(sql, parameters)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing for the statements inside; a nested one joins the outer."""
        with self._lock:
            self._depth += 1
            try:
                if self._depth == 1:
                    self._connection.execute("BEGIN IMMEDIATE")
                yield
            except BaseException:
                if self._depth == 1 and self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
            else:
                if self._depth == 1:
                    self._connection.execute("COMMIT")
            finally:
                self._depth -= 1

    def close(self) -> None:
        """Close the file; safe to call twice."""
        with self._lock:
            self._connection.close()
