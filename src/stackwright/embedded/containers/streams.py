"""A container's output and input inside the monitor: pipes or a terminal on one side, log and clients on the other.

Nothing is ever dropped for an attached client: while one of them is slow, the container's output
waits in its pipe, as with Docker.
"""

from __future__ import annotations

import _socket
import os
from contextlib import suppress

from . import wire
from .loop import ERROR, HANGUP, READ, WRITE, Loop

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .jsonlog import JsonLog

CHUNK = 32 * 1024
CONGESTED = 256 * 1024
"""Bytes waiting for a client above which the container's output is no longer read."""
STDIN_LIMIT = 256 * 1024
"""Bytes waiting for the process's stdin above which clients are no longer read."""

_KINDS = {"stdout": wire.STDOUT, "stderr": wire.STDERR}


class Client:
    """One connection to the monitor: frames in, frames out, both non-blocking."""

    def __init__(self, loop: Loop, channel: _socket.socket, on_frame: Callable[[Client, int, bytes], None]):
        self._loop = loop
        self._channel = channel
        self._on_frame = on_frame
        self._splitter = wire.Splitter()
        self._out = bytearray()
        self._reading = True
        self._closing = False
        self.closed = False
        self.streams: frozenset[str] = frozenset()
        """Output streams this client is attached to."""
        self.stdin = False
        self.on_close: Callable[[Client], None] | None = None
        self.on_drain: Callable[[], None] | None = None
        channel.setblocking(False)
        loop.register(channel.fileno(), READ, self._ready)

    @property
    def congested(self) -> bool:
        """Whether too much waits to be sent."""
        return len(self._out) > CONGESTED

    def send(self, data: bytes) -> None:
        """Send a frame, now or when the peer reads."""
        if self.closed:
            return
        if not self._out:
            try:
                sent = self._channel.send(data)
            except BlockingIOError:
                sent = 0
            except OSError:
                self.close()
                return
            if sent == len(data):
                return
            data = data[sent:]
        self._out += data
        self._interest()

    def send_with(self, data: bytes, descriptor: int) -> None:
        """Send a frame with a descriptor beside it, at once: only to a peer that has nothing waiting."""
        try:
            wire.send(self._channel, data, (descriptor,))
        except OSError:
            self.close()

    def receive_now(self) -> None:
        """Take what the peer has sent already."""
        self._receive()

    def pause_reading(self, paused: bool) -> None:
        """Stop (or go on) taking frames from the peer."""
        if self._reading == paused and not self.closed:
            self._reading = not paused
            self._interest()

    def close_when_sent(self) -> None:
        """Close after the last byte went out."""
        self._closing = True
        if not self._out:
            self.close()

    def close(self) -> None:
        """Close now; safe to call twice."""
        if self.closed:
            return
        self.closed = True
        self._loop.unregister(self._channel.fileno())
        self._channel.close()
        self._out.clear()
        if self.on_close is not None:
            self.on_close(self)
        if self.on_drain is not None:
            self.on_drain()

    def _interest(self) -> None:
        mask = (READ if self._reading else 0) | (WRITE if self._out else 0)
        self._loop.modify(self._channel.fileno(), mask)

    def _ready(self, mask: int) -> None:
        if mask & WRITE:
            self._flush()
        if not self.closed and mask & ~WRITE and (self._reading or not mask & READ):
            self._receive()

    def _flush(self) -> None:
        try:
            sent = self._channel.send(self._out)
        except BlockingIOError:
            return
        except OSError:
            self.close()
            return
        del self._out[:sent]
        if not self._out:
            if self._closing:
                self.close()
                return
            self._interest()
        if not self.congested and self.on_drain is not None:
            self.on_drain()

    def _receive(self) -> None:
        try:
            data = self._channel.recv(CHUNK)
            frames = self._splitter.feed(data) if data else []
        except BlockingIOError:
            return
        except (OSError, wire.ProtocolError):
            data, frames = b"", []
        if not data:
            self.close()
            return
        for kind, payload in frames:
            if not self.closed:
                self._on_frame(self, kind, payload)


class Streams:
    """Copies output to the log and the attached clients, and clients' input to the process."""

    def __init__(self, loop: Loop, log: JsonLog | None) -> None:
        self._loop = loop
        self._log = log
        self._sources: dict[int, str] = {}
        self._clients: list[Client] = []
        self._paused = False
        self._stdin = -1
        self._stdin_is_tty = False
        self._stdin_buffer = bytearray()
        self._stdin_ending = False

    def add_source(self, fd: int, stream: str) -> None:
        """Read `fd` (a pipe or a terminal's master) as `stream` until it ends."""
        os.set_blocking(fd, False)
        self._sources[fd] = stream
        self._loop.register(fd, READ, lambda mask: self._on_readable(fd))

    def set_stdin(self, fd: int, *, tty: bool = False) -> None:
        """Where clients' input goes. A terminal's master is shared with `add_source`: hand in a duplicate."""
        os.set_blocking(fd, False)
        self._stdin = fd
        self._stdin_is_tty = tty
        self._loop.register(fd, 0, self._on_stdin)

    def attach(self, client: Client) -> None:
        """Start copying to `client` the streams it asked for."""
        client.on_drain = self._resume
        self._clients.append(client)

    def detach(self, client: Client) -> None:
        """Forget a client."""
        with suppress(ValueError):
            self._clients.remove(client)

    def feed_stdin(self, data: bytes) -> None:
        """Input from a client; dropped when the process has no stdin (any more)."""
        if self._stdin < 0 or self._stdin_ending:
            return
        self._stdin_buffer += data
        self._write_stdin()

    def end_stdin(self) -> None:
        """No more input. Ignored on a terminal, which has no end of input of its own."""
        if self._stdin < 0 or self._stdin_is_tty:
            return
        self._stdin_ending = True
        if not self._stdin_buffer:
            self._close_stdin()

    def drain(self) -> None:
        """Copy what is left after the process ended, without waiting for more."""
        for fd in list(self._sources):
            while fd in self._sources and self._read(fd):
                pass
            self._drop(fd)
        self._close_stdin()

    def close_log(self) -> None:
        """Write unfinished lines; nothing is logged after this."""
        if self._log is not None:
            self._log.close()
            self._log = None

    def take_clients(self) -> list[Client]:
        """The attached clients, from now on the caller's to close."""
        clients, self._clients = self._clients, []
        return clients

    def _on_readable(self, fd: int) -> None:
        self._read(fd)

    def _read(self, fd: int) -> bool:
        try:
            data = os.read(fd, CHUNK)
        except BlockingIOError:
            return False
        except OSError:  # EIO: the terminal's last user has closed it
            data = b""
        if not data:
            self._drop(fd)
            return False
        stream = self._sources[fd]
        if self._log is not None:
            self._log.write(stream, data)
        congested = False
        if self._clients:
            framed = wire.frame(_KINDS[stream], data)
            for client in list(self._clients):
                if stream in client.streams:
                    client.send(framed)
                    congested = congested or client.congested
        if congested and not self._paused:
            self._paused = True
            for source in self._sources:
                self._loop.modify(source, 0)
        return True

    def _resume(self) -> None:
        if self._paused and not any(client.congested for client in self._clients if not client.closed):
            self._paused = False
            for source in self._sources:
                self._loop.modify(source, READ)

    def _drop(self, fd: int) -> None:
        if self._sources.pop(fd, None) is not None:
            self._loop.unregister(fd)
            os.close(fd)

    def _on_stdin(self, mask: int) -> None:
        if mask & (ERROR | HANGUP):  # nobody has it open any more
            self._close_stdin()
        else:
            self._write_stdin()

    def _write_stdin(self) -> None:
        if self._stdin < 0:
            return
        try:
            while self._stdin_buffer:
                del self._stdin_buffer[: os.write(self._stdin, self._stdin_buffer)]
        except BlockingIOError:
            pass
        except OSError:  # nobody reads it any more
            self._close_stdin()
            return
        if self._stdin_ending and not self._stdin_buffer:
            self._close_stdin()
            return
        self._loop.modify(self._stdin, WRITE if self._stdin_buffer else 0)
        full = len(self._stdin_buffer) > STDIN_LIMIT
        for client in self._clients:
            if client.stdin:
                client.pause_reading(full)

    def _close_stdin(self) -> None:
        if self._stdin >= 0:
            self._loop.unregister(self._stdin)
            os.close(self._stdin)
            self._stdin = -1
            self._stdin_buffer.clear()
            for client in self._clients:
                client.pause_reading(False)
