"""What must go on when something is killed."""

from __future__ import annotations

import json
import os
import re
import signal
import threading
import time
import urllib.request
from http.client import HTTPException
from pathlib import Path

import pytest
from tests.system.conftest import Project

pytestmark = pytest.mark.root


def engine_pid(socket: Path) -> int:
    """The process that serves `socket`, by its command line."""
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
            parent = int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1])
        except OSError:
            continue
        # The starter shares the command line; the engine is the one whose parent does not.
        if str(socket).encode() in words and b"serve" in words:
            try:
                of_parent = Path(f"/proc/{parent}/cmdline").read_bytes().split(b"\0")
            except OSError:
                of_parent = []
            if str(socket).encode() not in of_parent:
                return int(folder.name)
    raise AssertionError(f"no engine serves {socket}")


class Requests:
    """Asks the published port again and again from a thread, and remembers what failed."""

    def __init__(self, url: str) -> None:
        self.url, self.good, self.failures = url, 0, list[str]()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work)

    def _work(self) -> None:
        while not self._stop.wait(0.01):
            try:
                with urllib.request.urlopen(self.url, timeout=5) as answer:
                    answer.read()
                self.good += 1
            except OSError as error:
                self.failures.append(str(error))

    def __enter__(self) -> Requests:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


def test_no_request_fails_when_the_engine_is_killed_and_no_log_line_is_lost(project: Project) -> None:
    project.ok("up", "-d", "--wait")
    with Requests(f"http://127.0.0.1:{project.port}/index.html") as requests:
        time.sleep(0.5)
        os.kill(engine_pid(project.command.socket), signal.SIGKILL)
        time.sleep(1.5)
        before = requests.good
        time.sleep(0.5)
        assert requests.good > before, "requests stopped being answered"
        rows = [json.loads(line) for line in project.ok("ps", "--format", "json").splitlines()]
        time.sleep(0.5)
    assert requests.failures == []
    assert {row["Service"]: row["State"] for row in rows} == {"web": "running", "client": "running"}
    numbers = [int(n) for n in re.findall(r"ok (\d+)", project.ok("logs", "--no-log-prefix", "client"))]
    assert numbers == list(range(1, len(numbers) + 1)), "a line is missing or doubled"
    assert "FAILED" not in project.ok("logs", "client")
    project.ok("down", "-v")


def test_a_killed_main_process_is_restarted_by_its_policy(project: Project) -> None:
    project.ok("up", "-d", "--wait")
    project.ok("exec", "-T", "web", "sh", "-c", "echo kept > /srv/kept.txt")
    row = json.loads(project.ok("ps", "--format", "json", "web").splitlines()[0])
    os.kill(_main_pid(project, row["ID"]), signal.SIGKILL)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{project.port}/kept.txt", timeout=2) as answer:
                assert answer.read() == b"kept\n"
                break
        except (OSError, HTTPException):  # cut off in the middle, or not there yet
            time.sleep(0.1)
    else:
        raise AssertionError("the service did not come back")
    project.ok("down", "-v")


def _main_pid(project: Project, container: str) -> int:
    import docker

    client = docker.APIClient(base_url=f"unix://{project.command.socket}", version="1.41")
    try:
        return int(client.inspect_container(container)["State"]["Pid"])
    finally:
        client.close()


def test_following_starts_a_killed_engine_again_and_misses_no_line(project: Project) -> None:
    project.ok("up", "-d", "--wait")
    follower = project.command.start("logs", "-f", "--no-color", "client", cwd=project.folder)
    assert follower.stdout is not None
    try:
        seen: list[int] = []
        for line in follower.stdout:
            if found := re.search(r"ok (\d+)", line):
                seen.append(int(found[1]))
                if len(seen) == 5:
                    os.kill(engine_pid(project.command.socket), signal.SIGKILL)
                if len(seen) == 40:
                    break
        assert seen == list(range(seen[0], seen[0] + 40))
    finally:
        follower.kill()
        follower.communicate()
