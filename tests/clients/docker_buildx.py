"""The real `docker buildx`, which we did not write, in a folder with a Dockerfile."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass
class DockerBuildx:
    """`plugin`: the program; `address`: of the engine; `folder`: the context."""

    plugin: Path
    address: str
    folder: Path

    @property
    def environ(self) -> dict[str, str]:
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("BUILDX_", "DOCKER_"))}
        config = self.folder.parent / f"{self.folder.name}-docker-config"
        plugins = config / "cli-plugins"
        plugins.mkdir(parents=True, exist_ok=True)
        if not (plugins / "docker-buildx").exists():
            (plugins / "docker-buildx").symlink_to(self.plugin)
        return {
            **kept,
            "DOCKER_HOST": self.address,
            "DOCKER_CONFIG": str(config),
            "DOCKER_CLI_HINTS": "false",
        }

    def write(self, dockerfile: str, **files: str) -> None:
        """The Dockerfile, and other files by name."""
        for name, text in {"Dockerfile": dockerfile, **files}.items():
            place = self.folder / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text)

    def docker(self, *arguments: str, timeout: float = 120, **more: str) -> subprocess.CompletedProcess[str]:
        """One command to its end, `more` in its environment; the caller looks at the exit code."""
        return subprocess.run(
            ["docker", *arguments],
            cwd=self.folder, env={**self.environ, **more}, capture_output=True, text=True, timeout=timeout,
        )  # fmt: skip

    def build(self, *arguments: str, **more: str) -> str:
        """A build that must succeed; what it printed of its progress, as plain text."""
        done = self.docker("buildx", "build", "--progress=plain", *arguments, ".", **more)
        assert done.returncode == 0, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stderr

    def failing(self, *arguments: str, **more: str) -> str:
        """A build that must fail."""
        done = self.docker("buildx", "build", "--progress=plain", *arguments, ".", **more)
        assert done.returncode != 0, done.stderr
        return done.stderr

    def run(self, image: str, *command: str) -> str:
        """What a container of the image prints."""
        done = self.docker("run", "--rm", image, *command)
        assert done.returncode == 0, done.stderr
        return done.stdout
