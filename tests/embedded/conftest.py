"""Real engines for the tests of the embedded engine.

`STACKWRIGHT_TEST_ENGINE=docker` runs what uses the `engine` fixture against Docker Engine (Debian's docker.io)
instead, so that the tests can be seen to describe Docker and not us.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from tests.embedded.engine_process import OTHER_ENGINE, EngineClient, EngineProcess
from tests.peers import busybox_archive, running_dockerd


@pytest.fixture(scope="module")
def engine() -> Iterator[EngineClient]:
    """An engine for the tests of one module, with the busybox image `tests.peers.IMAGE`."""
    if OTHER_ENGINE:
        with running_dockerd() as docker:
            client = EngineClient(docker.socket.parent, docker.socket)
            load_busybox(client)
            yield client
        return
    process = EngineProcess()
    try:
        process.start()
        load_busybox(process)
        yield process
    finally:
        process.close()


@pytest.fixture
def own_engine() -> Iterator[EngineProcess]:
    """An engine for one test alone, which may kill it; with the busybox image."""
    process = EngineProcess()
    try:
        process.start()
        load_busybox(process)
        yield process
    finally:
        process.close()


@pytest.fixture
def docker_cli() -> None:
    """Skips where there is no `docker` client."""
    if shutil.which("docker") is None:
        pytest.skip("the docker client is not installed")


def load_busybox(process: EngineClient) -> None:
    """Load the test image."""
    status, answer = process.request("POST", "/images/load?quiet=1", raw=busybox_archive())
    assert status == 200, answer
