"""The command under test, run as a person would, on a Docker Engine and on the embedded engine."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.peers import IMAGE, running_embedded

SLEEP = "trap 'exit 0' TERM INT; sleep 1000 & wait"
"""A shell script that runs until it is told to end, and ends at once then."""


@dataclass
class Box:
    """A folder with a compose file, and the command on one engine."""

    folder: Path
    address: str
    engine: str

    def write(self, text: str, name: str = "compose.yaml") -> None:
        """Write a compose file; IMAGE and SLEEP are filled in."""
        text = (
            textwrap.dedent(text).replace("$IMAGE", IMAGE).replace("$SLEEP", json.dumps(["sh", "-c", SLEEP]))
        )
        (self.folder / name).write_text(text)

    @property
    def environ(self) -> dict[str, str]:
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("COMPOSE_")}
        return {**inherited, "DOCKER_HOST": self.address}

    def command(self, *arguments: str) -> list[str]:
        return [str(Path(sys.executable).with_name("stackwright")), "-p", self.project, *arguments]

    @property
    def project(self) -> str:
        return "t" + self.folder.name.lower().replace("-", "").replace("_", "")[-12:]

    def run(self, *arguments: str, stdin: str = "", timeout: float = 90) -> subprocess.CompletedProcess[str]:
        """Run one command to its end."""
        return subprocess.run(
            self.command(*arguments),
            cwd=self.folder,
            env=self.environ,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout,
        )

    def ok(self, *arguments: str, stdin: str = "") -> str:
        """Run one command that must succeed; its standard output."""
        result = self.run(*arguments, stdin=stdin)
        assert result.returncode == 0, f"{arguments}: {result.returncode}\n{result.stdout}\n{result.stderr}"
        return result.stdout

    def fails(self, *arguments: str, code: int = 1) -> str:
        """Run one command that must fail; its standard error, which is never a traceback."""
        result = self.run(*arguments)
        assert result.returncode == code, (
            f"{arguments}: {result.returncode}\n{result.stdout}\n{result.stderr}"
        )
        assert "Traceback" not in result.stderr
        return result.stderr

    def start(self, *arguments: str, stderr: int = subprocess.PIPE) -> subprocess.Popen[str]:
        """Start a command that goes on."""
        return subprocess.Popen(
            self.command(*arguments),
            cwd=self.folder,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )

    def ps(self, *arguments: str) -> dict[str, dict[str, object]]:
        """`ps -a --format json` by container name without the project."""
        lines = self.ok("ps", "-a", "--format", "json", *arguments).splitlines()
        values = [json.loads(line) for line in lines]
        return {value["Name"].removeprefix(f"{self.project}-"): value for value in values}


def read_until(process: subprocess.Popen[str], text: str, seconds: float = 30) -> str:
    """Lines of the process's output up to one with `text`."""
    assert process.stdout is not None
    seen = ""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        line = process.stdout.readline()
        seen += line
        if text in line:
            return seen
        if not line and process.poll() is not None:
            break
    process.send_signal(signal.SIGKILL)
    raise AssertionError(f"{text!r} did not come:\n{seen}\n{process.communicate()}")


@pytest.fixture(scope="session")
def embedded() -> Iterator[str]:
    """The address of an embedded engine of this test process."""
    with running_embedded() as address:
        yield address


_ENGINES = [
    pytest.param("docker", marks=pytest.mark.docker),
    pytest.param("embedded", marks=pytest.mark.root),
    pytest.param("podman", marks=pytest.mark.root),
]
everywhere = pytest.mark.parametrize("box", _ENGINES, indirect=True)
"""For tests that Podman has to pass too: where it has ways of its own. `tests/scenarios` tries the rest there."""


@pytest.fixture(params=_ENGINES[:2])
def box(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Box]:
    """A folder and the command, on Docker and on the embedded engine; what is left of the project is taken down."""
    name = str(request.param)
    if name == "podman":
        address = request.getfixturevalue("podman").address
    else:
        address = request.getfixturevalue("dockerd_socket" if name == "docker" else "embedded")
    made = Box(tmp_path, address, name)
    yield made
    for file in tmp_path.glob("*.yaml"):
        file.unlink()
    made.run("down", "-v", "--remove-orphans", "-t", "0")
