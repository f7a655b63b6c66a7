"""The fork server: a process with the modules of the everyday verbs imported, which forks a worker for each command.

It holds no state of any project: what a worker reads and keeps ends with it. One thread and no event loop, so that a fork
copies nothing half-done.
"""

from __future__ import annotations

import asyncio
import fcntl
import gc
import json
import os
import pkgutil
import selectors
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NoReturn

from stackwright import handover
from stackwright.cli.group import VERBS
from stackwright.cli.main import finish, run
from stackwright.cli.warm import worker
from stackwright.cli.warm.sources import LOOK_SECONDS, Sources
from stackwright.cli.warm.spare import Spare
from stackwright.conditions import conditions, socket_path
from stackwright.model.load import load

IDLE_SECONDS = 600.0
READ_SECONDS = 2.0
BACKLOG = 64
_PACKAGES = (
    "stackwright.run",
    "stackwright.plan",
    "stackwright.engine",
    "stackwright.model",
    "stackwright.cli",
)
_TO_GROUP = frozenset({signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGTSTP, signal.SIGCONT})
"""Signals that a terminal sends to all of a job; others are for the command alone."""


class ForkServer:
    """Serves commands on `listener`, bound to `path`, until nobody has asked for `idle` seconds.

    `same`: the conditions of its clients; `run`: carries a command's words out, in a worker, and returns the exit code;
    `rehearse`: what a worker that is forked ahead does, in silence, before it is needed.
    """

    def __init__(
        self,
        listener: socket.socket,
        path: Path,
        same: str,
        idle: float,
        run: Callable[[list[str]], int],
        rehearse: Callable[[], None],
    ) -> None:
        self._listener, self._path, self._same, self._idle = listener, path, same, idle
        self._run, self._rehearse = run, rehearse
        self._born = _inode(path)
        self._sources = Sources()
        self._selector = selectors.DefaultSelector()
        self._workers: dict[int, socket.socket] = {}
        """Client of each worker that runs."""
        self._spare: Spare | None = None
        self._ahead = True
        self._ended, self._wake = socket.socketpair()

    def serve(self) -> None:
        """Until idle, out of date, or replaced."""
        for end in (self._ended, self._wake):
            end.setblocking(False)
        signal.set_wakeup_fd(self._wake.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(self._ended, selectors.EVENT_READ)
        last = time.monotonic()
        while self._workers or (time.monotonic() - last < self._idle and self._current()):
            # Not beside a command: it would share its processors.
            if self._ahead and self._spare is None and not self._workers:
                self._spare = Spare(self._forget, self._rehearse, self._run)
            for key, _ in self._selector.select(min(self._idle, LOOK_SECONDS)):
                last = time.monotonic()
                if key.fileobj is self._listener:
                    self._accept()
                elif key.fileobj is self._ended:
                    with suppress(BlockingIOError):
                        self._ended.recv(4096)
                    self._reap()
                else:
                    self._hear(key.data)

    def close(self) -> None:
        """Take the socket away, unless another fork server has put its own there."""
        if self._spare:
            self._spare.end()
        with alone(self._path.parent):
            if _inode(self._path) == self._born:
                self._path.unlink(missing_ok=True)
        self._listener.close()

    def _current(self) -> bool:
        """Whether new commands would find this fork server, and this fork server is what they would be."""
        return _inode(self._path) == self._born and not self._sources.changed()

    def _accept(self) -> None:
        connection, _ = self._listener.accept()
        connection.settimeout(READ_SECONDS)
        try:
            request = worker.receive(connection)
        except (OSError, ValueError, EOFError, TypeError):
            connection.close()
            return
        connection.settimeout(None)
        suitable = request.same == self._same and self._current()
        pid = self._hand_to_worker(request, connection) if suitable else 0
        for file in request.files:
            os.close(file)
        if not pid:
            with suppress(OSError):
                connection.sendall(handover.DECLINED)
            connection.close()
            return
        self._workers[pid] = connection
        self._selector.register(connection, selectors.EVENT_READ, pid)

    def _hand_to_worker(self, request: worker.Request, connection: socket.socket) -> int:
        spare, self._spare = self._spare, None
        if spare and spare.give(request, connection):
            return spare.pid
        pid = worker.fork()
        if pid == 0:
            self._forget()
            worker.become(request, connection, self._run)
        return pid

    def _forget(self) -> None:
        """In a new worker: what only the fork server may hold."""
        self._selector.close()
        self._sources.close()
        for mine in (self._listener, self._ended, self._wake, *self._workers.values()):
            mine.close()
        signal.set_wakeup_fd(-1)

    def _hear(self, pid: int) -> None:
        """A client passes signals on, a byte each; one that went away without its code was killed."""
        connection = self._workers.get(pid)
        if connection is None:  # reaped a moment ago
            return
        try:
            numbers = connection.recv(64)
        except OSError:
            numbers = b""
        for number in numbers or bytes([signal.SIGKILL]):
            try:
                (os.killpg if number in _TO_GROUP else os.kill)(pid, number)
            except ProcessLookupError:  # it has not made its group yet
                os.kill(pid, number)
        if not numbers:
            self._selector.unregister(connection)

    def _reap(self) -> None:
        while self._workers or self._spare:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            if self._spare and pid == self._spare.pid:  # what ends it would end the next one, too
                self._spare, self._ahead = None, False
                continue
            connection = self._workers.pop(pid, None)
            if connection is None:  # a spare that ended before anybody needed it
                continue
            with suppress(KeyError):
                self._selector.unregister(connection)
            with suppress(OSError):
                connection.sendall(handover.ended(os.waitstatus_to_exitcode(status)))
            connection.close()


def _inode(path: Path) -> int:
    try:
        return path.stat().st_ino
    except OSError:
        return 0


def import_everything() -> None:
    """What the verbs import when they are called, and what those import when something is needed."""
    homes = {verb: where.partition(":")[0] for verb, (where, _) in VERBS.items()}
    others = set(homes.values()) - {homes[verb] for verb in handover.VERBS}
    for package in _PACKAGES:
        for module in pkgutil.walk_packages(import_module(package).__path__, f"{package}."):
            # `config_views` is what `config` alone imports
            if module.name not in others and module.name.rpartition("_")[0] not in others:
                import_module(module.name)


def load_something() -> None:
    """Read a small project: the reader of each type of the model is compiled when it is first used."""
    service = {
        "image": "a",
        "build": {"context": "."},
        "command": ["true"],
        "depends_on": {"b": {"condition": "service_healthy"}},
        "deploy": {"replicas": 1, "resources": {"limits": {"cpus": "1", "memory": "1m"}}},
        "environment": {"A": "${A-}"},
        "healthcheck": {"test": ["CMD", "true"], "interval": "5s"},
        "networks": {"n": {"aliases": ["a"]}},
        "ports": ["80"],
        "secrets": ["s"],
        "volumes": ["v:/v", "./here:/here"],
    }
    project = {
        "name": "warm",
        "services": {"a": service, "b": {"image": "b"}},
        "networks": {"n": {}},
        "secrets": {"s": {"file": "./s"}},
        "volumes": {"v": {}},
    }
    with TemporaryDirectory() as folder:
        file = Path(folder) / "compose.yaml"
        file.write_text(json.dumps(project))
        load([file], environment={})


def rehearse() -> None:
    """What every verb does, without an engine. What that prints is gone before a worker prints for somebody."""
    load_something()
    finish(run(["version"]))
    asyncio.run(asyncio.sleep(0))


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """While sockets of `folder` change hands."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as other:
        return other.connect_ex(str(path)) == 0


def listen(path: Path) -> socket.socket | None:
    """The socket that only this user may use; None: another fork server serves there."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    about = path.parent.stat()
    if about.st_uid != os.geteuid() or about.st_mode & 0o022:
        return None
    with alone(path.parent):
        if _answers(path):
            return None
        path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX)
        mask = os.umask(0o077)
        listener.bind(str(path))
        os.umask(mask)
        listener.listen(BACKLOG)
    return listener


def main() -> NoReturn:
    """Serve commands started as this process was, then end. Nobody reads what it would say."""
    same = conditions(os.environ)
    if same is None:
        os._exit(0)
    path = Path(socket_path(os.environ, same))
    if _answers(path):
        os._exit(0)
    import_everything()
    rehearse()
    gc.collect()
    gc.freeze()
    listener = listen(path)
    if listener is None:
        os._exit(0)
    idle = float(os.environ.get("STACKWRIGHT_WARM_SECONDS") or IDLE_SECONDS)
    server = ForkServer(listener, path, same, idle, lambda args: finish(run(args)), rehearse)
    server.serve()
    server.close()
    os._exit(0)


if __name__ == "__main__":
    main()
