"""Whether this process is root in a user namespace only: some things of the kernel then go by other names."""

from __future__ import annotations

import errno
import functools
import os

_EVERYBODY = ("0", "0", "4294967295")


@functools.cache
def _uid_map() -> tuple[str, ...]:
    """/proc/self/uid_map in words; read once, for init asks again when the host's /proc is gone."""
    try:
        fd = os.open("/proc/self/uid_map", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return _EVERYBODY  # a kernel without user namespaces
    try:
        return tuple(os.read(fd, 4096).decode().split())
    finally:
        os.close(fd)


def in_user_namespace() -> bool:
    """True below the host's own user namespace (user_namespaces(7), "uid_map")."""
    return _uid_map() != _EVERYBODY


def maps_one_user() -> bool:
    """True where only root exists: files cannot be given to anybody else, and processes cannot become anybody else."""
    return in_user_namespace() and sum(map(int, _uid_map()[2::3])) == 1


def give(path: str, uid: int, gid: int) -> None:
    """lchown(2). Where only root exists everything stays root's: the engine said so when it started."""
    try:
        os.lchown(path, uid, gid)
    except OSError as error:
        if error.errno != errno.EINVAL or not maps_one_user():
            raise
