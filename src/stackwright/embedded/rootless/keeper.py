"""The keeper: the process that stays outside when the engine goes into the user's namespaces.

It holds the namespaces open, so that an engine that is started again finds the bridges and containers of the one
before, and it makes sockets in the host's network. It ends when no engine is connected and nothing runs inside.

    engine → keeper   "map <pid>"             over the socket pair it was forked with: ids, pasta
    engine → keeper   "join"                  → "<JSON of State>" with the user, mnt and net namespaces; the
                                                connection is held open for as long as the engine lives
    engine → keeper   "status"                → the same JSON again, once pasta was tried
    anyone → keeper   "socket <family> <kind>" → the socket, or an errno
"""

from __future__ import annotations

import errno
import json
import os
import select
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from stackwright.embedded.kernel import prctl, title
from stackwright.embedded.networks.outside import SOCKET_NAME
from stackwright.embedded.rootless import delegation, idmap, pasta
from stackwright.embedded.rootless.errors import RootlessError
from stackwright.embedded.rootless.record import KINDS, Record, members, namespace_of


def fork_keeper(folder: Path, pid: int, record: Record, *, fresh: bool) -> socket.socket:
    """Fork it from a process without threads; returns the engine's end of the socket pair.

    `pid`: the process whose namespaces it keeps. `fresh`: that is the caller, which makes them now and says so by
    "map"; otherwise they exist (an earlier keeper was killed).
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    middle = os.fork()
    if middle == 0:
        ours.close()
        if os.fork():  # nobody's child: the engine has no process to wait for
            os._exit(0)
        _run(lambda: Keeper(folder, theirs, pid, record).run(fresh), theirs)
    os.waitpid(middle, 0)
    theirs.close()
    return ours


def _run(body: Callable[[], None], channel: socket.socket) -> NoReturn:
    code = 1
    try:
        os.setsid()
        null = os.open(os.devnull, os.O_RDWR)
        for number in (0, 1, 2):  # who reads the engine's output must see its end when the engine ends
            os.dup2(null, number)
        _close_all_but(channel.fileno())
        prctl.set_name("sw-keeper")
        title.set_title("stackwright-keeper")
        os.chdir("/")
        body()
        code = 0
    except (RootlessError, OSError) as error:
        with suppress(OSError):
            channel.send(f"!{error}".encode())
    finally:
        os._exit(code)


def _close_all_but(kept: int) -> None:
    os.closerange(3, kept)
    os.closerange(kept + 1, 1 << 16)


class Keeper:
    """Serves until nobody needs the namespaces any more."""

    def __init__(self, folder: Path, channel: socket.socket, pid: int, record: Record) -> None:
        self._folder = folder
        self._channel = channel
        self._pid = pid
        self._record = record
        self._poll = select.epoll()
        self._clients: dict[int, socket.socket] = {}
        self._leases: set[int] = set()
        self._watched: set[int] = set()
        self._namespaces: list[int] = []
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)

    def run(self, fresh: bool) -> None:
        """Set up, tell the engine, serve, clean up."""
        if fresh:
            if not self._channel.recv(16):
                return  # the engine could not make them
            self._record.one_id = idmap.map_ids(self._pid)
        for kind in KINDS:
            self._namespaces.append(os.open(f"/proc/{self._pid}/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC))
            setattr(self._record, kind, namespace_of(self._pid, kind))
        self._listen()
        self._record.write(self._folder)
        self._add(self._channel)
        self._leases.add(self._channel.fileno())
        self._channel.send(b"ready")
        if not pasta.running(self._pid_file):
            self._record.no_egress = pasta.start(self._pid, self._pid_file)
            self._record.write(self._folder)
        try:
            self._serve()
        finally:
            pasta.stop(self._pid_file)
            (self._folder / SOCKET_NAME).unlink(missing_ok=True)
            self._record.remove(self._folder)
            delegation.give_back(self._record.cgroups)

    @property
    def _pid_file(self) -> Path:
        return self._folder / pasta.PID_FILE

    def _listen(self) -> None:
        (self._folder / SOCKET_NAME).unlink(missing_ok=True)
        directory = os.open(self._folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        before = os.umask(0o177)
        try:
            self._listener.bind(f"/proc/self/fd/{directory}/{SOCKET_NAME}")
        finally:
            os.umask(before)
            os.close(directory)
        self._listener.listen(256)
        self._poll.register(self._listener, select.EPOLLIN)

    def _serve(self) -> None:
        while self._leases or self._watch_members():
            for fd, _ in self._poll.poll():
                if fd == self._listener.fileno():
                    with suppress(BlockingIOError):
                        self._add(self._listener.accept()[0])
                elif fd in self._watched:
                    self._poll.unregister(fd)
                    self._watched.discard(fd)
                    os.close(fd)
                elif fd in self._clients:
                    self._answer(fd)

    def _watch_members(self) -> bool:
        """Without an engine: wait for those who still live inside; false when there is nobody."""
        if self._watched:
            return True
        for pid in members(self._record.user, but={pasta.running(self._pid_file)}):
            with suppress(ProcessLookupError):
                fd = os.pidfd_open(pid)
                self._poll.register(fd, select.EPOLLIN)
                self._watched.add(fd)
        return bool(self._watched)

    def _add(self, client: socket.socket) -> None:
        client.setblocking(True)
        self._clients[client.fileno()] = client
        self._poll.register(client, select.EPOLLIN)

    def _answer(self, fd: int) -> None:
        client = self._clients[fd]
        try:
            request = client.recv(256).decode(errors="replace").split()
            if request:
                self._carry_out(client, request)
                return
        except OSError:
            pass  # it went away
        self._poll.unregister(fd)
        self._leases.discard(fd)
        del self._clients[fd]
        client.close()

    def _carry_out(self, client: socket.socket, request: list[str]) -> None:
        match request:
            case ["socket", family, kind] if family.isdigit() and kind.isdigit():
                self._make_socket(client, int(family), int(kind))
            case ["join"]:
                self._leases.add(client.fileno())
                socket.send_fds(client, [self._state()], self._namespaces)
            case ["status"]:
                client.send(self._state())
            case _:
                client.send(str(errno.EINVAL).encode())

    def _make_socket(self, client: socket.socket, family: int, kind: int) -> None:
        if family not in (socket.AF_INET, socket.AF_INET6) or kind not in (
            socket.SOCK_STREAM,
            socket.SOCK_DGRAM,
        ):
            client.send(str(errno.EINVAL).encode())
            return
        try:
            made = socket.socket(family, kind | socket.SOCK_CLOEXEC)
        except OSError as error:
            client.send(str(error.errno or errno.EIO).encode())
            return
        with made:
            socket.send_fds(client, [b"0"], [made.fileno()])

    def _state(self) -> bytes:
        return json.dumps(self._record.as_dict()).encode()
