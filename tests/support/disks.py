"""Full disks."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path


def fill(ballast: Path, leave: int = 0) -> None:
    """Let a file take all room of its file system but `leave` bytes."""
    with ballast.open("wb", buffering=0) as file:
        with suppress(OSError):
            while file.write(bytes(1 << 16)):
                pass
        file.truncate(max(0, file.tell() - leave))
