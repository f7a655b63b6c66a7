"""docker-py's own integration tests on an ordinary user's engine: those parts in which it differs from root's.

All of them, on both, are run by `python -m tests.clients.conformance`, which takes minutes.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.clients import docker_py_suite

pytestmark = [pytest.mark.root, pytest.mark.slow, pytest.mark.network]
PARTS = ("api_container", "api_exec", "api_network", "api_volume")
UNHURRIED = "not Wait and not Stop and not estart and not Attach"
"""They take seconds each, and are about time, of which users have the same."""


@pytest.fixture
def work() -> Iterator[Path]:
    """A folder that the user may enter."""
    folder = Path(tempfile.mkdtemp(prefix="sw-dpy-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def test_containers_networks_and_volumes_of_an_ordinary_user(tun: None, work: Path) -> None:
    files = [f"tests/integration/{part}_test.py" for part in PARTS]
    outcome = docker_py_suite.run(work, "user", [*files, "-k", UNHURRIED])
    assert outcome.failed == {}
    assert outcome.passed > 90, outcome
