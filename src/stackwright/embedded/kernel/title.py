"""The command line that `ps` shows for this process."""

from __future__ import annotations

import ctypes
import os

from .process import stat_fields

_ARG_START, _ARG_END = 45, 46
"""Fields 48 and 49 of /proc/<pid>/stat (proc(5)), counted from the state."""


def set_title(text: str) -> None:
    """Write `text` over this process's arguments, cut to the room they take."""
    fields = stat_fields(os.getpid())
    start, end = int(fields[_ARG_START]), int(fields[_ARG_END])
    room = end - start
    if start and room > 0:
        ctypes.memmove(start, text.encode()[: room - 1].ljust(room, b"\0"), room)
