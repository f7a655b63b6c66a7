"""Health checks: early probes, the configured pace afterwards, and what inspect and events tell."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from tests.embedded.engine_process import EngineClient, ours_only
from tests.peers import IMAGE

pytestmark = pytest.mark.root
SECOND = 1_000_000_000


def run(engine: EngineClient, name: str, script: str, **check: Any) -> None:
    body = {"Image": IMAGE, "Cmd": ["sh", "-c", script], "Healthcheck": check}
    assert engine.request("POST", f"/containers/create?name={name}", body)[0] == 201
    assert engine.request("POST", f"/containers/{name}/start")[0] == 204


def health(engine: EngineClient, name: str) -> dict[str, Any]:
    return dict(engine.request("GET", f"/containers/{name}/json")[1]["State"]["Health"])


def wait_for(engine: EngineClient, name: str, status: str, seconds: float = 20) -> float:
    begun = time.monotonic()
    while time.monotonic() - begun < seconds:
        if health(engine, name)["Status"] == status:
            return time.monotonic() - begun
        time.sleep(0.01)
    raise AssertionError(f"{name} did not become {status}: {health(engine, name)}")


@pytest.fixture(autouse=True)
def cleared(engine: EngineClient) -> Any:
    yield
    for container in engine.request("GET", "/containers/json?all=1")[1]:
        engine.request("DELETE", f"/containers/{container['Id']}?force=1&v=1")


@ours_only("Docker probes after the first interval, not before")
def test_healthy_is_seen_long_before_the_interval(engine: EngineClient) -> None:
    run(
        engine,
        "quick",
        "sleep 0.5; touch /ok; sleep 100",
        Test=["CMD-SHELL", "test -e /ok"],
        Interval=30 * SECOND,
    )
    assert wait_for(engine, "quick", "healthy") < 2
    listed = engine.request("GET", "/containers/json")[1]
    assert listed[0]["Status"].endswith("(healthy)")


def test_early_failures_are_not_held_against_a_starting_service(engine: EngineClient) -> None:
    run(
        engine,
        "slow",
        "sleep 1; touch /ok; sleep 100",
        Test=["CMD", "test", "-e", "/ok"],
        Interval=5 * SECOND,
        Retries=1,
    )
    time.sleep(0.5)
    assert health(engine, "slow")["Status"] == "starting"
    assert health(engine, "slow")["FailingStreak"] == 0
    wait_for(engine, "slow", "healthy")


def test_unhealthy_after_the_retries_and_healthy_again_after_one_success(engine: EngineClient) -> None:
    run(
        engine,
        "moody",
        "sleep 100",
        Test=["CMD-SHELL", "echo checked; test -e /tmp/ok"],
        Interval=SECOND // 5,
        Retries=3,
    )
    wait_for(engine, "moody", "unhealthy")
    shown = health(engine, "moody")
    assert shown["FailingStreak"] >= 3
    assert 1 <= len(shown["Log"]) <= 5
    assert shown["Log"][-1]["Output"] == "checked\n" and shown["Log"][-1]["ExitCode"] == 1
    made = engine.request("POST", "/containers/moody/exec", {"Cmd": ["touch", "/tmp/ok"]})[1]
    engine.request("POST", f"/exec/{made['Id']}/start", {"Detach": True})
    wait_for(engine, "moody", "healthy")
    filters = json.dumps({"container": ["moody"], "event": ["health_status"]})
    data = engine.exchange("GET", f"/events?since=1&until={time.time()}&filters={filters.replace(' ', '')}")[
        2
    ]
    assert [json.loads(line)["Action"] for line in data.splitlines()] == [
        "health_status: unhealthy", "health_status: healthy",
    ]  # fmt: skip


def test_a_hanging_check_is_killed_and_said_so(engine: EngineClient) -> None:
    run(
        engine,
        "hung",
        "sleep 100",
        Test=["CMD", "sleep", "77"],
        Interval=SECOND // 5,
        Timeout=SECOND // 5,
        Retries=1,
    )
    wait_for(engine, "hung", "unhealthy")
    assert "Health check exceeded timeout (200ms)" in health(engine, "hung")["Log"][-1]["Output"]
    assert health(engine, "hung")["Log"][-1]["ExitCode"] == -1
    processes = engine.request("GET", "/containers/hung/top")[1]["Processes"]
    assert sum("sleep 77" in row[-1] for row in processes) <= 1


def test_a_check_whose_program_is_missing_is_a_failure_with_its_reason(engine: EngineClient) -> None:
    run(engine, "wrong", "sleep 100", Test=["CMD", "no-such-check"], Interval=SECOND // 5, Retries=1)
    wait_for(engine, "wrong", "unhealthy")
    assert "executable file not found" in health(engine, "wrong")["Log"][-1]["Output"]


def test_the_images_check_is_used_and_none_turns_it_off(engine: EngineClient) -> None:
    made = engine.request("POST", "/containers/create?name=seed", {"Image": IMAGE, "Cmd": ["sleep", "100"]})
    assert made[0] == 201
    check = {"Test": ["CMD", "true"], "Interval": SECOND // 5}
    assert (
        engine.request("POST", "/commit?container=seed&repo=checked&tag=1", {"Healthcheck": check})[0] == 201
    )
    engine.request("POST", "/containers/create?name=by-image", {"Image": "checked:1"})
    engine.request("POST", "/containers/by-image/start")
    wait_for(engine, "by-image", "healthy")
    off = {"Image": "checked:1", "Healthcheck": {"Test": ["NONE"]}}
    engine.request("POST", "/containers/create?name=without", off)
    engine.request("POST", "/containers/without/start")
    assert "Health" not in engine.request("GET", "/containers/without/json")[1]["State"]
