"""Ctrl-C in the foreground: once is a graceful stop, twice is a kill."""

from __future__ import annotations

import json
import signal
import time

import pytest
from tests.system.conftest import Project

pytestmark = pytest.mark.root


def _states(project: Project) -> dict[str, str]:
    rows = project.ok("ps", "-a", "--format", "json").splitlines()
    return {row["Service"]: row["State"] for row in map(json.loads, rows)}


def _wait_for(project: Project, wanted: dict[str, str], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while (seen := _states(project)) != wanted:
        assert time.monotonic() < deadline, f"{seen} instead of {wanted}"
        time.sleep(0.1)


def test_one_interrupt_stops_the_stack_gracefully(project: Project) -> None:
    project.write(
        "services:\n  job:\n    image: tiny:1\n"
        "    command: [sh, -c, \"trap 'echo tidied up; exit 0' TERM; echo ready; while true; do sleep 0.1; done\"]\n"
    )
    foreground = project.command.start("up", cwd=project.folder)
    _wait_for(project, {"job": "running"})
    time.sleep(0.5)
    foreground.send_signal(signal.SIGINT)
    output, _ = foreground.communicate(timeout=20)
    assert foreground.returncode == 130, output
    assert _states(project) == {"job": "exited"}
    assert "tidied up" in project.ok("logs", "job")
    project.ok("down", "-v")


def test_a_second_interrupt_kills(project: Project) -> None:
    project.write(
        "services:\n  deaf:\n    image: tiny:1\n    stop_grace_period: 60s\n"
        "    command: [sh, -c, \"trap '' TERM; while true; do sleep 0.1; done\"]\n"
    )
    foreground = project.command.start("up", cwd=project.folder)
    _wait_for(project, {"deaf": "running"})
    time.sleep(0.5)
    began = time.monotonic()
    foreground.send_signal(signal.SIGINT)
    time.sleep(1)
    foreground.send_signal(signal.SIGINT)
    output, _ = foreground.communicate(timeout=20)
    assert time.monotonic() - began < 15, output
    assert foreground.returncode != 0
    assert _states(project) == {"deaf": "exited"}
    project.ok("down", "-v")
