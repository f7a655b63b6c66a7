"""The main job for whoever is not root: the task management stack from nothing to healthy, with no rights of its own."""

from __future__ import annotations

import json

import pytest
from tests.embedded.engine_process import EngineClient
from tests.embedded.rootless.ordinary_user import Account as Owner
from tests.stacks.taskapp import Account, Taskapp

pytestmark = [pytest.mark.root, pytest.mark.slow, pytest.mark.network, pytest.mark.timeout(1200)]


def test_an_ordinary_user_builds_and_runs_it_from_nothing(users_taskapp: Taskapp, account: Owner) -> None:
    """Base images too: no root's engine has made anything before."""
    users_taskapp.up()
    rows = [json.loads(line) for line in users_taskapp.ok("ps", "--format", "json").splitlines()]
    assert {row["Service"]: row["Health"] for row in rows} == dict.fromkeys(
        ("db", "backend", "frontend"), "healthy"
    )
    ada = Account(users_taskapp.api).sign_up("ada@example.org")
    assert ada.ask("POST", "/tasks", {"title": "Without root"})[0] == 201
    assert ada.titles() == ["Without root"]
    engine = EngineClient(users_taskapp.command.root, users_taskapp.command.socket)
    for reference in ("postgres:15-alpine", "python:3.11-slim", "node:20-slim"):
        labels = engine.request("GET", f"/images/{reference}/json")[1]["Config"]["Labels"]
        assert labels["dev.stackwright.standin"], reference
    running = "\n".join(account.processes())
    for program in ("postgres", "gunicorn", "next-server"):
        assert program in running, f"{program} is to run as the user"
