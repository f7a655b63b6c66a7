"""Brings the schema up to date: `migrations/NNNN_name.sql`, in order, each once.

Safe with any number of backends starting together: everything happens in one transaction under an
advisory lock, so the others wait and then find nothing to do, and a failure leaves no half schema.
"""

from __future__ import annotations

import hashlib
import logging
import time
from dataclasses import dataclass
from pathlib import Path

import psycopg2

from .database import connect

_FOLDER = Path(__file__).parent / "migrations"
_LOCK = 7_461_736_170  # any number that no other program on this database uses
_log = logging.getLogger("taskapp.migrate")


class MigrationError(Exception):
    """The database and the migrations at hand do not belong together."""


@dataclass(frozen=True)
class Migration:
    version: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()


def available(folder: Path = _FOLDER) -> list[Migration]:
    """The migrations on disk, by version; versions count 1, 2, 3... without gaps."""
    found = []
    for path in sorted(folder.glob("*.sql")):
        version, _, name = path.stem.partition("_")
        found.append(Migration(int(version), name, path.read_text(encoding="utf-8")))
    if [migration.version for migration in found] != list(range(1, len(found) + 1)):
        raise MigrationError(f"The migrations in {folder} are not numbered 1, 2, 3...")
    return found


def migrate(database_url: str, folder: Path = _FOLDER) -> list[Migration]:
    """Apply what is missing; returns what was applied. Raises `MigrationError` or `psycopg2.Error`."""
    migrations = available(folder)
    connection = connect(database_url)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
            cursor.execute("SELECT to_regclass('schema_migrations') IS NOT NULL AS there")
            row = cursor.fetchone()
            if not (row and row["there"]):
                cursor.execute(
                    "CREATE TABLE schema_migrations (version integer PRIMARY KEY, name text NOT NULL,"
                    " checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
                )
            cursor.execute("SELECT version, checksum FROM schema_migrations")
            applied = {row["version"]: row["checksum"] for row in cursor.fetchall()}
            _check(applied, migrations)
            missing = [migration for migration in migrations if migration.version not in applied]
            for migration in missing:
                cursor.execute(migration.sql)
                cursor.execute(
                    "INSERT INTO schema_migrations (version, name, checksum) VALUES (%s, %s, %s)",
                    (migration.version, migration.name, migration.checksum),
                )
                _log.info("applied migration %04d %s", migration.version, migration.name)
        return missing
    finally:
        connection.close()


def migrate_when_reachable(database_url: str, patience: float = 30.0) -> list[Migration]:
    """`migrate`, waiting up to `patience` seconds for the database to accept connections."""
    deadline = time.monotonic() + patience
    pause = 0.05
    while True:
        try:
            return migrate(database_url)
        except psycopg2.OperationalError as error:
            if time.monotonic() + pause > deadline:
                raise
            _log.warning("the database does not answer yet: %s", str(error).strip().splitlines()[0])
            time.sleep(pause)
            pause = min(pause * 2, 2.0)


def _check(applied: dict[int, str], migrations: list[Migration]) -> None:
    known = {migration.version: migration for migration in migrations}
    for version, checksum in sorted(applied.items()):
        migration = known.get(version)
        if migration is None:
            raise MigrationError(f"The database has migration {version}, which this version does not know.")
        if migration.checksum != checksum:
            raise MigrationError(
                f"Migration {version:04d}_{migration.name} was changed after it had been applied;"
                " add a new migration instead."
            )
