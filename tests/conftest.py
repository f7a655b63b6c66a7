"""Skips what this machine cannot run, saying why; the command under test with a state of its own."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.cli import Stackwright


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if os.geteuid() == 0:
        return
    needs_root = pytest.mark.skip(reason="needs root: namespaces, mounts and network devices")
    for item in items:
        if item.get_closest_marker("root") or item.get_closest_marker("docker"):
            item.add_marker(needs_root)


@pytest.fixture
def stackwright() -> Iterator[Stackwright]:
    # A short path: the names of Unix sockets are limited to 107 bytes.
    root = Path(tempfile.mkdtemp(prefix="sw-"))
    command = Stackwright(root)
    yield command
    command.stop_engine()
    shutil.rmtree(root)
