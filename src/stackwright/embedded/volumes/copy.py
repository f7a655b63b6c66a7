"""Copying a folder of an image into a volume: content, owners, modes, times, attributes, hard links, devices."""

from __future__ import annotations

import os
import shutil
import stat
from contextlib import suppress
from pathlib import Path

from stackwright.embedded.images.view import LayerView, Node
from stackwright.embedded.kernel.copyfile import copy_content
from stackwright.embedded.kernel.userns import give


class TreeCopy:
    """One copy of a merged folder; blocking, to be run in a thread."""

    def __init__(self, view: LayerView) -> None:
        self._view = view
        self._links: dict[tuple[int, int], str] = {}

    def into(self, source: Node, target: str) -> None:
        """Fill the existing folder `target`; its own owner, mode and times become the source's."""
        for child in self._view.children(source):
            place = f"{target}/{child.path.rpartition('/')[2]}"
            if child.is_dir:
                os.mkdir(place, 0o700)  # noqa: PTH102 - plain strings throughout: a volume may have 100,000 files
                self.into(child, place)
            else:
                self._file(child, place)
        _copy_attributes(source.host, target, source.status)

    def _file(self, node: Node, place: str) -> None:
        key = (node.status.st_dev, node.status.st_ino)
        if node.status.st_nlink > 1:
            if key in self._links:
                os.link(self._links[key], place, follow_symlinks=False)
                return
            self._links[key] = place
        mode = node.status.st_mode
        if stat.S_ISREG(mode):
            copy_content(node.host, place)
        elif stat.S_ISLNK(mode):
            os.symlink(os.readlink(node.host), place)  # noqa: PTH115, PTH211
        elif stat.S_ISSOCK(mode):
            return  # lives with the process that made it
        else:
            os.mknod(place, mode, node.status.st_rdev)
        _copy_attributes(node.host, place, node.status)


def _copy_attributes(source: str, target: str, status: os.stat_result) -> None:
    give(target, status.st_uid, status.st_gid)
    for name in os.listxattr(source, follow_symlinks=False):
        if name.startswith(("trusted.overlay.", "user.overlay.")):
            continue
        with suppress(OSError):  # an attribute that this filesystem does not keep
            os.setxattr(target, name, os.getxattr(source, name, follow_symlinks=False), follow_symlinks=False)
    if not stat.S_ISLNK(status.st_mode):
        os.chmod(target, stat.S_IMODE(status.st_mode))  # noqa: PTH101
    os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns), follow_symlinks=False)


def is_empty(folder: Path) -> bool:
    """Whether a folder has no entry."""
    with os.scandir(folder) as entries:
        return next(entries, None) is None


def clear(folder: Path) -> None:
    """Remove everything inside a folder, not the folder."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path)
            else:
                Path(entry.path).unlink(missing_ok=True)


def tree_size(folder: Path) -> int:
    """Bytes that the files below a folder occupy, hard links once; vanishing files are passed over."""
    total = 0
    seen: set[int] = set()
    pending = [os.fspath(folder)]
    while pending:
        try:
            entries = list(os.scandir(pending.pop()))
        except OSError:
            continue
        for entry in entries:
            try:
                status = entry.stat(follow_symlinks=False)
            except OSError:
                continue
            if stat.S_ISDIR(status.st_mode):
                pending.append(entry.path)
            elif status.st_ino not in seen:
                seen.add(status.st_ino)
                total += status.st_blocks * 512
    return total
