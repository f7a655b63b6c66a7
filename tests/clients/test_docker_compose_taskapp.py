"""`docker compose` 2.40.3 with the task management stack, and we and it in turn on the same containers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.clients.docker_compose import DockerCompose
from tests.embedded.engine_process import EngineClient
from tests.stacks.taskapp import Account, Taskapp, get_json

pytestmark = [pytest.mark.root, pytest.mark.slow, pytest.mark.network, pytest.mark.timeout(1200)]
HEALTHY = {"db": "healthy", "backend": "healthy", "frontend": "healthy"}


@pytest.fixture
def theirs(taskapp: Taskapp, compose_plugin: Path) -> DockerCompose:
    """The real `docker compose` in the stack's folder; the stack is up."""
    taskapp.up()
    return DockerCompose(compose_plugin, f"unix://{taskapp.command.socket}", taskapp.folder)


def health(compose: DockerCompose) -> dict[str, str]:
    return {name: row["Health"] for name, row in compose.ps().items()}


def ours(taskapp: Taskapp) -> dict[str, str]:
    rows = [json.loads(line) for line in taskapp.ok("ps", "--format", "json").splitlines()]
    return {row["Service"]: row["ID"] for row in rows}


def test_they_see_follow_and_take_down_what_we_brought_up(taskapp: Taskapp, theirs: DockerCompose) -> None:
    assert health(theirs) == HEALTHY
    assert "database system is ready" in theirs.ok("logs", "--no-log-prefix", "db")
    assert theirs.ok("exec", "-T", "backend", "id", "-un") == "appuser\n"
    assert {row["Name"] for row in theirs.rows("ls")} == {"taskapp"}
    theirs.ok("down", "-v")
    assert ours(taskapp) == {}


def test_they_build_and_bring_it_up_and_we_keep_and_take_it_down(
    taskapp: Taskapp, theirs: DockerCompose
) -> None:
    theirs.ok("down", "-v")
    theirs.ok("up", "--build", "-d", "--wait", timeout=900)
    assert health(theirs) == HEALTHY
    assert get_json(f"{taskapp.api}/health")[0] == 200
    made = {name: row["ID"] for name, row in theirs.ps().items()}
    assert ours(taskapp) == made
    assert "database system is ready" in taskapp.ok("logs", "--no-log-prefix", "db")
    taskapp.up()
    # Their image has a label more than ours (who built it), so that nothing but the database need be the same.
    assert ours(taskapp)["db"] == made["db"]
    taskapp.ok("down", "-v")
    assert theirs.ps() == {}


def test_exec_cp_restart_stop_and_start(taskapp: Taskapp, theirs: DockerCompose) -> None:
    theirs.ok("up", "--build", "-d", "--wait", timeout=900)
    ada = Account(taskapp.api).sign_up("compose@example.org")
    assert ada.ask("POST", "/tasks", {"title": "Kept"})[0] == 201
    count = ("psql", "-U", "taskapp_user", "-d", "taskmanagement_db", "-Atc", "select count(*) from tasks")
    before = theirs.ok("exec", "-T", "db", *count)
    (taskapp.folder / "note.txt").write_text("carried")
    theirs.ok("cp", "note.txt", "frontend:/tmp/note.txt")
    assert theirs.ok("exec", "-T", "frontend", "cat", "/tmp/note.txt") == "carried"
    theirs.ok("cp", "backend:/app", "copied")
    assert any((taskapp.folder / "copied").iterdir())
    theirs.ok("restart")
    theirs.ok("up", "-d", "--wait")
    theirs.ok("stop")
    assert {row["State"] for row in theirs.ps().values()} == {"exited"}
    theirs.ok("start")
    theirs.ok("up", "-d", "--wait")
    assert health(theirs) == HEALTHY
    assert theirs.ok("exec", "-T", "db", *count) == before
    assert ada.titles() == ["Kept"]


def test_an_ordinary_user_builds_uses_and_takes_it_down(users_taskapp: Taskapp, compose_plugin: Path) -> None:
    socket = users_taskapp.command.socket
    theirs = DockerCompose(compose_plugin, f"unix://{socket}", users_taskapp.folder)
    theirs.ok("down", "-v")
    theirs.ok("up", "-d", "--build", "--wait", timeout=900)
    assert health(theirs) == HEALTHY
    ada = Account(users_taskapp.api).sign_up("user@example.org")
    assert ada.ask("POST", "/tasks", {"title": "Kept"})[0] == 201
    assert "database system is ready" in theirs.ok("logs", "--no-log-prefix", "db")
    assert theirs.ok("exec", "-T", "backend", "id", "-un") == "appuser\n"
    (users_taskapp.folder / "note.txt").write_text("carried")
    theirs.ok("cp", "note.txt", "frontend:/tmp/note.txt")
    assert theirs.ok("exec", "-T", "frontend", "cat", "/tmp/note.txt") == "carried"
    theirs.ok("restart")
    theirs.ok("up", "-d", "--wait", "--no-build")
    assert ada.titles() == ["Kept"]
    theirs.ok("down", "-v")
    assert theirs.ps() == {}
    assert EngineClient(users_taskapp.command.root, socket).request("GET", "/volumes")[1]["Volumes"] in (
        None,
        [],
    )
