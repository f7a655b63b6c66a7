"""Every scenario on every engine, compared with what the real `docker compose` did on Docker Engine.

Its answers are recorded (`scripts/record-scenarios`); some scenarios are played with the real thing here too,
so that a recording which is not true any more does not go unnoticed.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from tests.scenarios import differing, recordings
from tests.scenarios.compare import differences
from tests.scenarios.record import PEER, peer
from tests.scenarios.runner import Tool, play
from tests.scenarios.scenario import Scenario, every
from tests.support.forkserver import end_servers

AT_ONCE = 3
"""Scenarios on one engine at a time: most of one is waiting for processes to begin and end."""
LIVE_EACH = 12
"""One of so many is also played with the real `docker compose`."""
SCENARIOS = every()
STACKWRIGHT = str(Path(sys.executable).with_name("stackwright"))

_FIXTURES = {"docker": "dockerd", "podman": "podman", "embedded": "embedded_engine"}

pytestmark = pytest.mark.slow


class Stage:
    """Plays the scenarios of one engine, some side by side, ahead of the tests that ask for them."""

    def __init__(self, tool: Tool, letter: str, folder: Path, wanted: list[Scenario]) -> None:
        self._pool = ThreadPoolExecutor(AT_ONCE)
        self._played: dict[str, Future[list[Any]]] = {}
        for one in wanted:
            number = SCENARIOS.index(one)
            project = f"{letter}{os.getpid() % 10000:04}x{number:03}"
            self._played[one.name] = self._pool.submit(play, one, tool, folder / project, project)

    def answers(self, scenario: Scenario) -> list[Any]:
        """What was seen; waits for it."""
        return self._played[scenario.name].result()

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)


def _stage(request: pytest.FixtureRequest, engine: str, tool: Tool) -> Iterator[Stage]:
    wanted = [
        item.callspec.params["scenario"]
        for item in request.session.items
        if isinstance(item, pytest.Function)
        and hasattr(item, "callspec")
        and item.callspec.params.get("stage") == engine
    ]
    with tempfile.TemporaryDirectory(prefix="sw-scen-") as folder:
        made = Stage(tool, engine[0], Path(folder), wanted)
        try:
            yield made
        finally:
            made.close()


@pytest.fixture(scope="session")
def fork_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where commands leave fork servers, as they do for a person."""
    folder = tmp_path_factory.mktemp("warm", numbered=True)
    yield folder
    end_servers(folder)


@pytest.fixture(
    scope="session",
    params=[
        pytest.param("docker", marks=[pytest.mark.docker, pytest.mark.xdist_group("scenarios on docker")]),
        pytest.param("podman", marks=[pytest.mark.root, pytest.mark.xdist_group("scenarios on podman")]),
        pytest.param("embedded", marks=[pytest.mark.root, pytest.mark.xdist_group("scenarios embedded")]),
    ],
)
def stage(request: pytest.FixtureRequest, fork_servers: Path) -> Iterator[tuple[str, Stage]]:
    """Name of the engine, and our tool's scenarios on it."""
    engine = str(request.param)
    address = request.getfixturevalue(_FIXTURES[engine])
    tool = Tool((STACKWRIGHT,), address if isinstance(address, str) else address.address, fork_servers)
    for made in _stage(request, engine, tool):
        yield engine, made


@pytest.fixture(scope="session")
def embedded_engine() -> Iterator[str]:
    from tests.peers import running_embedded

    with running_embedded() as address:
        yield address


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda one: f"{one.topic}:{one.name}")
def test_we_do_what_docker_compose_does(scenario: Scenario, stage: tuple[str, Stage]) -> None:
    engine, played = stage
    theirs = recordings.of_topic(scenario.topic).get(scenario.name)
    assert theirs is not None, "not recorded: run scripts/record-scenarios"
    ours = played.answers(scenario)
    verdict = differing.judge(scenario.name, engine, differences(theirs, ours))
    assert verdict.fine, verdict.text(ours)


@pytest.fixture(scope="session")
def real(request: pytest.FixtureRequest) -> Iterator[Stage]:
    """The real `docker compose`'s scenarios on Docker Engine."""
    try:
        program = peer()
    except OSError:
        pytest.skip(f"{PEER} does not work here")
    tool = Tool((str(program),), request.getfixturevalue("dockerd").address)
    yield from _stage(request, "real", tool)


@pytest.mark.docker
@pytest.mark.network
@pytest.mark.xdist_group("scenarios on docker")
@pytest.mark.parametrize("stage", ["real"], indirect=False)
@pytest.mark.parametrize("scenario", SCENARIOS[::LIVE_EACH], ids=lambda one: f"{one.topic}:{one.name}")
def test_docker_compose_still_does_what_was_recorded(scenario: Scenario, stage: str, real: Stage) -> None:
    found = differences(recordings.of_topic(scenario.topic)[scenario.name], real.answers(scenario))
    assert not found, json.dumps(found, indent=1)
