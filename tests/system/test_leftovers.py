"""After `down -v` and the end of the engine the host is as it was."""

from __future__ import annotations

import time

import pytest
from tests.support.leftovers import HostState, host_state
from tests.system.conftest import Project

pytestmark = [pytest.mark.root, pytest.mark.alone]


@pytest.fixture
def before() -> HostState:
    return host_state()


def test_nothing_is_left_after_down_and_the_end_of_the_engine(before: HostState, project: Project) -> None:
    project.ok("up", "-d", "--wait")
    running = host_state().added_since(before)
    assert running["processes"] and running["links"] and running["cgroups"], "the counter sees nothing"
    project.ok("down", "-v")
    project.ok("engine", "stop")
    assert _settled(before) == {}


def test_nothing_is_left_when_the_idle_engine_ends_by_itself(before: HostState, project: Project) -> None:
    project.command.stop_engine()
    project.command.environment["STACKWRIGHT_IDLE_SECONDS"] = "2"
    project.ok("up", "-d", "--wait")
    project.ok("down", "-v")
    assert _settled(before, patience=15) == {}


def test_nothing_is_left_after_an_up_that_failed(before: HostState, project: Project) -> None:
    project.write(
        "services:\n  web:\n    image: tiny:1\n    command: [sleep, '60']\n    init: true\n"
        "  bad:\n    image: tiny:1\n    command: [no-such-program]\n    depends_on: [web]\n"
    )
    result = project.command.run("up", "-d", "--wait", cwd=project.folder)
    assert result.returncode != 0
    project.ok("down", "-v")
    project.ok("engine", "stop")
    assert _settled(before) == {}


def _settled(before: HostState, patience: float = 5) -> dict[str, list[str]]:
    # The kernel takes network namespaces (and the links in them) apart in its own time.
    deadline = time.monotonic() + patience
    while (added := host_state().added_since(before)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return added
