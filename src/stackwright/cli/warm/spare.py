"""A worker forked ahead: it has rehearsed a command, and waits for the words of a real one.

A fork copies a page when it is first written to, and counting references writes to most pages of Python's objects: the
first command in a fresh fork takes several milliseconds for that. A rehearsal pays them before anybody waits.
"""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable
from contextlib import suppress

from stackwright.cli.warm import worker


class Spare:
    """One waiting process. `forget`: lets go of what is the fork server's alone, in the new process."""

    def __init__(
        self, forget: Callable[[], None], rehearse: Callable[[], None], run: Callable[[list[str]], int]
    ) -> None:
        self._line, inside = socket.socketpair()
        self.pid = os.fork()
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
        worker.die_with_parent()
        rehearse()
        request = worker.receive(line, 5)
        line.close()
        connection = socket.socket(fileno=request.files.pop())
    except BaseException:  # noqa: BLE001 - a fork server that ended closes the line: nothing is left to do
        os._exit(0)
    worker.become(request, connection, run)
