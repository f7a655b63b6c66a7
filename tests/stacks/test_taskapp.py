"""The task management stack as its user meets it: from nothing to healthy, through the command line.

One engine and one built stack serve all tests of this file; each leaves the stack running.
"""

from __future__ import annotations

import datetime
import json
import os
import signal
import subprocess
import time
import uuid
import venv
from pathlib import Path

import docker
import pytest
from tests.stacks.taskapp import PASSWORD, Account, Browser, Taskapp, browser, get_json
from tests.system.test_survival import Requests, engine_pid

pytestmark = [pytest.mark.root, pytest.mark.slow, pytest.mark.network, pytest.mark.timeout(1200)]


@pytest.fixture(scope="module")
def stack(taskapp: Taskapp) -> Taskapp:
    taskapp.up()
    return taskapp


@pytest.fixture
def email() -> str:
    return f"{uuid.uuid4().hex[:10]}@example.org"


def _account(stack: Taskapp) -> Account:
    return Account(stack.api)


def test_three_services_are_healthy(stack: Taskapp) -> None:
    rows = [json.loads(line) for line in stack.ok("ps", "--format", "json").splitlines()]
    assert {row["Service"]: row["Health"] for row in rows} == {
        "db": "healthy",
        "backend": "healthy",
        "frontend": "healthy",
    }
    assert {row["Name"] for row in rows} == {
        "taskmanagement_postgres",
        "taskmanagement_backend",
        "taskmanagement_frontend",
    }


def test_health_endpoints_answer_as_documented(stack: Taskapp) -> None:
    assert get_json(f"{stack.api}/health") == (
        200,
        {
            "message": "Service is running",
            "service": "task-management-backend",
            "status": "healthy",
        },
    )
    status, health = get_json(f"{stack.page}/api/health")
    assert status == 200
    assert health["status"] == "healthy"
    assert health["service"] == "task-management-frontend"
    assert health["message"] == "Service is running normally"
    assert isinstance(health["uptime"], int)
    when = datetime.datetime.fromisoformat(health["timestamp"])
    assert abs((datetime.datetime.now(datetime.UTC) - when).total_seconds()) < 60


def test_services_run_as_ordinary_users(stack: Taskapp) -> None:
    users = {
        service: stack.ok("exec", "-T", service, "id", "-un").strip() for service in ("backend", "frontend")
    }
    assert users == {"backend": "appuser", "frontend": "nextjs"}
    main = stack.ok("exec", "-T", "db", "stat", "-c", "%U", "/proc/1").strip()
    assert main == "postgres"


def test_nothing_of_the_host_s_certificate_authorities_is_left_in_an_image(stack: Taskapp) -> None:
    for service in ("db", "backend", "frontend"):
        found = stack.ok("exec", "-T", "-u", "root", service, "find", "/", "-xdev", "-path", "*host-ca*")
        assert found.strip() == "", found
        environment = stack.ok("exec", "-T", service, "env")
        assert "_CERT" not in environment and "CA_BUNDLE" not in environment and "CA_CERTS" not in environment
        for name in ("/run/stackwright", "/recipe"):
            there = stack.command.run("exec", "-T", service, "test", "-e", name, cwd=stack.folder)
            assert there.returncode == 1, name


def test_the_api_keeps_each_person_s_tasks(stack: Taskapp, email: str) -> None:
    ada = _account(stack).sign_up(email)
    status, answer = ada.ask("POST", "/tasks", {"title": "Buy milk", "priority": "high"})
    assert status == 201
    task = answer["task"]["id"]
    assert ada.ask("POST", "/tasks", {"title": " "})[1]["error"]["fields"] == {"title": "Title is missing."}
    assert ada.ask("PATCH", f"/tasks/{task}", {"title": "Buy oat milk"})[0] == 200
    assert ada.titles("?search=OAT&status=open") == ["Buy oat milk"]
    assert ada.ask("POST", f"/tasks/{task}/complete")[1]["task"]["status"] == "done"
    assert ada.titles("?status=open") == []
    eve = _account(stack).sign_up(f"eve-{email}")
    assert eve.ask("DELETE", f"/tasks/{task}")[0] == 404
    assert ada.ask("DELETE", f"/tasks/{task}")[0] == 204
    assert _account(stack).ask("GET", "/tasks")[0] == 401
    status, answer = _account(stack).log_in(email, "wrong")
    assert (status, answer["error"]["code"]) == (401, "wrong_credentials")


def _sign_up(page: Browser, stack: Taskapp, email: str) -> None:
    page.driver.get(stack.page)
    page.find("#login-form")
    page.click('a[href="/signup"]')
    page.fill(name="Grace Hopper", email=email, password=PASSWORD)
    page.click("#submit")
    page.find("#new-task-title")


def test_a_person_signs_up_and_keeps_a_list(stack: Taskapp, email: str) -> None:
    with browser() as page:
        _sign_up(page, stack, email)
        assert page.find("#user-name").text == "Grace Hopper"
        for title in ("Buy milk", "Call Ada"):
            page.fill(**{"new-task-title": title})
            page.click("#add-task")
            page.until(lambda title=title: title in page.tasks("todo"), f"'{title}' to appear")
        page.task("Buy milk", "Complete")
        page.until(lambda: page.tasks("done") == ["Buy milk"], "the task to be done")
        page.task("Call Ada", "Delete")
        page.click("#confirm-delete")
        page.until(lambda: page.tasks("todo") == [], "the task to be gone")
        page.driver.refresh()
        page.until(lambda: page.tasks("done") == ["Buy milk"], "the list to be there after a reload")
        page.click("#log-out")

        page.fill(email=email, password="not my password")
        page.click("#submit")
        assert page.find("#form-error").text == "Wrong email or password. Please try again."
        page.fill(email=email, password=PASSWORD)
        page.click("#submit")
        page.until(lambda: page.tasks("done") == ["Buy milk"], "the list after logging in again")


def test_the_page_says_so_when_the_api_is_down(stack: Taskapp, email: str) -> None:
    with browser() as page:
        _sign_up(page, stack, email)
        stack.ok("stop", "backend")
        try:
            page.fill(**{"new-task-title": "Written while the API was away"})
            page.click("#add-task")
            assert "can't reach the server" in page.find("#board-error").text
        finally:
            stack.up()
        page.click("#add-task")
        page.until(lambda: page.tasks("todo") == ["Written while the API was away"], "the task to be kept")


def test_data_outlives_down_but_not_down_with_volumes(stack: Taskapp, email: str) -> None:
    ada = _account(stack).sign_up(email)
    assert ada.ask("POST", "/tasks", {"title": "Outlive this"})[0] == 201
    stack.ok("down")
    stack.up()
    status, answer = _account(stack).log_in(email)
    assert status == 200
    assert Account(stack.api, answer["token"]).titles() == ["Outlive this"]
    stack.ok("down", "-v")
    stack.up()
    assert _account(stack).log_in(email)[0] == 401
    assert ada.ask("GET", "/auth/me")[0] == 401


def test_a_killed_database_comes_back_with_its_data(stack: Taskapp, email: str) -> None:
    ada = _account(stack).sign_up(email)
    assert ada.ask("POST", "/tasks", {"title": "Survive this"})[0] == 201
    client = docker.APIClient(base_url=f"unix://{stack.command.socket}", version="1.41")
    try:
        before = client.inspect_container("taskmanagement_postgres")["State"]["Pid"]
        os.kill(before, signal.SIGKILL)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            if ada.ask("GET", "/tasks")[0] == 200 and get_json(f"{stack.api}/health")[0] == 200:
                break
            time.sleep(0.1)
        assert ada.titles() == ["Survive this"]
        assert client.inspect_container("taskmanagement_postgres")["State"]["Pid"] != before
    finally:
        client.close()


def test_no_request_fails_when_the_engine_is_killed(stack: Taskapp, email: str) -> None:
    ada = _account(stack).sign_up(email)
    for number in range(5):
        assert ada.ask("POST", "/tasks", {"title": f"before {number}"})[0] == 201
    with Requests(f"{stack.api}/health") as api, Requests(f"{stack.page}/api/health") as page:
        time.sleep(0.5)
        os.kill(engine_pid(stack.command.socket), signal.SIGKILL)
        time.sleep(2)
        assert ada.ask("POST", "/tasks", {"title": "while it was away"})[0] == 201
        rows = [json.loads(line) for line in stack.ok("ps", "--format", "json").splitlines()]
        time.sleep(0.5)
    assert (api.failures, page.failures) == ([], [])
    assert api.good > 20 and page.good > 20
    assert {row["Service"]: row["State"] for row in rows} == {
        "db": "running",
        "backend": "running",
        "frontend": "running",
    }
    assert "Ready in" in stack.ok("logs", "--no-log-prefix", "frontend")
    assert "database system is ready" in stack.ok("logs", "--no-log-prefix", "db")


def test_the_backend_s_own_tests_pass_against_this_database(stack: Taskapp, tmp_path: Path) -> None:
    settings = dict(
        line.split("=", 1)
        for line in (stack.folder / ".env").read_text().splitlines()
        if "=" in line and not line.startswith("#")
    )
    backend = stack.folder / "backend"
    venv.create(tmp_path / "venv", with_pip=True)
    python = str(tmp_path / "venv" / "bin" / "python")
    install = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    subprocess.run([*install, "--require-hashes", "-r", str(backend / "requirements.txt")], check=True)
    subprocess.run([*install, f"pytest=={pytest.__version__}"], check=True)
    url = "postgresql://{POSTGRES_USER}:{POSTGRES_PASSWORD}@127.0.0.1:{POSTGRES_PORT}/{POSTGRES_DB}"
    result = subprocess.run(
        [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", ".", "tests"],
        cwd=backend,
        env={**os.environ, "TEST_DATABASE_URL": url.format_map(settings)},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert result.returncode == 0, result.stdout[-3000:]
    assert "skipped" not in result.stdout, result.stdout[-1000:]


def test_a_second_up_changes_nothing_and_is_quick(stack: Taskapp) -> None:
    before = stack.ok("ps", "-q").split()
    started = time.monotonic()
    stack.up()
    assert stack.ok("ps", "-q").split() == before
    assert time.monotonic() - started < 10
