"""Docker's daemon is killed (`kill -9`) in the middle of a command, and comes back or not."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.conftest import Box, read_until
from tests.cli.test_engine_absence import COUNTING, SLOW, number
from tests.support.mortal import Mortal, mortal_dockerd

pytestmark = [pytest.mark.docker, pytest.mark.slow]

WATCHED = """
    services:
      web:
        image: $IMAGE
        command: $SLEEP
        develop: {watch: [{path: ./src, action: sync, target: /srv}]}
    """


@pytest.fixture(scope="module")
def lasting() -> Iterator[Mortal]:
    """Its containers outlive it."""
    with mortal_dockerd("--live-restore") as made:
        yield made


@pytest.fixture(scope="module")
def ordinary() -> Iterator[Mortal]:
    """Its containers end when it comes back. (With live-restore, 20.10 hangs if killed while it starts one.)"""
    with mortal_dockerd() as made:
        yield made


@pytest.fixture(params=["lasting"])
def daemon(request: pytest.FixtureRequest) -> Mortal:
    made: Mortal = request.getfixturevalue(request.param)
    return made


@pytest.fixture
def alone(daemon: Mortal, tmp_path: Path) -> Iterator[Box]:
    made = Box(tmp_path, daemon.address, "docker")
    yield made
    made.run("down", "-v", "-t", "0")


def _waiting(process: subprocess.Popen[str]) -> None:
    assert process.stderr is not None
    while "Waiting" not in process.stderr.readline():
        assert process.poll() is None


def test_following_goes_on_after_the_daemon_was_killed_and_misses_nothing(alone: Box, daemon: Mortal) -> None:
    alone.write(COUNTING)
    alone.ok("up", "-d")
    follower = alone.start("logs", "-f", "--no-color")
    try:
        seen = read_until(follower, "line 5.")
        daemon.kill()
        assert follower.stderr is not None
        assert "went away: waiting up to 60 s" in follower.stderr.readline()
        daemon.start()
        assert "the engine is back" in follower.stderr.readline()
        seen += read_until(follower, "line 60.")
        numbers = [number(line) for line in seen.splitlines() if "line " in line]
        assert numbers == list(range(numbers[0], 61))
    finally:
        follower.kill()
        follower.communicate()


def test_an_up_that_waits_for_health_outlives_its_daemon(alone: Box, daemon: Mortal) -> None:
    alone.write(SLOW)
    process = alone.start("up", "-d", "--wait")
    _waiting(process)
    daemon.kill()
    time.sleep(0.5)
    daemon.start()
    _, err = process.communicate(timeout=90)
    assert process.returncode == 0, err
    assert "went away" in err
    assert "the engine is back" in err
    assert {row["State"] for row in alone.ps().values()} == {"running"}


def test_an_up_whose_daemon_stays_away_ends_with_one_message_and_the_next_goes_on(
    alone: Box, daemon: Mortal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STACKWRIGHT_ENGINE_PATIENCE", "0.5")
    alone.write(SLOW)
    process = alone.start("up", "-d", "--wait")
    _waiting(process)
    daemon.kill()
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "hint: once it is back, the same command goes on from there" in err
    assert "Traceback" not in err
    assert "no engine answers at" in alone.fails("ps")
    daemon.start()
    alone.ok("up", "-d", "--wait")
    assert {row["State"] for row in alone.ps().values()} == {"running"}


@pytest.mark.parametrize("daemon", ["ordinary"], indirect=True)
@pytest.mark.parametrize("after", [0.0, 0.1, 0.25, 0.5])
def test_an_up_whose_daemon_is_killed_at_any_moment_can_be_given_again(
    alone: Box, daemon: Mortal, after: float
) -> None:
    alone.write(SLOW.replace("sleep 4", "sleep 0.1"))
    process = alone.start("up", "-d", "--wait")
    assert process.stderr is not None
    process.stderr.readline()
    time.sleep(after)
    daemon.kill()
    daemon.start()
    _, err = process.communicate(timeout=90)
    assert "Traceback" not in err
    # Either it was all there by then, or the engine was missed, or it has ended what ran when it came back.
    said = ("the same command goes on from there", "service db failed: container", "already exists")
    assert process.returncode == 0 or any(text in err for text in said), err
    again = alone.run("up", "-d", "--wait")
    if "already exists" in again.stderr:  # Docker Engine has begun a container and not written that down
        assert "make it anew: up --force-recreate" in again.stderr
        again = alone.run("up", "-d", "--wait", "--force-recreate")
    assert again.returncode == 0, again.stderr
    rows = alone.ps()
    assert sorted(rows) == ["db-1", "web-1"]
    assert {row["State"] for row in rows.values()} == {"running"}


def test_what_is_saved_while_the_daemon_is_away_is_copied_when_it_is_back(alone: Box, daemon: Mortal) -> None:
    alone.write(WATCHED)
    source = alone.folder / "src"
    source.mkdir()
    alone.ok("up", "-d")
    with subprocess.Popen(
        alone.command("watch"),
        cwd=alone.folder,
        env=alone.environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            read_until(process, "Watch enabled")
            daemon.kill()
            (source / "page").write_text("kept")
            read_until(process, "changes are kept until it answers again")
            daemon.start()
            read_until(process, "web: copied page")
            assert alone.ok("exec", "-T", "web", "cat", "/srv/page") == "kept"
            process.send_signal(signal.SIGINT)
            assert process.wait(30) in (0, 130)
        finally:
            process.kill()
