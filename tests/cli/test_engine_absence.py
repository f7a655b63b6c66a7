"""The engine goes away in the middle of a command, and perhaps comes back."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from tests.cli.conftest import Box, read_until
from tests.support.cuttable import Cuttable, cuttable

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


@pytest.fixture
def way(box: Box) -> Iterator[Cuttable]:
    engine = box.address
    with cuttable(engine) as made:
        box.address = made.address
        yield made
    box.address = engine


def number(line: str) -> int:
    return int(line.partition("line ")[2].partition(".")[0])


def test_following_goes_on_when_the_engine_is_back_and_misses_nothing(box: Box, way: Cuttable) -> None:
    box.write(COUNTING)
    box.ok("up", "-d")
    follower = box.start("logs", "-f", "--no-color")
    try:
        seen = read_until(follower, "line 5.")
        way.cut()
        assert follower.stderr is not None
        assert "went away: waiting up to 60 s" in follower.stderr.readline()
        time.sleep(1)
        way.mend()
        assert "the engine is back" in follower.stderr.readline()
        seen += read_until(follower, "line 30.")
        numbers = [number(line) for line in seen.splitlines() if "line " in line]
        assert numbers == list(range(numbers[0], 31))
    finally:
        follower.kill()
        follower.communicate()


def test_following_ends_with_one_message_when_it_stays_away(
    box: Box, way: Cuttable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STACKWRIGHT_ENGINE_PATIENCE", "0.5")
    box.write(COUNTING)
    box.ok("up", "-d")
    follower = box.start("logs", "-f", "--no-color")
    read_until(follower, "line 5.")
    way.cut()
    _, err = follower.communicate(timeout=30)
    assert follower.returncode == 1
    assert f"no engine answers at {way.address}" in err
    assert "Traceback" not in err
    way.mend()


def test_waiting_for_health_goes_on_when_the_engine_is_back(box: Box, way: Cuttable) -> None:
    box.write(SLOW)
    process = box.start("up", "-d", "--wait")
    assert process.stderr is not None
    while "Waiting" not in process.stderr.readline():
        assert process.poll() is None
    way.cut()
    time.sleep(0.5)
    way.mend()
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert "went away" in err
    assert "the engine is back" in err
    assert {row["State"] for row in box.ps().values()} == {"running"}


def test_an_up_without_its_engine_ends_with_one_message_and_the_next_goes_on(
    box: Box, way: Cuttable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STACKWRIGHT_ENGINE_PATIENCE", "0.5")
    box.write(SLOW)
    process = box.start("up", "-d", "--wait")
    assert process.stderr is not None
    while "Waiting" not in process.stderr.readline():
        assert process.poll() is None
    way.cut()
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "the engine at" in err or "no engine answers at" in err
    assert "hint: once it is back, the same command goes on from there" in err
    assert "Traceback" not in err
    way.mend()
    box.ok("up", "-d", "--wait")
    assert {row["State"] for row in box.ps().values()} == {"running"}
