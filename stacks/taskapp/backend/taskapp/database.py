"""One PostgreSQL connection per worker thread, checked before use and replaced when it has died.

gunicorn's gthread workers keep a fixed set of threads, so this is a pool without a pool's queue: at
most workers x threads connections, and a restarted database costs each thread one reconnect.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import psycopg2
from psycopg2.extensions import connection as PgConnection  # noqa: N812
from psycopg2.extras import RealDictCursor

from .errors import DatabaseUnavailable

_CONNECT_OPTIONS: dict[str, Any] = {
    "connect_timeout": 3,
    "application_name": "task-management-backend",
    # A vanished database must not hang a worker thread for TCP's own quarter of an hour.
    "tcp_user_timeout": 10_000,
    "options": "-c statement_timeout=10000 -c timezone=UTC",
}


def connect(url: str) -> PgConnection:
    """A new connection, with our timeouts. Raises `psycopg2.OperationalError`."""
    return psycopg2.connect(url, cursor_factory=RealDictCursor, **_CONNECT_OPTIONS)


class Database:
    """Hands each thread its own connection."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._local = threading.local()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[RealDictCursor]:
        """A cursor inside a transaction: committed at the end, rolled back on any exception.

        Raises `DatabaseUnavailable` when there is no reaching the database, also midway.
        """
        connection = self._checked()
        try:
            with connection, connection.cursor() as cursor:
                yield cursor
        except (psycopg2.OperationalError, psycopg2.InterfaceError) as error:
            self._drop()
            raise DatabaseUnavailable from error

    def _checked(self) -> PgConnection:
        existing: PgConnection | None = getattr(self._local, "connection", None)
        if existing is not None:
            try:
                with existing, existing.cursor() as cursor:
                    cursor.execute("SELECT 1")
                return existing
            except (psycopg2.OperationalError, psycopg2.InterfaceError):
                self._drop()
        try:
            self._local.connection = connect(self._url)
        except psycopg2.OperationalError as error:
            raise DatabaseUnavailable from error
        return self._local.connection  # type: ignore[no-any-return]

    def _drop(self) -> None:
        connection: PgConnection | None = getattr(self._local, "connection", None)
        self._local.connection = None
        if connection is not None:
            with contextlib.suppress(psycopg2.Error):
                connection.close()
