"""inotify(7): being told of changes in directories. Used by the engine only."""

from __future__ import annotations

import os
import struct

from .call import check, libc

IN_MODIFY = 0x002
IN_CREATE = 0x100
IN_DELETE = 0x200
IN_MOVED_TO = 0x080
IN_DELETE_SELF = 0x400
IN_IGNORED = 0x8000
IN_Q_OVERFLOW = 0x4000
_IN_NONBLOCK_CLOEXEC = os.O_NONBLOCK | os.O_CLOEXEC
_EVENT = struct.Struct("iIII")


def init() -> int:
    """A new, non-blocking inotify descriptor."""
    return check(libc.inotify_init1(_IN_NONBLOCK_CLOEXEC), "create inotify instance")


def add_watch(fd: int, path: str, events: int) -> int:
    """Watch `path`; the number of the watch."""
    return check(libc.inotify_add_watch(fd, os.fsencode(path), events), f"watch {path}")


def remove_watch(fd: int, watch: int) -> None:
    """Stop watching; raises KernelError when the watch is gone already."""
    check(libc.inotify_rm_watch(fd, watch), "remove watch")


def read(fd: int) -> list[tuple[int, int]]:
    """The waiting events as (watch, mask); empty when there are none."""
    try:
        data = os.read(fd, 65536)
    except BlockingIOError:
        return []
    events, offset = [], 0
    while offset + _EVENT.size <= len(data):
        watch, mask, _, length = _EVENT.unpack_from(data, offset)
        events.append((watch, mask))
        offset += _EVENT.size + length
    return events
