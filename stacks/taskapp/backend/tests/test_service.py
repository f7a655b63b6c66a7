from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from taskapp import migrate as migrations
from taskapp.application import create_app
from taskapp.config import Config, ConfigError


def test_health_says_the_documented_words(client: Any) -> None:
    answer = client.get("/api/health")
    assert answer.status_code == 200
    assert answer.json == {
        "message": "Service is running",
        "service": "task-management-backend",
        "status": "healthy",
    }


def test_health_fails_without_the_database() -> None:
    config = Config("postgresql://nobody@127.0.0.1:1/none", "s" * 32, "j" * 32, ())
    answer = create_app(config).test_client().get("/api/health")
    assert answer.status_code == 503
    assert (answer.json["status"], answer.json["service"]) == ("unhealthy", "task-management-backend")


def test_a_killed_connection_is_replaced(client: Any, empty_database: str) -> None:
    assert client.get("/api/health").status_code == 200
    with psycopg2.connect(empty_database) as admin, admin.cursor() as cursor:
        cursor.execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name = 'task-management-backend'"
        )
        assert cursor.fetchone() == (1,)
    admin.close()
    assert client.get("/api/health").status_code == 200


def test_unknown_paths_and_methods_answer_in_json(client: Any) -> None:
    assert client.get("/api/nothing").json["error"]["code"] == "not_found"
    assert client.put("/api/health").json["error"]["code"] == "method_not_allowed"


def test_migrations_run_once_however_many_start_together(empty_database: str) -> None:
    applied: list[int] = []

    def start() -> None:
        applied.append(len(migrations.migrate(empty_database)))

    threads = [threading.Thread(target=start) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(applied) == [0, 0, 0, 0, 0, len(migrations.available())]


def test_a_failing_migration_leaves_nothing_behind(empty_database: str, tmp_path: Path) -> None:
    (tmp_path / "0001_good.sql").write_text("CREATE TABLE good ();")
    (tmp_path / "0002_bad.sql").write_text("CREATE TABLE nonsense (;")
    with pytest.raises(psycopg2.Error):
        migrations.migrate(empty_database, tmp_path)
    with psycopg2.connect(empty_database) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('good'), to_regclass('schema_migrations')")
        assert cursor.fetchone() == (None, None)
    connection.close()


def test_a_changed_or_unknown_migration_stops_the_start(empty_database: str, tmp_path: Path) -> None:
    file = tmp_path / "0001_first.sql"
    file.write_text("CREATE TABLE a ();")
    migrations.migrate(empty_database, tmp_path)
    file.write_text("CREATE TABLE b ();")
    with pytest.raises(migrations.MigrationError, match="was changed after"):
        migrations.migrate(empty_database, tmp_path)
    file.unlink()
    with pytest.raises(migrations.MigrationError, match="does not know"):
        migrations.migrate(empty_database, tmp_path)


def test_missing_settings_are_all_named() -> None:
    with pytest.raises(ConfigError, match="DATABASE_URL, SECRET_KEY, JWT_SECRET_KEY"):
        Config.from_environment({})
    short = {"DATABASE_URL": "x", "SECRET_KEY": "x", "JWT_SECRET_KEY": "short"}
    with pytest.raises(ConfigError, match="at least 32"):
        Config.from_environment(short)
