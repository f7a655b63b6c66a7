"""An engine for clients that we did not write, and those clients."""

from __future__ import annotations

import os
import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.clients.docker_buildx import DockerBuildx
from tests.clients.docker_compose import DockerCompose
from tests.embedded.conftest import started, users_engine
from tests.embedded.engine_process import EngineProcess
from tests.embedded.rootless.ordinary_user import UserEngine

SCRIPTS = Path(__file__).parents[2] / "scripts"


@pytest.fixture(scope="module", params=["embedded", "user"])
def engine(request: pytest.FixtureRequest) -> Iterator[EngineProcess]:
    """An embedded engine, root's and an ordinary user's, with the busybox image `tests.peers.IMAGE`."""
    if request.param == "user":
        yield from users_engine(request)
        return
    yield from started(EngineProcess())


def peer(script: str) -> Path:
    """A plugin of the docker client, as a script of ours fetches it."""
    found = subprocess.run([SCRIPTS / script], capture_output=True, text=True, timeout=300)
    if found.returncode != 0:
        pytest.skip(found.stderr.strip())
    return Path(found.stdout.strip())


@pytest.fixture(scope="session")
def compose_plugin() -> Path:
    """The real `docker compose` 2.40.3."""
    return peer("get-compose-peer")


@pytest.fixture(scope="session")
def buildx_plugin() -> Path:
    """The real `docker buildx` 0.29.1."""
    return peer("get-buildx-peer")


@pytest.fixture
def compose(engine: EngineProcess, compose_plugin: Path, tmp_path: Path) -> DockerCompose:
    """The real `docker compose` with a small project in a folder of its own, which the engine's user may enter."""
    return DockerCompose(compose_plugin, engine.address, _folder(engine, tmp_path))


@pytest.fixture
def buildx(engine: EngineProcess, buildx_plugin: Path, tmp_path: Path) -> DockerBuildx:
    """The real `docker buildx` with a folder of its own."""
    return DockerBuildx(buildx_plugin, engine.address, _folder(engine, tmp_path))


def _folder(engine: EngineProcess, usual: Path) -> Path:
    if not isinstance(engine, UserEngine):
        return usual
    # The project's name, of which names of images are made: those may not have an underline at the end.
    folder = engine.root / f"project{secrets.token_hex(4)}"
    folder.mkdir(mode=0o700)
    os.chown(folder, engine.account.uid, engine.account.gid)
    return folder
