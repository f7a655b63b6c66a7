"""Stacked layers read as one file system, without mounting anything: overlayfs' rules in a few lines.

Links are resolved inside, as a process with this root would see them.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_MAX_LINKS = 40
_OPAQUE = ("trusted.overlay.opaque", "user.overlay.opaque")


@dataclass(frozen=True, slots=True)
class Node:
    """A file, folder or link of the merged tree. A folder has one host folder for each layer that has a
    part of it.
    """

    path: str
    """Absolute inside the image, free of links and ``..``."""
    hosts: tuple[str, ...]
    status: os.stat_result

    @property
    def host(self) -> str:
        """Where it lies (for a folder: the topmost part, which decides its owner and permissions)."""
        return self.hosts[0]

    @property
    def is_dir(self) -> bool:
        return stat.S_ISDIR(self.status.st_mode)

    @property
    def is_link(self) -> bool:
        return stat.S_ISLNK(self.status.st_mode)


class LayerView:
    """Look-ups in ``folders``, topmost first. Nothing is remembered, so folders may change between calls."""

    def __init__(self, folders: Sequence[Path | str], identity: str = "") -> None:
        """``identity``: the same for views of the same content, where that is known (layers never change)."""
        self.identity = identity
        self._folders = tuple(os.fspath(folder) for folder in folders)

    def root(self) -> Node:
        """``/``."""
        return Node("/", self._folders, os.lstat(self._folders[0]))

    def lookup(self, path: str, *, follow: bool = True) -> Node | None:
        """The node at ``path`` (relative ones count from ``/``), or None; links in between are always
        followed.
        """
        node, missing = self.walk(path, follow=follow)
        return None if missing else node

    def walk(self, path: str, *, follow: bool = True) -> tuple[Node, list[str]]:
        """As far as ``path`` exists: the last node reached and the names that are missing below it."""
        trail = [self.root()]
        pending = [part for part in path.split("/") if part not in ("", ".")][::-1]
        links = 0
        while pending:
            part = pending.pop()
            if part == "..":
                if len(trail) > 1:
                    trail.pop()
                continue
            at = trail[-1]
            node = self.child(at, part) if at.is_dir else None
            if node is None:
                return at, self._clean([part, *pending[::-1]])
            if node.is_link and (pending or follow):
                links += 1
                if links > _MAX_LINKS:
                    raise OSError(40, "Too many levels of symbolic links", path)
                link = os.readlink(node.host)  # noqa: PTH115
                if link.startswith("/"):
                    del trail[1:]
                pending += [step for step in link.split("/") if step not in ("", ".")][::-1]
                continue
            trail.append(node)
        return trail[-1], []

    @staticmethod
    def _clean(parts: list[str]) -> list[str]:
        out: list[str] = []
        for part in parts:
            if part == "..":
                del out[-1:]
            else:
                out.append(part)
        return out

    def child(self, parent: Node, name: str) -> Node | None:
        """One entry of a folder, links not followed."""
        hosts: list[str] = []
        status: os.stat_result | None = None
        for folder in parent.hosts:
            host = f"{folder}/{name}"
            try:
                found = os.lstat(host)
            except (FileNotFoundError, NotADirectoryError):
                continue
            if not stat.S_ISDIR(found.st_mode):
                if not hosts and not is_whiteout(found):
                    hosts, status = [host], found
                break
            status = status or found
            hosts.append(host)
            if is_opaque(host):
                break
        if status is None:
            return None
        return Node(f"{parent.path.rstrip('/')}/{name}", tuple(hosts), status)

    def children(self, parent: Node) -> list[Node]:
        """The entries of a folder by name."""
        names: set[str] = set()
        for folder in parent.hosts:
            names.update(os.listdir(folder))  # noqa: PTH208
        return [node for name in sorted(names) if (node := self.child(parent, name)) is not None]

    def read_text(self, path: str, limit: int = 1 << 20) -> str:
        """A small text file's content; empty when it is not there."""
        node = self.lookup(path)
        if node is None or not stat.S_ISREG(node.status.st_mode) or node.status.st_size > limit:
            return ""
        return Path(node.host).read_text(errors="replace")


def is_whiteout(status: os.stat_result) -> bool:
    """Overlayfs' mark for "removed in this layer"."""
    return stat.S_ISCHR(status.st_mode) and status.st_rdev == 0


def is_opaque(folder: str) -> bool:
    """Whether a folder hides what lower layers have at its place."""
    for name in os.listxattr(folder):
        if name in _OPAQUE:
            return os.getxattr(folder, name) == b"y"
    return False
