"""Reads a file of a root file system made of overlay layers, without mounting it.

Symbolic links are followed inside the root only; whiteouts and opaque directories hide what lies
below (overlayfs.rst, "whiteouts and opaque directories").
"""

from __future__ import annotations

import os
import stat
from pathlib import Path, PurePosixPath

from .spec import Rootfs

MAX_SIZE = 4 * 1024 * 1024
_MAX_LINKS = 16


def layers_of(rootfs: Rootfs | Path) -> tuple[str, ...]:
    """The directories, topmost first."""
    if isinstance(rootfs, Rootfs):
        return (rootfs.upper, *rootfs.lower)
    return (str(rootfs),)


def read_text(rootfs: Rootfs | Path, path: str) -> str:
    """The file's text (at most MAX_SIZE bytes); "" when there is none."""
    found = _resolve(layers_of(rootfs), path)
    if found is None:
        return ""
    try:
        # Not blocking: a pipe of the image's under this name must not hold us up.
        fd = os.open(found, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW)
    except OSError:
        return ""
    with os.fdopen(fd, "rb") as file:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return ""
        return file.read(MAX_SIZE).decode(errors="replace")


def _resolve(layers: tuple[str, ...], path: str) -> str | None:
    """The host path of what `path` names, no component of which is a symbolic link."""
    todo = list(reversed(PurePosixPath("/" + path).parts[1:]))
    done: list[str] = []
    links = 0
    while todo:
        name = todo.pop()
        if name == "..":
            del done[-1:]
            continue
        found = _lookup(layers, [*done, name])
        if found is None:
            return None
        if os.path.islink(found):
            links += 1
            if links > _MAX_LINKS:
                return None
            target = os.readlink(found)
            if target.startswith("/"):
                done.clear()
            todo += reversed([part for part in target.split("/") if part not in ("", ".")])
            continue
        done.append(name)
    return _lookup(layers, done)


def _lookup(layers: tuple[str, ...], parts: list[str]) -> str | None:
    for layer in layers:
        current, opaque = layer, False
        for number, part in enumerate(parts):
            current = f"{current}/{part}"
            try:
                mode = os.lstat(current)
            except OSError:
                break
            if stat.S_ISCHR(mode.st_mode) and mode.st_rdev == 0:
                return None
            last = number + 1 == len(parts)
            if last:
                return current
            if not stat.S_ISDIR(mode.st_mode):
                return None
            opaque = opaque or _is_opaque(current)
        if opaque:
            return None
    return None


def _is_opaque(directory: str) -> bool:
    for name in ("trusted.overlay.opaque", "user.overlay.opaque"):
        try:
            if os.getxattr(directory, name) == b"y":
                return True
        except OSError:
            continue
    return False
