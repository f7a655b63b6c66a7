"""Bounds on what one archive may make of itself."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

GIB = 1 << 30


@dataclass(frozen=True, slots=True)
class Limits:
    """``unpacked``: bytes of file content; ``entries``: files, folders and links; ``header``: bytes of one
    extended header.
    """

    unpacked: int = 64 * GIB
    entries: int = 2_000_000
    header: int = 1 << 20
    name: int = 4096

    @classmethod
    def for_folder(cls, folder: Path) -> Limits:
        """What fits on the file system of ``folder`` while leaving a twentieth of it (at most 1 GiB) free.

        ``STACKWRIGHT_MAX_UNPACKED`` (bytes) sets a lower bound for whoever wants one.
        """
        disk = os.statvfs(folder)
        free, total = disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize
        asked = os.environ.get("STACKWRIGHT_MAX_UNPACKED", "")
        most = int(asked) if asked.isdigit() else 64 * GIB
        return cls(unpacked=max(0, min(most, free - min(total // 20, GIB))))
