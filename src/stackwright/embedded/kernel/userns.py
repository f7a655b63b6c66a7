"""Whether this process is root in a user namespace only: some things of the kernel then go by other names."""

from __future__ import annotations

import errno
import functools
import os

_EVERYBODY = ["0", "0", "4294967295"]


@functools.cache
def in_user_namespace() -> bool:
    """True below the host's own user namespace (user_namespaces(7), "uid_map"); read once."""
    try:
        fd = os.open("/proc/self/uid_map", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False  # a kernel without user namespaces
    try:
        return os.read(fd, 4096).decode().split() != _EVERYBODY
    finally:
        os.close(fd)


@functools.cache
def maps_one_user() -> bool:
    """True where only root exists: files cannot be given to anybody else, and processes cannot become anybody else."""
    if not in_user_namespace():
        return False
    with open("/proc/self/uid_map", encoding="ascii") as file:
        return sum(int(line.split()[2]) for line in file) == 1


def give(path: str, uid: int, gid: int) -> None:
    """lchown(2). Where only root exists everything stays root's: the engine said so when it started."""
    try:
        os.lchown(path, uid, gid)
    except OSError as error:
        if error.errno != errno.EINVAL or not maps_one_user():
            raise
