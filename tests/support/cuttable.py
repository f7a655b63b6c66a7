"""A way to an engine that a test can cut or slow: for its client the engine vanishes and comes back, or is late."""

from __future__ import annotations

import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


class Cuttable:
    """Forwards connections from a Unix socket of its own to an engine's."""

    def __init__(self, folder: Path, engine: str) -> None:
        self.path = folder / "way.sock"
        self._engine = engine.removeprefix("unix://")
        self._open: set[socket.socket] = set()
        self._listener: socket.socket | None = None
        self.late: dict[bytes, float] = {}
        """Seconds by which the engine gets requests later, by a piece of their first line."""
        self.come()

    @property
    def address(self) -> str:
        return f"unix://{self.path}"

    def come(self) -> None:
        """The engine answers, if it did not already."""
        if self._listener is not None:
            return
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(self.path))
        listener.listen(128)
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def go(self) -> None:
        """Every connection ends, and new ones are refused."""
        if self._listener is not None:
            self.path.unlink()
            with suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
        for end in list(self._open):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            engine = socket.socket(socket.AF_UNIX)
            try:
                engine.connect(self._engine)
            except OSError:
                client.close()
                continue
            for one, other in ((client, engine), (engine, client)):
                self._open.add(one)
                threading.Thread(target=self._copy, args=(one, other), daemon=True).start()

    def _copy(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                line = data.partition(b"\r\n")[0]
                time.sleep(max((seconds for piece, seconds in self.late.items() if piece in line), default=0))
                target.sendall(data)
        with suppress(OSError):
            target.shutdown(socket.SHUT_WR)
        self._open.discard(source)


@contextmanager
def cuttable(engine: str) -> Iterator[Cuttable]:
    """A way to the engine at `engine` (`unix://…`)."""
    folder = Path(tempfile.mkdtemp(prefix="sw-way-"))
    way = Cuttable(folder, engine)
    try:
        yield way
    finally:
        way.go()
        shutil.rmtree(folder, ignore_errors=True)
