"""The database: migrations once, transactions whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from stackwright.embedded.errors import DiskFull
from stackwright.embedded.ids import is_id_prefix, match_prefix, new_id, short_id
from stackwright.embedded.state import Database, Reserve


def test_migrations_run_once_and_go_on_where_they_stopped(tmp_path: Path) -> None:
    steps = ["CREATE TABLE a (x INTEGER)", "INSERT INTO a VALUES (1)"]
    database = Database(tmp_path / "x.db")
    database.migrate("a", steps)
    database.close()
    database = Database(tmp_path / "x.db")
    database.migrate("a", [*steps, "INSERT INTO a VALUES (2)"])
    assert [row["x"] for row in database.execute("SELECT x FROM a")] == [1, 2]


def test_a_failed_transaction_leaves_nothing() -> None:
    database = Database(":memory:")
    database.migrate("a", ["CREATE TABLE a (x INTEGER)"])
    with pytest.raises(RuntimeError), database.transaction():
        database.execute("INSERT INTO a VALUES (1)")
        with database.transaction():
            database.execute("INSERT INTO a VALUES (2)")
        raise RuntimeError
    assert database.execute("SELECT count(*) FROM a").fetchone()[0] == 0


def test_ids_have_dockers_form() -> None:
    value = new_id()
    assert len(value) == 64 and is_id_prefix(value) and not short_id(value).isdigit()
    assert short_id(f"sha256:{value}") == value[:12]
    assert match_prefix("ab", ["abc", "abd", "b"]) == ["abc", "abd"]
    assert match_prefix("abc", ["abc", "abcd"]) == ["abc"]
    assert match_prefix("xyz", ["xyz"]) == []


def test_a_full_disk_is_said_ends_the_transaction_and_can_be_got_over(tmp_path: Path) -> None:
    database = Database(tmp_path / "x.db")
    database.migrate("a", ["CREATE TABLE a (x TEXT)"])
    database.execute("INSERT INTO a VALUES ('kept')")
    database.execute("PRAGMA max_page_count = 8")
    with pytest.raises(DiskFull, match="no space left on the disk"), database.transaction():
        for _ in range(100):
            database.execute("INSERT INTO a VALUES (?)", ("x" * 1000,))
    assert database.execute("SELECT count(*) FROM a").fetchone()[0] == 1
    database.execute("PRAGMA max_page_count = 1000")
    with database.transaction():
        database.execute("INSERT INTO a VALUES ('more')")
    assert database.execute("SELECT count(*) FROM a").fetchone()[0] == 2


def test_room_is_kept_for_removals_and_taken_back_when_there_is_some(tmp_path: Path) -> None:
    database = Database(tmp_path / "x.db")
    database.migrate("a", ["CREATE TABLE a (x TEXT)"])
    reserve = tmp_path / "x.db-reserve"
    assert reserve.stat().st_blocks * 512 >= Reserve.SIZE
    reserve.unlink()
    database.execute("DELETE FROM a")
    assert reserve.stat().st_size == Reserve.SIZE
