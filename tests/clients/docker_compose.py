"""The real `docker compose`, which we did not write, in a project's folder."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any


@dataclass
class Followed:
    """A command that goes on, and what it printed."""

    process: subprocess.Popen[bytes]
    output: IO[bytes]

    def said(self) -> str:
        return os.pread(self.output.fileno(), 1_000_000, 0).decode(errors="replace")

    def interrupt(self, seconds: float = 30) -> None:
        """Ctrl-C; fails when it does not end by it."""
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(seconds)
        finally:
            self.end()

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.output.close()


@dataclass
class DockerCompose:
    """`plugin`: the program; `address`: of the engine; `folder`: where the Compose file is."""

    plugin: Path
    address: str
    folder: Path

    @property
    def environ(self) -> dict[str, str]:
        kept = {
            key: value for key, value in os.environ.items() if not key.startswith(("COMPOSE_", "DOCKER_"))
        }
        # There it keeps the lock of `watch`, by the project's name: projects of other tests have the same.
        own = {"DOCKER_CONFIG": str(self.folder / ".docker-config"), "XDG_RUNTIME_DIR": str(self.folder)}
        return {**kept, "DOCKER_HOST": self.address, **own}

    def run(self, *arguments: str, stdin: str = "", timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """One command to its end; the caller looks at the exit code."""
        return subprocess.run(
            [self.plugin, *arguments],
            cwd=self.folder, env=self.environ, input=stdin, capture_output=True, text=True, timeout=timeout,
        )  # fmt: skip

    def ok(self, *arguments: str, stdin: str = "", timeout: float = 120) -> str:
        """One command that must succeed; its standard output."""
        done = self.run(*arguments, stdin=stdin, timeout=timeout)
        assert done.returncode == 0, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def rows(self, *arguments: str) -> list[dict[str, Any]]:
        """A list asked for with `--format json`, printed as one array or as a row a line."""
        text = self.ok(*arguments, "--format", "json")
        if text.startswith("["):
            return list(json.loads(text))
        return [json.loads(line) for line in text.splitlines()]

    def ps(self) -> dict[str, dict[str, Any]]:
        """Service → its row, those that are down included; for services with one container."""
        return {row["Service"]: row for row in self.rows("ps", "--all")}

    def start(self, *arguments: str) -> Followed:
        """A command that goes on."""
        output = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the command)
        process = subprocess.Popen(
            [self.plugin, *arguments], cwd=self.folder, env=self.environ,
            stdin=subprocess.DEVNULL, stdout=output, stderr=output,
        )  # fmt: skip
        return Followed(process, output)

    def until(
        self, condition: Callable[[], bool], what: str, followed: Followed, seconds: float = 20
    ) -> None:
        """Wait for something; says what a command printed meanwhile when it does not come."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"waited for {what}:\n{followed.said()}"
            time.sleep(0.1)
