"""Volumes that begin where a frozen folder ends: an overlay, mounted at the volume's usual place.

    <volume>/_data    the merged content, as everybody sees it; containers get it as a bind mount, as ever
    <volume>/upper    what was written since
    <volume>/work     overlayfs' own

One mount for all containers of a volume, since two overlays over one upper folder would not see each other's files. It
is the engine's, outlives it while containers run, and is made again after a reboot.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from stackwright.embedded.kernel import mount as k
from stackwright.embedded.snapshots.frozen import successor


def prepare(folder: Path, lower: Sequence[Path]) -> None:
    """The folders for it; those that are there stay as they are."""
    for name in ("_data", "work"):
        (folder / name).mkdir(mode=0o755, exist_ok=True)
    if not (folder / "upper").is_dir():
        successor(lower[0], folder / "upper")


def mount(folder: Path, lower: Sequence[Path]) -> None:
    """Mount it, unless it is. OSError (KernelError) with what was attempted."""
    if not is_mounted(folder):
        k.overlay(
            [str(one) for one in lower], str(folder / "upper"), str(folder / "work"), str(folder / "_data")
        )


def unmount(folder: Path) -> None:
    """Take it away; safe to call twice."""
    while is_mounted(folder):
        k.umount(str(folder / "_data"), k.MNT_DETACH)


def is_mounted(folder: Path) -> bool:
    """Whether the merged content is in sight."""
    return os.path.ismount(folder / "_data")
