"""Real engines for the tests of the embedded engine."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from tests.embedded.engine_process import EngineProcess
from tests.peers import busybox_archive


@pytest.fixture(scope="module")
def engine() -> Iterator[EngineProcess]:
    """An engine for the tests of one module, with the busybox image `tests.peers.IMAGE`."""
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


def load_busybox(process: EngineProcess) -> None:
    """Load the test image."""
    status, answer = process.request("POST", "/images/load?quiet=1", raw=busybox_archive())
    assert status == 200, answer
