"""A worker forked ahead: it has rehearsed a command, and waits for the words of a real one.

A fork copies a page when it is first written to, and counting references writes to most pages of Python's objects: the
first command in a fresh fork takes several milliseconds for that. They are paid before anybody waits: by a rehearsal for
what every command touches, and after a moment without a command for all the rest.
"""

from __future__ import annotations

import os
import select
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from stackwright.cli.warm import worker
from stackwright.cli.warm.libc import libc

_MADV_POPULATE_WRITE = 23
_AT_ONCE = 1 << 20
"""Bytes; copying these takes half a millisecond."""
_PAUSE_MS = 100
"""Commands that follow each other faster than this, in a script, get a processor rather than pages."""


class Spare:
    """One waiting process. `forget`: lets go of what is the fork server's alone, in the new process."""

    def __init__(
        self, forget: Callable[[], None], rehearse: Callable[[], None], run: Callable[[list[str]], int]
    ) -> None:
        self._line, inside = socket.socketpair()
        self.pid = worker.fork()
        if self.pid == 0:
            self._line.close()
            forget()
            _wait(inside, rehearse, run)
        inside.close()

    def give(self, request: worker.Request, connection: socket.socket) -> bool:
        """Let it carry out `request` for the client of `connection`; False: it has ended before it heard of it."""
        data = request.packed()
        with self._line:
            try:
                sent = socket.send_fds(self._line, [data], [*request.files, connection.fileno()])
            except OSError:
                return False
            if sent < len(data):
                with suppress(
                    OSError
                ):  # it has begun to read, so nobody else may do it: the client will hear of its end
                    self._line.sendall(data[sent:])
        return True

    def end(self) -> None:
        """Nobody will need it."""
        self._line.close()
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)


def _wait(line: socket.socket, rehearse: Callable[[], None], run: Callable[[list[str]], int]) -> None:
    try:
        rehearse()
        _own_pages(line)
        request = worker.receive(line, 5)
        line.close()
        connection = socket.socket(fileno=request.files.pop())
    except BaseException:  # noqa: BLE001 - a fork server that ended closes the line: nothing is left to do
        os._exit(0)
    worker.become(request, connection, run)


def _own_pages(line: socket.socket) -> None:
    """Copy what a fork shares until it writes, as long as nothing is to be read from `line` (madvise(2); Linux before 5.14 cannot)."""
    asked = select.poll()
    asked.register(line, select.POLLIN)
    asked.poll(_PAUSE_MS)
    for start, end in _writable(Path("/proc/self/maps").read_text()):
        for address in range(start, end, _AT_ONCE):
            if asked.poll(0) or libc.madvise(address, min(_AT_ONCE, end - address), _MADV_POPULATE_WRITE):
                return


def _writable(maps: str) -> Iterator[tuple[int, int]]:
    """Where the memory is that a process may write to and shares with nobody: first address, and the one after the last.

    `maps`: see proc(5).
    """
    for line in maps.splitlines():
        span, rights, *more = line.split(maxsplit=5)
        if rights == "rw-p" and "[stack]" not in more:
            first, _, last = span.partition("-")
            yield int(first, 16), int(last, 16)
