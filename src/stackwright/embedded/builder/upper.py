"""Writes files into a new layer: an upper folder over lower ones, nothing mounted."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from stackwright.embedded.images.view import LayerView, Node
from stackwright.embedded.kernel.userns import give

_SMALL = 1 << 17


@dataclass(frozen=True, slots=True)
class Ownership:
    """``owner``: None keeps the source's; ``mode``: changes permissions, given those of the source and "is
    a folder".
    """

    owner: tuple[int, int] | None = (0, 0)
    mode: Callable[[int, bool], int] | None = None


class UpperWriter:
    """Puts things at paths of the merged tree; links on the way are followed as a process inside would."""

    def __init__(self, lower: Sequence[Path], upper: Path) -> None:
        self._upper = os.fspath(upper)
        self.view = LayerView([upper, *lower])
        self._linked: dict[tuple[int, int], str] = {}
        _match_root(self._upper, lower)

    def folder(self, path: str, *, owner: tuple[int, int] = (0, 0), mode: int = 0o755) -> str:
        """Make sure the folder is there and has a part in the upper folder; returns its host path.

        NotADirectoryError when a file is in the way.
        """
        node, missing = self.view.walk(path)
        if not node.is_dir:
            raise NotADirectoryError(20, "Not a directory", node.path)
        host = self._copy_up(node)
        for name in missing:
            host = f"{host}/{name}"
            _make_folder(host)
            os.chmod(host, mode)  # noqa: PTH101
            _chown(host, owner)
        return host

    def copy_tree(
        self,
        source: LayerView,
        node: Node,
        target: str,
        ownership: Ownership,
        wanted: Callable[[str], bool] = lambda path: True,
        prefix: str = "",
    ) -> None:
        """Copy what is in a folder of ``source`` into the folder ``target``; ``wanted`` gets relative
        paths.
        """
        if not prefix:
            self._linked.clear()
        there, missing = self.view.walk(target)
        if not there.is_dir:
            raise NotADirectoryError(20, "Not a directory", there.path)
        host = self.folder(target)
        if missing:
            _finish(node, host, ownership)
        base = target.rstrip("/")
        for child in source.children(node):
            name = child.path.rpartition("/")[2]
            relative = f"{prefix}{name}"
            if child.is_dir:
                self._copy_subfolder(source, child, f"{base}/{name}", ownership, wanted, relative)
            elif wanted(relative):
                self._copy_leaf(child, f"{host}/{name}", ownership)
        if missing:
            os.utime(host, ns=(node.status.st_mtime_ns, node.status.st_mtime_ns))

    def _copy_subfolder(
        self,
        source: LayerView,
        child: Node,
        target: str,
        ownership: Ownership,
        wanted: Callable[[str], bool],
        relative: str,
    ) -> None:
        if wanted(relative):
            self.copy_tree(source, child, target, ownership, wanted, f"{relative}/")
            return
        for grandchild in source.children(child):  # an excluded folder may hold something wanted back
            name = grandchild.path.rpartition("/")[2]
            inner = f"{relative}/{name}"
            if grandchild.is_dir:
                self._copy_subfolder(source, grandchild, f"{target}/{name}", ownership, wanted, inner)
            elif wanted(inner):
                self._copy_leaf(grandchild, f"{self.folder(target)}/{name}", ownership)

    def copy_file(self, node: Node, target: str, ownership: Ownership) -> None:
        """Copy one file, link or device to the path ``target``, whose folder is made where missing."""
        parent, _, name = target.rstrip("/").rpartition("/")
        there = self.view.lookup(target)
        if there is not None and there.is_dir:
            raise IsADirectoryError(21, "Is a directory", target)
        if there is not None and not node.is_link:  # writing goes through a link that is in the way
            parent, _, name = there.path.rpartition("/")
        host = self.folder(parent or "/", owner=ownership.owner or (0, 0))
        self._copy_leaf(node, f"{host}/{name}", ownership)

    def write_file(self, target: str, content: BinaryIO | bytes, ownership: Ownership, mode: int) -> str:
        """Make a file from a stream or from bytes; returns its host path."""
        there = self.view.lookup(target)
        if there is not None and there.is_dir:
            raise IsADirectoryError(21, "Is a directory", target)
        parent, _, name = (there.path if there else target).rpartition("/")
        host = f"{self.folder(parent or '/', owner=ownership.owner or (0, 0))}/{name}"
        with contextlib.suppress(FileNotFoundError):
            Path(host).unlink()
        with open(host, "xb") as out:  # noqa: PTH123
            if isinstance(content, bytes):
                out.write(content)
            else:
                shutil.copyfileobj(content, out, 1 << 20)
        _chown(host, ownership.owner or (0, 0))
        os.chmod(host, ownership.mode(mode, False) if ownership.mode else mode)  # noqa: PTH101
        return host

    def _copy_leaf(self, node: Node, host: str, ownership: Ownership) -> None:
        try:
            made = self._make_leaf(node, host)
        except FileExistsError:
            os.unlink(host)  # noqa: PTH108
            made = self._make_leaf(node, host)
        if made:
            _finish(node, host, ownership)
            os.utime(host, ns=(node.status.st_mtime_ns, node.status.st_mtime_ns), follow_symlinks=False)

    def _make_leaf(self, node: Node, host: str) -> bool:
        """Make the file, link or device; false when owner and permissions are not to be set any more."""
        mode = node.status.st_mode
        if stat.S_ISREG(mode):
            if node.status.st_nlink > 1:  # names of one file stay names of one file
                first = self._linked.setdefault((node.status.st_dev, node.status.st_ino), host)
                if first != host and os.path.lexists(first):
                    os.link(first, host)
                    return False
            copy_content(node.host, host, node.status.st_size)
        elif stat.S_ISLNK(mode):
            os.symlink(os.readlink(node.host), host)  # noqa: PTH211, PTH115
        elif stat.S_ISSOCK(mode):
            return False
        else:
            os.mknod(host, mode, node.status.st_rdev)
        return True

    def _copy_up(self, node: Node) -> str:
        """The part of an existing folder in the upper folder, made like the original where it is missing."""
        host = self._upper + node.path.rstrip("/")
        if node.host.startswith(f"{self._upper}/") or node.path == "/":
            return host
        parent = node.path.rpartition("/")[0] or "/"
        above = self.view.lookup(parent)
        assert above is not None
        self._copy_up(above)
        _make_folder(host)
        shutil.copystat(node.host, host)
        _drop_overlay_marks(host)
        _chown(host, (node.status.st_uid, node.status.st_gid))
        os.chmod(host, stat.S_IMODE(node.status.st_mode))  # noqa: PTH101
        return host


def copy_content(source: str, target: str, size: int) -> None:
    """Make ``target`` a new file with the content of ``source``; FileExistsError when something is there.

    ``shutil.copyfile`` spends more on checks than a small file takes to copy; images have ten thousands of
    them.
    """
    reading = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
    try:
        writing = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            if size <= _SMALL:
                data = os.read(reading, _SMALL)
                while data:  # a full disk takes a part before it refuses the rest
                    data = data[os.write(writing, data) :]
            else:
                _copy_range(reading, writing, size)
        finally:
            os.close(writing)
    finally:
        os.close(reading)


def _copy_range(reading: int, writing: int, size: int) -> None:
    """In the kernel, sharing the blocks where the file system can."""
    left = size
    try:
        while left and (count := os.copy_file_range(reading, writing, left)):
            left -= count
    except OSError as error:
        if error.errno not in (errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP):
            raise
    while left and (count := os.sendfile(writing, reading, None, left)):
        left -= count


def _match_root(upper: str, lower: Sequence[Path]) -> None:
    if lower:
        status = lower[0].stat()
        _chown(upper, (status.st_uid, status.st_gid))
        os.chmod(upper, stat.S_IMODE(status.st_mode))  # noqa: PTH101
    else:
        os.chmod(upper, 0o755)  # noqa: PTH101


def _make_folder(host: str) -> None:
    with contextlib.suppress(FileExistsError):
        os.mkdir(host)  # noqa: PTH102


def _drop_overlay_marks(host: str) -> None:
    for key in os.listxattr(host):
        if ".overlay." in key:
            os.removexattr(host, key)


def _finish(node: Node, host: str, ownership: Ownership) -> None:
    status = node.status
    _chown(host, ownership.owner or (status.st_uid, status.st_gid))
    if node.is_link:
        return
    mode = stat.S_IMODE(status.st_mode)
    os.chmod(host, ownership.mode(mode, node.is_dir) if ownership.mode else mode)  # noqa: PTH101
    for key in os.listxattr(node.host):
        if key.startswith(("user.", "security.capability")) and ".overlay." not in key:
            with contextlib.suppress(OSError):
                os.setxattr(host, key, os.getxattr(node.host, key))


def _chown(host: str, owner: tuple[int, int]) -> None:
    if os.geteuid() == 0:
        give(host, *owner)
