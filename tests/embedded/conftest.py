"""Real engines for the tests of the embedded engine.

What uses the `engine` fixture runs twice: on the embedded engine, and on Docker Engine (Debian's docker.io), so that it
describes Docker and not us. What cannot says so: `ours_only("why")`; a whole module of the embedded engine's own
surroundings takes `own_engine`, which is ours always.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from tests.embedded.engine_process import EngineClient, EngineProcess
from tests.embedded.rootless.ordinary_user import UserEngine, delegated_groups
from tests.peers import IMAGE, busybox_archive

HERE = Path(__file__).parent

Process = TypeVar("Process", bound=EngineProcess)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests of what is ours alone do not run on Docker Engine; `as_user` ones run as an ordinary user, too."""
    kept, left_out = [], []
    for item in items:
        if not item.path.is_relative_to(HERE):  # pytest asks for everything that was collected
            kept.append(item)
            continue
        callspec = getattr(item, "callspec", None)
        engine = callspec.params.get("engine") if callspec is not None else None
        unwanted = (engine == "docker" and item.get_closest_marker("ours_only")) or (
            engine == "user"
            and (not item.get_closest_marker("as_user") or item.get_closest_marker("root_only"))
        )
        (left_out if unwanted else kept).append(item)
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = kept


@pytest.fixture(scope="module", params=["embedded", "user", pytest.param("docker", marks=pytest.mark.docker)])
def engine(request: pytest.FixtureRequest) -> Iterator[EngineClient]:
    """An engine for the tests of one module, with the busybox image `tests.peers.IMAGE` and nothing else."""
    if request.param == "docker":
        docker = request.getfixturevalue("dockerd")  # one for all modules: it takes seconds to start
        client = EngineClient(docker.socket.parent, docker.socket)
        yield client
        clear(client)
        return
    if request.param == "user":
        yield from users_engine(request)
        return
    yield from started(EngineProcess())


def started(process: Process) -> Iterator[Process]:
    """The engine while a test uses it, with the busybox image; it leaves no process behind."""
    try:
        process.start()
        load_busybox(process)
        yield process
    finally:
        process.close()


def users_engine(request: pytest.FixtureRequest) -> Iterator[EngineProcess]:
    """The engine of an ordinary user with control groups of its own, and with the busybox image."""
    request.getfixturevalue("tun")
    account = request.getfixturevalue("account")
    with delegated_groups(account) as groups:
        yield from started(UserEngine(account, cgroups=groups))


def clear(client: EngineClient) -> None:
    """Leave the engine as the next module wants to find it."""
    for one in client.request("GET", "/containers/json?all=1")[1]:
        client.request("DELETE", f"/containers/{one['Id']}?force=1&v=1")
    for one in client.request("GET", "/images/json")[1]:
        for name in one["RepoTags"] or [one["Id"]]:
            if name != IMAGE:
                client.request("DELETE", f"/images/{name}?force=1")
    client.request("POST", "/networks/prune")
    for one in client.request("GET", "/volumes")[1]["Volumes"] or ():
        client.request("DELETE", f"/volumes/{one['Name']}?force=1")
    load_busybox(client)


@pytest.fixture
def own_engine() -> Iterator[EngineProcess]:
    """An engine for one test alone, which may kill it; with the busybox image."""
    yield from started(EngineProcess())


@pytest.fixture
def docker_cli() -> None:
    """Skips where there is no `docker` client."""
    if shutil.which("docker") is None:
        pytest.skip("the docker client is not installed")


def load_busybox(process: EngineClient) -> None:
    """Load the test image."""
    status, answer = process.request("POST", "/images/load?quiet=1", raw=busybox_archive())
    assert status == 200, answer
