"""A full disk in each write path: one clear error, nothing half-done left, and work goes on once there is space."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.embedded.images.conftest import chunks, docker_archive, opened, tar_of
from tests.support.disks import fill

from stackwright.embedded.errors import DiskFull, EngineError
from stackwright.embedded.state import Database

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


@pytest.mark.parametrize("pages", [0, 2, 7])
def test_several_removals_at_once_take_the_room_that_is_kept(small: Path, pages: int) -> None:
    database = Database(small / "engine.db")
    database.migrate("a", ["CREATE TABLE a (x TEXT)"])
    for _ in range(15):
        database.execute("INSERT INTO a VALUES (?)", ("x" * 3000,))
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    fill(small / "ballast", pages * 4096)
    with pytest.raises(DiskFull), database.transaction():
        database.execute("UPDATE a SET x = ?", ("y" * 3000,))

    def remove() -> int:
        return sum(
            database.execute("DELETE FROM a WHERE rowid = ?", (row,)).rowcount for row in range(1, 16, 2)
        )

    assert database.removal(remove) == 8
    assert [row["x"][0] for row in database.execute("SELECT x FROM a")] == ["x"] * 7
    assert not (small / "engine.db-reserve").exists()
    database.close()
