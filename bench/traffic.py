"""Real TCP between network namespaces, made by the same two small programs whatever lies between them."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from stackwright.embedded.networks.sandbox import in_namespace

SINK, ECHO = 5001, 5002
BLOCK = 1 << 18


@contextmanager
def forked(work: Callable[[], None]) -> Iterator[None]:
    """Run `work` in a child until the end of the block."""
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        work()
        os._exit(0)
    try:
        yield
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


@contextmanager
def server(netns: int) -> Iterator[None]:
    """In the namespace: a process that swallows what comes to SINK and answers each request on ECHO."""
    listeners = [in_namespace(netns, socket.socket) for _ in range(2)]
    for listener, port in zip(listeners, (SINK, ECHO), strict=True):
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("0.0.0.0", port))
        listener.listen(512)

    def swallow() -> None:
        buffer = bytearray(BLOCK)
        while True:
            connection, _ = listeners[0].accept()
            while connection.recv_into(buffer):
                pass
            connection.close()

    def serve() -> None:
        threading.Thread(target=swallow, daemon=True).start()
        while True:
            connection, _ = listeners[1].accept()
            connection.sendall(connection.recv(1024))
            connection.close()

    with forked(serve):
        for listener in listeners:
            listener.close()
        yield


def throughput(netns: int | None, family: int, to: tuple[str, int], seconds: float) -> float:
    """Gbit/s of one connection."""
    client = in_namespace(netns, lambda: socket.socket(family)) if netns else socket.socket(family)
    block = bytes(BLOCK)
    with client:
        client.settimeout(20)
        client.connect(to)
        sent, start = 0, time.perf_counter()
        while time.perf_counter() - start < seconds:
            sent += client.send(block)
        client.shutdown(socket.SHUT_WR)
        client.recv(1)  # the sink closes when it has everything
        return sent * 8 / (time.perf_counter() - start) / 1e9


def requests(netns: int | None, family: int, to: tuple[str, int], seconds: float) -> float:
    """Connections a second, each with one small question and answer, one after the other."""

    def ask_on() -> float:
        count, start = 0, time.perf_counter()
        while time.perf_counter() - start < seconds:
            with socket.socket(family) as client:
                client.settimeout(20)
                client.connect(to)
                client.sendall(b"GET /")
                client.recv(1024)
            count += 1
        return count / (time.perf_counter() - start)

    return in_namespace(netns, ask_on) if netns else ask_on()
