"""Runs the `stackwright` command as a person would, against an engine of the test's own."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import docker
from docker.errors import DockerException


@dataclass
class Stackwright:
    """The installed command, with its state in `root`; nothing of the user's own engine is touched."""

    root: Path
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def socket(self) -> Path:
        return self.root / "engine.sock"

    @property
    def environ(self) -> dict[str, str]:
        inherited = {
            key: value for key, value in os.environ.items() if not key.startswith(("COMPOSE_", "DOCKER_"))
        }
        return {
            **inherited,
            "STACKWRIGHT_STATE_DIR": str(self.root / "state"),
            "STACKWRIGHT_SOCKET": str(self.socket),
            **self.environment,
        }

    def command(self, *arguments: str) -> list[str]:
        return [str(Path(sys.executable).with_name("stackwright")), "--engine", "embedded", *arguments]

    def run(
        self, *arguments: str, cwd: Path, timeout: float = 120, stdin: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Runs one command to its end; the caller looks at the exit code."""
        return subprocess.run(
            self.command(*arguments),
            cwd=cwd,
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            input=stdin if stdin is not None else "",
        )

    def ok(self, *arguments: str, cwd: Path, timeout: float = 120, stdin: str | None = None) -> str:
        """Runs one command that must succeed; gives its standard output."""
        result = self.run(*arguments, cwd=cwd, timeout=timeout, stdin=stdin)
        assert result.returncode == 0, (
            f"{arguments}: exit {result.returncode}\n{result.stdout}\n{result.stderr}"
        )
        return result.stdout

    def start(self, *arguments: str, cwd: Path) -> subprocess.Popen[str]:
        """Starts a command that goes on (foreground `up`, `logs -f`); the caller ends it."""
        return subprocess.Popen(
            self.command(*arguments),
            cwd=cwd,
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def stop_engine(self) -> None:
        """Ends the engine and whatever it still runs, so that a failed test leaves nothing behind."""
        if not (self.root / "state").exists():
            return
        self._engine("start")  # whoever killed it left its containers running
        self._remove_containers()
        self._engine("stop")

    def _engine(self, verb: str) -> None:
        subprocess.run(
            self.command("engine", verb), env=self.environ, capture_output=True, check=False, timeout=60
        )

    def _remove_containers(self) -> None:
        with suppress(DockerException, OSError):
            client = docker.APIClient(base_url=f"unix://{self.socket}", version="1.41", timeout=30)
            try:
                for container in client.containers(all=True):
                    client.remove_container(container["Id"], force=True, v=True)
                client.prune_networks()
            finally:
                client.close()
