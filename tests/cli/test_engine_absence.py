"""The engine goes away in the middle of a command, and perhaps comes back: its connections are cut, or it is killed."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.conftest import Box, read_until
from tests.support.cuttable import Cuttable, cuttable
from tests.support.mortal import Mortal, MortalDocker, mortal_dockerd, mortal_embedded

COUNTING = """
    services:
      web:
        image: $IMAGE
        command: [sh, -c, "trap 'exit 0' TERM; n=0; while :; do n=$$((n+1)); echo line $$n.; sleep 0.1; done"]
    """
SLOW = """
    services:
      db:
        image: $IMAGE
        command: [sh, -c, "trap 'exit 0' TERM; sleep 4; touch /tmp/ok; sleep 1000 & wait"]
        healthcheck: {test: [CMD, test, -f, /tmp/ok], interval: 500ms, retries: 100}
      web: {image: $IMAGE, command: $SLEEP, depends_on: {db: {condition: service_healthy}}}
    """
WATCHED = """
    services:
      web:
        image: $IMAGE
        command: $SLEEP
        develop: {watch: [{path: ./src, action: sync, target: /srv}]}
    """


@pytest.fixture(scope="module")
def lasting() -> Iterator[Mortal]:
    """A Docker Engine whose containers outlive its daemon."""
    with mortal_dockerd("--live-restore") as made:
        yield made


@pytest.fixture(scope="module")
def ordinary() -> Iterator[Mortal]:
    """A Docker Engine whose containers end when its daemon comes back."""
    with mortal_dockerd() as made:
        yield made


@pytest.fixture(scope="module")
def monitored() -> Iterator[Mortal]:
    """An embedded engine: its containers outlive it."""
    with mortal_embedded() as made:
        yield made


@pytest.fixture
def cut_docker(dockerd_socket: str) -> Iterator[Mortal]:
    """Nobody gets through to a Docker Engine."""
    with cuttable(dockerd_socket) as made:
        yield made


@pytest.fixture
def cut_embedded(embedded: str) -> Iterator[Mortal]:
    """Nobody gets through to an embedded engine."""
    with cuttable(embedded) as made:
        yield made


_DOCKER, _EMBEDDED = [pytest.mark.docker, pytest.mark.slow], [pytest.mark.root]
_WAYS = [
    pytest.param("cut_docker", marks=pytest.mark.docker),
    pytest.param("cut_embedded", marks=pytest.mark.root),
    pytest.param("lasting", marks=_DOCKER),
    pytest.param("monitored", marks=_EMBEDDED),
]


@pytest.fixture(params=_WAYS)
def engine(request: pytest.FixtureRequest) -> Mortal:
    """One that may go."""
    made: Mortal = request.getfixturevalue(request.param)
    return made


@pytest.fixture
def box(engine: Mortal, tmp_path: Path) -> Iterator[Box]:
    """A folder and the command, on that engine."""
    made = Box(tmp_path, engine.address, "docker")
    yield made
    engine.come()
    made.run("down", "-v", "-t", "0")


def number(line: str) -> int:
    return int(line.partition("line ")[2].partition(".")[0])


def _start_slow(box: Box) -> subprocess.Popen[str]:
    """An `up` that waits for a service to get healthy, for four seconds."""
    box.write(SLOW)
    process = box.start("up", "-d", "--wait")
    assert process.stderr is not None
    while "Waiting" not in process.stderr.readline():
        assert process.poll() is None
    return process


def test_following_goes_on_when_the_engine_is_back_and_misses_nothing(box: Box, engine: Mortal) -> None:
    box.write(COUNTING)
    box.ok("up", "-d")
    follower = box.start("logs", "-f", "--no-color")
    try:
        seen = read_until(follower, "line 5.")
        engine.go()
        assert follower.stderr is not None
        assert "went away: waiting up to 60 s" in follower.stderr.readline()
        time.sleep(1)
        engine.come()
        assert "the engine is back" in follower.stderr.readline()
        seen += read_until(follower, "line 40.")
        numbers = [number(line) for line in seen.splitlines() if "line " in line]
        assert numbers == list(range(numbers[0], 41))
    finally:
        follower.kill()
        follower.communicate()


def test_following_ends_with_one_message_when_it_stays_away(
    box: Box, engine: Mortal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STACKWRIGHT_ENGINE_PATIENCE", "0.5")
    box.write(COUNTING)
    box.ok("up", "-d")
    follower = box.start("logs", "-f", "--no-color")
    read_until(follower, "line 5.")
    engine.go()
    _, err = follower.communicate(timeout=30)
    assert follower.returncode == 1
    # One that is killed may have been asked just then.
    killed = (
        () if isinstance(engine, Cuttable) else (f"the engine at {engine.address} closed the connection",)
    )
    assert any(text in err for text in (f"no engine answers at {engine.address}", *killed))
    assert "hint: once it is back, the same command goes on from there" in err
    assert "Traceback" not in err


def test_waiting_for_health_goes_on_when_the_engine_is_back(box: Box, engine: Mortal) -> None:
    process = _start_slow(box)
    engine.go()
    time.sleep(0.5)
    engine.come()
    _, err = process.communicate(timeout=90)
    assert process.returncode == 0, err
    assert "went away" in err
    assert "the engine is back" in err
    assert {row["State"] for row in box.ps().values()} == {"running"}


def test_an_up_without_its_engine_ends_with_one_message_and_the_next_goes_on(
    box: Box, engine: Mortal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STACKWRIGHT_ENGINE_PATIENCE", "0.5")
    process = _start_slow(box)
    engine.go()
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "the engine at" in err or "no engine answers at" in err
    assert "hint: once it is back, the same command goes on from there" in err
    assert "Traceback" not in err
    assert "no engine answers at" in box.fails("ps")
    engine.come()
    box.ok("up", "-d", "--wait")
    assert {row["State"] for row in box.ps().values()} == {"running"}


@pytest.mark.parametrize(
    "engine",
    [pytest.param("ordinary", marks=_DOCKER), *_WAYS[2:]],
    indirect=True,
)
@pytest.mark.parametrize("after", [0.0, 0.05, 0.2, 0.5])
def test_an_up_whose_engine_is_killed_at_any_moment_can_be_given_again(
    box: Box, engine: Mortal, after: float
) -> None:
    box.write(SLOW.replace("sleep 4", "sleep 0.1"))
    process = box.start("up", "-d", "--wait")
    assert process.stderr is not None
    process.stderr.readline()
    time.sleep(after)
    engine.go()
    engine.come()
    _, err = process.communicate(timeout=90)
    assert "Traceback" not in err
    # Either it was all there by then, or the engine was missed, or it has ended what ran when it came back.
    said = (
        "the same command goes on from there",
        "service db failed: container",
        "already exists",
        "id already in use",
    )
    assert process.returncode == 0 or any(text in err for text in said), err
    again = box.run("up", "-d", "--wait")
    if isinstance(engine, MortalDocker) and any(text in again.stderr for text in said[2:]):
        # Docker Engine had begun a container and not written that down.
        assert "make it anew: up --force-recreate" in again.stderr
        again = box.run("up", "-d", "--wait", "--force-recreate")
    assert again.returncode == 0, again.stderr
    rows = box.ps()
    assert sorted(rows) == ["db-1", "web-1"]
    assert {row["State"] for row in rows.values()} == {"running"}


def test_what_is_saved_while_the_engine_is_away_is_copied_when_it_is_back(box: Box, engine: Mortal) -> None:
    box.write(WATCHED)
    source = box.folder / "src"
    source.mkdir()
    box.ok("up", "-d")
    with box.start("watch", stderr=subprocess.STDOUT) as process:
        try:
            read_until(process, "Watch enabled")
            engine.go()
            (source / "page").write_text("kept")
            read_until(process, "changes are kept until it answers again")
            engine.come()
            read_until(process, "web: copied page")
            assert box.ok("exec", "-T", "web", "cat", "/srv/page") == "kept"
            process.send_signal(signal.SIGINT)
            assert process.wait(30) in (0, 130)
        finally:
            process.kill()
