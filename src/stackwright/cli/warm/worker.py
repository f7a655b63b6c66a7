"""A fork of the fork server becomes the command: files, folder, environment, signals and process group as its client has them."""

from __future__ import annotations

import marshal
import os
import signal
import socket
import struct
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple, NoReturn

from stackwright import handover
from stackwright.cli.flags import split
from stackwright.cli.warm import whose
from stackwright.cli.warm.libc import libc
from stackwright.engine.contexts import named
from stackwright.engine.errors import EngineError
from stackwright.handover import ACCEPTED, DECLINED, VERBS

_PR_SET_PDEATHSIG = 1
_MOST = 16 * 1024 * 1024
"""Bytes of words and environment; the kernel gives a program at most 6 MB of them."""


class Request(NamedTuple):
    """A command, as its client was started. `files`: standard input, output and error, and the working folder."""

    same: str
    args: list[str]
    environ: dict[str, str]
    umask: int
    ignored: list[int]
    files: list[int]

    def packed(self) -> bytes:
        """As clients send it, without the files."""
        data = marshal.dumps((self.same, self.args, self.environ, self.umask, self.ignored))
        return len(data).to_bytes(4, "big") + data


def receive(connection: socket.socket, files_wanted: int = 4) -> Request:
    """Read one request. Raises OSError or ValueError for anything else than a request."""
    head, files, _, _ = socket.recv_fds(connection, 4, files_wanted)
    size = int.from_bytes(head, "big")
    if len(head) < 4 or len(files) < files_wanted or size > _MOST:
        for file in files:
            os.close(file)
        raise ValueError("not a request")
    data = bytearray()
    while len(data) < size:
        part = connection.recv(size - len(data))
        if not part:
            raise ConnectionError("the client went away")
        data += part
    same, args, environ, umask, ignored = marshal.loads(data)
    return Request(same, args, environ, umask, ignored, list(files))


def suits(request: Request) -> bool:
    """Whether a worker can do what the client could. `ssh` asks for passphrases at the terminal of its session."""
    found = split(request.args)
    if found is None or request.args[found[1]] not in VERBS:
        return False
    try:
        engine = named(request.environ, found[0].context)
    except EngineError:  # the command itself says what is wrong
        return True
    return engine is None or not engine.address.startswith("ssh:")


def become(request: Request, connection: socket.socket, run: Callable[[list[str]], int]) -> None:
    """Run the command in this process, and end it. Never returns."""
    code = 1
    try:
        connection.set_inheritable(False)
        whose.client = _peer(connection)
        _take_over(request)
        if not suits(request):
            connection.sendall(DECLINED)
            os._exit(0)
        connection.sendall(ACCEPTED)
        code = run(request.args)
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    except KeyboardInterrupt:
        code = 130
    except BaseException:  # noqa: BLE001 - as the interpreter itself does at its outermost edge
        sys.excepthook(*sys.exc_info())
    finally:
        _leave(connection, code)


def _leave(connection: socket.socket, code: int) -> NoReturn:
    """Tell the client, then end: the kernel takes two milliseconds to take a process of this size apart, for which nobody waits."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the command is over: it comes too late
    for standard in range(3):  # a reader of a pipe waits for its last writer
        with suppress(OSError):
            os.close(standard)
    with suppress(OSError):
        connection.sendall(handover.ended(code))
    os._exit(code)


def _peer(connection: socket.socket) -> int:
    """The process at the other end."""
    size = struct.calcsize("3i")
    return int(struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))[0])


def fork() -> int:
    """fork(2); the new process ends with this one."""
    mine = os.getpid()
    pid = os.fork()
    if pid == 0:
        die_with(mine)
    return pid


def die_with(parent: int) -> None:
    """End with the process that forked this one: nobody else could pass signals on to it."""
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it has ended before it was asked about
        os._exit(1)


def _take_over_environment(wanted: dict[str, str]) -> None:
    """Most of it is as it was: telling the C library of each variable anew takes half a millisecond."""
    present = dict(os.environ)
    for name in present.keys() - wanted.keys():
        del os.environ[name]
    for name, value in wanted.items():
        if present.get(name) != value:
            os.environ[name] = value


def _take_over(request: Request) -> None:
    os.setpgid(0, 0)
    for target, source in enumerate(request.files[:3]):
        os.dup2(source, target, inheritable=True)
    os.fchdir(request.files[3])
    for number in request.files:
        os.close(number)
    sys.argv[1:] = request.args
    _take_over_environment(request.environ)
    time.tzset()
    os.umask(request.umask)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGTSTP):
        signal.signal(number, signal.SIG_IGN if number in request.ignored else signal.SIG_DFL)
    signal.signal(
        signal.SIGINT,
        signal.SIG_IGN if signal.SIGINT in request.ignored else signal.default_int_handler,
    )
    sys.unraisablehook = handover.come_again
    for stream, number in ((sys.stdout, 1), (sys.stderr, 2)):
        stream.reconfigure(line_buffering=number == 2 or os.isatty(number))  # type: ignore[union-attr]
