"""An engine for clients that we did not write, and those clients."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.clients.docker_compose import DockerCompose
from tests.embedded.engine_process import EngineProcess
from tests.peers import busybox_archive

SCRIPT = Path(__file__).parents[2] / "scripts" / "get-compose-peer"


@pytest.fixture(scope="module")
def engine() -> Iterator[EngineProcess]:
    """An embedded engine with the busybox image `tests.peers.IMAGE`; the module's own."""
    process = EngineProcess()
    try:
        process.start()
        status, answer = process.request("POST", "/images/load?quiet=1", raw=busybox_archive())
        assert status == 200, answer
        yield process
    finally:
        process.close()


@pytest.fixture(scope="session")
def compose_plugin() -> Path:
    """The real `docker compose` 2.40.3."""
    found = subprocess.run([SCRIPT], capture_output=True, text=True, timeout=300)
    if found.returncode != 0:
        pytest.skip(found.stderr.strip())
    return Path(found.stdout.strip())


@pytest.fixture
def compose(engine: EngineProcess, compose_plugin: Path, tmp_path: Path) -> DockerCompose:
    """The real `docker compose` with a small project in a folder of its own."""
    return DockerCompose(compose_plugin, engine.address, tmp_path)
