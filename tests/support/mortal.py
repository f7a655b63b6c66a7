"""Engines that a test may kill (`kill -9`) and start again."""

from __future__ import annotations

import os
import shlex
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import docker
from tests.embedded.engine_process import EngineProcess
from tests.peers import Peer, busybox_archive, running_dockerd
from tests.support.waiting import until


class Mortal(Protocol):
    """An engine with the test image."""

    @property
    def address(self) -> str:
        """Where it answers."""

    def go(self) -> None:
        """End it at once; it is gone when this returns, and stays away."""

    def come(self) -> None:
        """Let it come back; returns when it answers."""


class MortalDocker:
    """Docker Engine: its daemon alone is killed."""

    def __init__(self, peer: Peer, hold: Path) -> None:
        self.address, self._inner, self._hold = peer.address, peer.inner_pid, hold

    def go(self) -> None:
        """End the daemon."""
        self._hold.touch()
        pid = self._daemon()
        os.kill(pid, signal.SIGKILL)
        until(lambda: not _is_dockerd(pid), "the daemon's end", 60)

    def come(self) -> None:
        """Let the daemon start again, if it was gone."""
        self._hold.unlink(missing_ok=True)
        until(self._answers, "the daemon", 60)

    def _daemon(self) -> int:
        children = Path(f"/proc/{self._inner}/task/{self._inner}/children").read_text().split()
        return next(pid for pid in map(int, children) if _is_dockerd(pid))

    def _answers(self) -> bool:
        try:
            client = docker.DockerClient(base_url=self.address)
        except docker.errors.DockerException:
            return False
        client.close()  # making one has asked for the version
        return True


def _is_dockerd(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip() == "dockerd"
    except OSError:
        return False


@contextmanager
def mortal_dockerd(*more: str) -> Iterator[MortalDocker]:
    """Start one with the test image; ends with everything of it. `more`: flags of dockerd."""
    with tempfile.TemporaryDirectory(prefix="sw-hold-") as folder:
        hold = Path(folder) / "hold"

        def kept(words: str) -> str:
            loop = f"while true\ndo\n{words}\nwhile [ -e {hold} ]\ndo sleep 0.05\ndone\ndone"
            return f"sh -c {shlex.quote(loop)}"

        with running_dockerd(*more, around=kept) as peer:
            client = docker.DockerClient(base_url=peer.address)
            client.images.load(busybox_archive())
            client.close()
            yield MortalDocker(peer, hold)


class MortalEmbedded:
    """The embedded engine; the monitors of its containers live on."""

    def __init__(self, process: EngineProcess) -> None:
        self.address, self.go, self._process = process.address, process.kill, process

    def come(self) -> None:
        """Start it again, if it was gone."""
        if self._process.process is None or self._process.process.poll() is not None:
            self._process.start()


@contextmanager
def mortal_embedded() -> Iterator[MortalEmbedded]:
    """Start one with the test image; ends with everything of it."""
    process = EngineProcess()
    try:
        process.start()
        client = docker.DockerClient(base_url=process.address)
        client.images.load(busybox_archive())
        client.close()
        yield MortalEmbedded(process)
    finally:
        process.close()
