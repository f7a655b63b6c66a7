"""Attributes of files and folders (chattr(1), ioctl_iflags(2))."""

from __future__ import annotations

import fcntl
import os
import struct
from contextlib import suppress
from pathlib import Path

_GETFLAGS, _SETFLAGS = 0x80086601, 0x40086602
_TOPDIR = 0x20000
_LONG = struct.Struct("l")


def has_unrelated_folders(folder: Path) -> None:
    """Say that what is in the subfolders of `folder` has nothing to do with one another (`chattr +T`).

    ext4 then makes them in different parts of the disk. It does not use the inode of a file that was deleted in the
    last minutes again, and passes over all such inodes of the part whenever a file is made there: where containers come
    and go in one part, a start takes twice as long. Other file systems do not know of it, which does no harm.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with suppress(OSError):
            (flags,) = _LONG.unpack(fcntl.ioctl(descriptor, _GETFLAGS, bytes(_LONG.size)))
            if not flags & _TOPDIR:
                fcntl.ioctl(descriptor, _SETFLAGS, _LONG.pack(flags | _TOPDIR))
    finally:
        os.close(descriptor)
