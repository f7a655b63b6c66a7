"""Content hashes of what COPY and bind mounts take: the part of a cache key that no clock touches."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable

from stackwright.embedded.images.view import LayerView, Node


def fingerprint(
    view: LayerView, node: Node, *, owners: bool, wanted: Callable[[str], bool] = lambda path: True
) -> str:
    """Names, kinds, permissions and contents below ``node`` as one hash; owners only where they are kept.

    Times are left out: a fresh clone of the same files hits the cache.
    """
    digest = hashlib.sha256()
    _add(digest.update, view, node, "", owners, wanted)
    return digest.hexdigest()


def _add(
    update: Callable[[bytes], None],
    view: LayerView,
    node: Node,
    name: str,
    owners: bool,
    wanted: Callable[[str], bool],
) -> None:
    status = node.status
    if not name or wanted(name):
        owner = f"{status.st_uid}:{status.st_gid}" if owners else ""
        update(f"{name}\0{status.st_mode:o}\0{owner}\0".encode(errors="surrogateescape"))
        if stat.S_ISREG(status.st_mode):
            update(b"%d\0" % status.st_size)
            _add_content(update, node.host)
        elif node.is_link:
            update(os.fsencode(os.readlink(node.host)) + b"\0")  # noqa: PTH115
    if node.is_dir:
        for child in view.children(node):
            base = child.path.rpartition("/")[2]
            _add(update, view, child, f"{name}/{base}" if name else base, owners, wanted)


def _add_content(update: Callable[[bytes], None], host: str) -> None:
    with open(host, "rb", buffering=0) as file:  # noqa: PTH123
        while data := file.read(1 << 20):
            update(data)
