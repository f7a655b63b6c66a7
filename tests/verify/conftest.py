"""The folder with a compose file, on the two engines that differ most: where ports and health come from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.conftest import Box, embedded

__all__ = ["embedded"]


@pytest.fixture(
    params=[
        pytest.param("docker", marks=pytest.mark.docker),
        pytest.param("embedded", marks=pytest.mark.root),
    ]
)
def box(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Box]:
    """A folder and the command; what is left of the project is taken down."""
    name = str(request.param)
    address = request.getfixturevalue("dockerd_socket" if name == "docker" else "embedded")
    made = Box(tmp_path, address, name)
    yield made
    made.run("down", "-v", "--remove-orphans", "-t", "0")
