"""Whether this process is still what a new start of the program would be: its source files and the folders of others.

The kernel tells of changes (inotify(7)), so that asking costs nothing while there are none: looking at five hundred files
takes three milliseconds. It does not tell of what another machine changes on a network file system: now and then they are looked at.
"""

from __future__ import annotations

import os
import sys
import time

from stackwright.cli.warm.libc import libc

_IN_MODIFY, _IN_ATTRIB, _IN_MOVED_FROM, _IN_MOVED_TO, _IN_CREATE, _IN_DELETE = 2, 4, 0x40, 0x80, 0x100, 0x200
_EVENTS = _IN_MODIFY | _IN_ATTRIB | _IN_MOVED_FROM | _IN_MOVED_TO | _IN_CREATE | _IN_DELETE

LOOK_SECONDS = 30.0
"""How often the files are looked at though the kernel has told of nothing."""


class Sources:
    """The files that this process was made of, as they are when this is made."""

    def __init__(self) -> None:
        self.watcher = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        """A descriptor that is readable when something may have changed; -1 where the kernel has none left to give."""
        files = [
            file
            for name, module in list(sys.modules.items())
            if name.startswith("stackwright") and (file := getattr(module, "__file__", None))
        ]
        self._paths = [*files, *sys.path[1:]]
        for folder in {os.path.dirname(file) for file in files} | set(sys.path[1:]):  # noqa: PTH120
            self._watch(folder)
        self._before, self._looked = self._look(), time.monotonic()
        self._other = False

    def _watch(self, folder: str) -> None:
        if self.watcher < 0 or not os.path.exists(folder):  # noqa: PTH110
            return
        if libc.inotify_add_watch(self.watcher, os.fsencode(folder), _EVENTS) < 0:  # all, or no telling
            self.close()

    def changed(self) -> bool:
        """Whether a file is another one now, by its time and size. Looks when the kernel told of something, or has not for long."""
        if self._told() or time.monotonic() - self._looked >= LOOK_SECONDS:
            self._looked = time.monotonic()
            self._other = self._look() != self._before
        return self._other

    def _told(self) -> bool:
        if self.watcher < 0:
            return True
        try:
            return bool(os.read(self.watcher, 65536))
        except BlockingIOError:
            return False

    def close(self) -> None:
        """Hear of nothing any more."""
        if self.watcher >= 0:
            os.close(self.watcher)
        self.watcher = -1

    def _look(self) -> list[tuple[int, int]]:
        found = []
        for path in self._paths:
            try:
                about = os.stat(path)  # noqa: PTH116 - five hundred times
                found.append((about.st_mtime_ns, about.st_size))
            except OSError:
                found.append((0, 0))
        return found
