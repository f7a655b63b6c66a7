"""Killing a command at any moment leaves a state from which the next one goes on by itself."""

from __future__ import annotations

import asyncio
import random
import signal
import time

import pytest
from tests.cli.conftest import Box, everywhere

from stackwright.engine.client import EngineClient

TEXT = "services: {web: {image: $IMAGE, command: $SLEEP, environment: {A: '%s'}, scale: 2}, db: {image: $IMAGE, command: $SLEEP}}"


@everywhere
def test_a_replacement_that_was_killed_in_the_middle_is_finished(box: Box) -> None:
    randomly = random.Random(7)
    for attempt in range(8):
        box.write(TEXT % attempt)
        process = box.start("up", "-d")
        assert process.stderr is not None
        process.stderr.readline()  # it has begun
        time.sleep(randomly.uniform(0, 0.5))
        process.send_signal(signal.SIGKILL)
        process.communicate()
    box.write(TEXT % "last")
    box.ok("up", "-d", "--wait")
    found = box.ps()
    assert set(found) == {"web-1", "web-2", "db-1"}
    assert {value["State"] for value in found.values()} == {"running"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_up_can_be_repeated_or_taken_down(box: Box, number: signal.Signals) -> None:
    randomly = random.Random(number)
    box.write(TEXT % 1)
    for _ in range(3):
        process = box.start("up", "-d")
        assert process.stderr is not None
        process.stderr.readline()  # it has begun
        time.sleep(randomly.uniform(0, 0.4))
        process.send_signal(number)
        _, err = process.communicate(timeout=30)
        assert "Traceback" not in err
        box.ok("down")
        assert box.ps() == {}
    box.ok("up", "-d", "--wait")


def test_two_commands_on_one_project_take_turns(box: Box) -> None:
    box.write(TEXT % 1)
    several = [box.start("up", "-d") for _ in range(3)]
    ends = [process.communicate(timeout=60) for process in several]
    assert [process.returncode for process in several] == [0, 0, 0], ends
    assert set(box.ps()) == {"web-1", "web-2", "db-1"}


def test_containers_whose_network_is_gone_are_made_again(box: Box) -> None:
    """As a `down` leaves them that was killed between removing the network and removing the last container."""
    box.write(TEXT % 1)
    box.ok("up", "-d")
    box.ok("stop", "-t", "0")
    asyncio.run(_without_network(box))
    box.ok("up", "-d", "--wait")
    assert {value["State"] for value in box.ps().values()} == {"running"}


async def _without_network(box: Box) -> None:
    async with EngineClient(box.address) as engine:
        await engine.remove_network(f"{box.project}_default")


@everywhere
@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGINT])
def test_a_stop_whose_command_was_ended_is_waited_for(box: Box, ending: signal.Signals) -> None:
    """The engine goes on with it: what is running now will have ended in a moment."""
    slowly = """["sh", "-c", "trap 'sleep 2; exit 0' TERM; while :; do sleep 0.1; done"]"""
    box.write(f"services: {{web: {{image: $IMAGE, command: {slowly}}}}}")
    box.ok("up", "-d", "--wait")
    process = box.start("stop")
    time.sleep(1)
    process.send_signal(ending)
    process.communicate()
    box.ok("up", "-d", "--wait")
    time.sleep(2.5)
    assert {value["State"] for value in box.ps().values()} == {"running"}
