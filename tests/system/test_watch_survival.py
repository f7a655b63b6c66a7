"""`watch` while the engine goes away and comes back."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from tests.system.conftest import Project
from tests.system.test_survival import engine_pid

pytestmark = pytest.mark.root

COMPOSE = """\
services:
  web:
    image: tiny:1
    init: true
    command: ["sleep", "1000"]
    develop: {watch: [{path: ./src, action: sync, target: /srv}]}
"""


def _until(path: Path, text: str, process: subprocess.Popen[bytes], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while text not in path.read_text():
        assert time.monotonic() < deadline, f"waited for {text!r}:\n{path.read_text()}"
        assert process.poll() is None, path.read_text()
        time.sleep(0.02)


def test_what_changes_while_the_engine_is_away_is_copied_when_it_is_back(project: Project) -> None:
    project.write(COMPOSE)
    (project.folder / "src").mkdir()
    said = project.folder / "said.txt"
    with said.open("wb") as out:
        process = subprocess.Popen(
            [*project.command.command("watch")],
            cwd=project.folder,
            env={
                **project.command.environ,
                "DOCKER_HOST": f"unix://{project.command.socket}",
            },
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
        )
    try:
        _until(said, "Watch enabled", process)
        os.kill(engine_pid(project.command.socket), signal.SIGKILL)
        (project.folder / "src/page").write_text("kept")
        _until(said, "changes are kept until it answers again", process)
        project.ok("engine", "start")
        _until(said, "web: copied page", process)
        assert project.ok("exec", "-T", "web", "cat", "/srv/page") == "kept"
        process.send_signal(signal.SIGINT)
        assert process.wait(30) in (0, 130)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    project.ok("down", "-t", "0")
