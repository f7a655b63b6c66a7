"""Working inside a container's root file system without trusting it: `docker cp`, export.

The work is done by a thread of its own that has entered the root by chroot(2), so that no link in there,
nor one that the container swaps in meanwhile, leads out. The root of a stopped container is mounted by
that thread in a mount namespace that ends with it: there is nothing to undo, not even after SIGKILL. Such
a thread must not import modules (it would look for them inside the container): an import hook refuses.
"""

from __future__ import annotations

import errno
import os
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TypeVar

from stackwright.embedded.containers.spec import Mount, Rootfs
from stackwright.embedded.kernel import mount as mounts
from stackwright.embedded.kernel.namespaces import CLONE_NEWNS, unshare
from stackwright.embedded.kernel.scoped import open_in_root

T = TypeVar("T")
_CLONE_FS = 0x00000200
_inside: set[int] = set()


class _NoImports:
    """A meta path finder that refuses threads inside a container's root."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if threading.get_ident() in _inside:
            raise ImportError(f"{name} may not be imported inside a container's root", name=name)
        return None


sys.meta_path.insert(0, _NoImports())


def running_root(pid: int, work: Callable[[], T]) -> T:
    """Run `work` with the root of process `pid` as `/`, everything it has mounted included. Blocks.

    OSError when the process has ended.
    """
    root = os.open(f"/proc/{pid}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)

    def enter() -> None:
        unshare(_CLONE_FS)
        os.fchdir(root)

    try:
        return _jailed(enter, work)
    finally:
        os.close(root)


def stopped_root(rootfs: Rootfs, binds: Sequence[Mount], work: Callable[[], T]) -> T:
    """Run `work` with the root of a container that does not run as `/`, its binds and volumes mounted.
    Blocks."""

    def enter() -> None:
        unshare(CLONE_NEWNS)
        mounts.mount(None, "/", None, mounts.MS_REC | mounts.MS_SLAVE)
        mounts.overlay(rootfs.lower, rootfs.upper, rootfs.work, rootfs.merged)
        root = os.open(rootfs.merged, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for bind in binds:
                _bind(root, bind)
            os.fchdir(root)
        finally:
            os.close(root)

    return _jailed(enter, work)


def _bind(root: int, bind: Mount) -> None:
    """Mount one bind or volume where the container will see it; its mount point is made as a start would."""
    try:
        target = _mount_point(root, bind)
    except OSError:
        return  # a link that leads nowhere: the start will say so
    try:
        path = f"/proc/self/fd/{target}"
        mounts.mount(bind.source, path, None, mounts.MS_BIND | (mounts.MS_REC if bind.recursive else 0))
    finally:
        os.close(target)


def _mount_point(root: int, bind: Mount) -> int:
    """A descriptor of the mount point below `root`; missing folders are created, or an empty file for a
    file."""
    try:
        return open_in_root(root, bind.target, os.O_PATH)
    except OSError as error:
        if error.errno != errno.ENOENT:
            raise
    parts = [part for part in bind.target.split("/") if part]
    file = None if os.path.isdir(bind.source) else parts.pop()  # noqa: PTH112
    folder = os.dup(root)
    for depth, part in enumerate(parts, 1):
        inner = folder
        with suppress(FileExistsError):
            os.mkdir(part, 0o755, dir_fd=inner)
        try:
            folder = open_in_root(root, "/".join(parts[:depth]), os.O_PATH | os.O_DIRECTORY)
        finally:
            os.close(inner)
    if file is None:
        return folder
    try:
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC
        os.close(os.open(file, flags, 0o644, dir_fd=folder))
    finally:
        os.close(folder)
    return open_in_root(root, bind.target, os.O_PATH)


def _jailed(enter: Callable[[], None], work: Callable[[], T]) -> T:
    result: list[T] = []
    failure: list[BaseException] = []

    def run() -> None:
        try:
            enter()
            os.chroot(".")
            os.chdir("/")
            _inside.add(threading.get_ident())
            result.append(work())
        except BaseException as error:  # noqa: BLE001 (carried to the thread that waits)
            failure.append(error)
        finally:
            _inside.discard(threading.get_ident())

    thread = threading.Thread(target=run, name="inside a container")
    thread.start()
    thread.join()
    if failure:
        raise failure[0]
    return result[0]
