"""A full disk in each write path: one clear error, nothing half-done left, and work goes on once there is space."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.embedded.images.conftest import chunks, docker_archive, opened, tar_of

from stackwright.embedded.errors import EngineError

pytestmark = pytest.mark.root


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of 6 MB."""
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", folder], check=True)
    yield folder
    subprocess.run(["umount", folder], check=True)


@pytest.mark.parametrize("how", ["load", "import"])
@pytest.mark.parametrize("size", [2_200_000, 5_000_000, 8_000_000])
async def test_a_full_disk_is_said_and_leaves_nothing(small: Path, how: str, size: int) -> None:
    layer = tar_of([("big", os.urandom(size))])
    with opened(small) as store:
        await store.images.start()
        with pytest.raises(EngineError, match=r"no space left|unpacks to more than"):
            if how == "load":
                await store.load(docker_archive([layer], ["big"]))
            else:
                while True:  # one may fit; two do not
                    await store.images.import_(chunks(tar_of([("big", os.urandom(size))])))
        await asyncio.sleep(0)
        for image in store.images.list(all_images=True):
            await store.images.remove(image["Id"])
        await store.images.close()
        for left in ("layers", "work", "trash"):
            assert store.folders(left) == []
        await store.load(docker_archive([tar_of([("small", "1")])], ["small"]))
        assert store.read("small", "/small") == "1"
