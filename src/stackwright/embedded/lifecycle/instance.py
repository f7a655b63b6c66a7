"""One engine per state directory: the lock, the instance's name, the socket."""

from __future__ import annotations

import fcntl
import hashlib
import os
import socket
import time
from pathlib import Path
from types import TracebackType

BACKLOG = 1024
"""Connections that may wait to be accepted."""


class AlreadyServed(Exception):  # noqa: N818 (said as it is, by the outermost edge)
    """Another engine holds this state directory; `str()` says which and where it listens."""


class StateLock:
    """Exclusive use of a state directory, given up by the kernel when the engine ends, however it ends."""

    def __init__(self, state_dir: Path, socket_path: Path) -> None:
        self._path = state_dir / "engine.lock"
        self._text = f"{os.getpid()} {socket_path}\n"
        self._state_dir = state_dir
        self._fd = -1

    def __enter__(self) -> StateLock:
        self._state_dir.mkdir(parents=True, exist_ok=True, mode=0o711)
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid, where = _holder(fd)
            os.close(fd)
            raise AlreadyServed(
                f"another engine (pid {pid or 'unknown'}) serves {self._state_dir} on {where or 'a socket'}"
            ) from None
        os.ftruncate(fd, 0)
        os.write(fd, self._text.encode())
        self._fd = fd
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._fd)


def _holder(fd: int) -> tuple[str, str]:
    """Who holds the lock, as it has written down: pid and socket. One that has just taken it has still the words of
    an engine before it in the file, for a moment.
    """
    deadline = time.monotonic() + 2
    while True:
        text = os.pread(fd, 4096, 0).decode(errors="replace")
        pid, _, where = text.strip().partition(" ")
        if (text.endswith("\n") and Path(f"/proc/{pid}").exists()) or time.monotonic() > deadline:
            return pid, where
        time.sleep(0.01)


def instance_of(state_dir: Path) -> str:
    """Six hex digits that name this engine's devices, rules and cgroups."""
    return hashlib.sha256(str(state_dir.resolve()).encode()).hexdigest()[:6]


def listen(path: Path) -> socket.socket:
    """The API's socket, for the owner only (root: and no group). A dead engine's socket is replaced.

    Call with the state lock held, so that it is certainly dead.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
    path.unlink(missing_ok=True)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        previous = os.umask(0o177)
        try:
            sock.bind(str(path))
        finally:
            os.umask(previous)
        sock.listen(BACKLOG)
        sock.setblocking(False)
    except OSError:
        sock.close()
        raise
    return sock
