"""Two commands on one project: the second waits and says for whom, or gives up."""

from __future__ import annotations

import signal
import subprocess
import time
from contextlib import suppress

import pytest
from tests.cli.conftest import Box

SLOW_TO_END = """
    services:
      web: {image: $IMAGE, stop_grace_period: 60s, command: [sh, -c, "trap 'while [ ! -e /s/go ]; do sleep 0.1; done; exit 0' TERM; touch /s/up; sleep 1000 & wait; wait"], volumes: [./s:/s]}
    """


@pytest.fixture
def held(box: Box) -> Box:
    """A project on which `stop` holds the lock until `s/go` is there."""
    box.write(SLOW_TO_END)
    box.ok("up", "-d")
    deadline = time.monotonic() + 30
    while not (box.folder / "s/up").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return box


def _stopping(box: Box) -> subprocess.Popen[str]:
    """A `stop` that holds the lock: it has said that it is at work."""
    first = box.start("stop")
    assert first.stderr is not None
    assert "Stopping" in first.stderr.readline()
    return first


def test_the_second_command_waits_and_says_for_whom(held: Box) -> None:
    box = held
    first = _stopping(box)
    try:
        text = box.fails("--lock-timeout", "200ms", "up", "-d")
        assert f"-p {box.project} stop" in text
        assert f"(process {first.pid}, for " in text
        assert "is still changing this project; gave up after 0.2 s" in text
        assert "--lock-timeout" in text
        second = box.start("start")
        assert second.stderr is not None
        assert (
            f'waiting for "stackwright -p {box.project} stop" (process {first.pid}'
            in second.stderr.readline()
        )
        (box.folder / "s/go").touch()
        assert first.wait(60) == 0
        assert second.wait(60) == 0
        second.communicate()
        assert box.ps()["web-1"]["State"] == "running"
    finally:
        (box.folder / "s/go").touch()
        with suppress(ProcessLookupError):
            first.send_signal(signal.SIGKILL)
        first.communicate()


def test_looking_does_not_wait_and_who_was_killed_holds_nothing(held: Box) -> None:
    box = held
    first = _stopping(box)
    assert box.ps()["web-1"]["State"] in ("running", "stopping")  # Podman has a word of its own
    assert "web-1" in box.ok("plan")
    first.send_signal(signal.SIGKILL)
    first.communicate()
    (box.folder / "s/go").touch()
    box.ok("--lock-timeout", "10s", "down", "-t", "0")


def test_a_timeout_that_is_none_is_refused(box: Box) -> None:
    box.write("services: {web: {image: $IMAGE, command: $SLEEP}}")
    assert 'invalid --lock-timeout "soon"' in box.fails("--lock-timeout", "soon", "up", "-d")
