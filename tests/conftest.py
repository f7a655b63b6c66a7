"""Fixtures every folder may use: real engines, started once per test process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.peers import Dockerd, busybox_archive, running_dockerd, why_no_docker


@pytest.fixture(scope="session")
def dockerd() -> Iterator[Dockerd]:
    """A Docker Engine of this test process, with the busybox image `tests.peers.IMAGE` loaded."""
    import docker

    if reason := why_no_docker():
        pytest.skip(reason)
    with running_dockerd() as engine:
        client = docker.DockerClient(base_url=engine.address)
        client.images.load(busybox_archive())
        client.close()
        yield engine


@pytest.fixture
def dockerd_socket(dockerd: Dockerd) -> str:
    """The address of the Docker Engine, for DOCKER_HOST."""
    return dockerd.address
