"""A command that is ended at a random moment: the next one goes on by itself, without being told how.

A few rounds by default; STACKWRIGHT_RANDOM_ROUNDS says how many for each command.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable

import pytest
from tests.cli.conftest import Box
from tests.support.rounds import chance, rounds

from stackwright.engine.client import EngineClient

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)
TEXT = """
    services:
      db:
        image: $IMAGE
        command: $SLEEP
        environment: {A: "%s"}
        volumes: [data:/data]
        healthcheck: {test: [CMD, "true"], interval: 5s}
      web: {image: $IMAGE, command: $SLEEP, environment: {A: "%s"}, scale: 2, depends_on: {db: {condition: service_healthy}}}
      job: {image: $IMAGE, command: [sh, -c, "echo done"]}
    volumes: {data: }
    networks: {default: , more: }
    """
RUNNING = {"db-1": "running", "web-1": "running", "web-2": "running", "job-1": "exited"}
NEXT_NUMBER = {"db-1": "running", "web-2": "running", "web-3": "running", "job-1": "exited"}
"""Where only web-1 was gone: a new replica has the next number, as with docker compose."""


def states(box: Box) -> dict[str, object]:
    return {name: row["State"] for name, row in box.ps().items()}


async def left(box: Box) -> list[str]:
    """Everything on the engine that carries the project's name."""
    filters = {"label": [f"com.docker.compose.project={box.project}"]}
    async with EngineClient(box.address) as client:
        containers = await client.list_containers(all=True, filters=filters)
        networks = await client.list_networks(filters=filters)
        volumes = await client.list_volumes()
    mine = [one["Name"] for one in volumes if one["Name"].startswith(box.project)]
    return [one["Names"][0] for one in containers] + [one["Name"] for one in networks] + mine


class Ending:
    """Ends one command again and again, at moments spread over the time that it takes."""

    def __init__(self, box: Box, *words: str) -> None:
        self.box, self.words = box, words
        self.random = chance()
        begun = time.monotonic()
        box.ok(*words)
        self.usual = time.monotonic() - begun

    def once(self, number: int) -> str:
        """Start it and end it by some signal; what was done, for a failure's message."""
        ending = self.random.choice(SIGNALS)
        moment = self.random.uniform(0.02, self.usual * 1.1)
        process = self.box.start(*self.words)
        time.sleep(moment)
        process.send_signal(ending)
        _, err = process.communicate(timeout=60)
        what = f"round {number}: {ending.name} after {moment:.3f} s of {self.usual:.3f} s: {process.returncode}\n{err}"
        assert "Traceback" not in err or before_our_first_line(err), what
        assert process.returncode in (0, 130, -ending), what
        return what


def before_our_first_line(err: str) -> bool:
    """Whether Ctrl-C came while Python was loading the module that would hear it, in the first line of the installed script."""
    begun = err.startswith("Traceback") and "from stackwright.handover import entry\n" in err
    return begun and err.endswith("\nKeyboardInterrupt\n")


def repeat(ending: Ending, before: Callable[[int], None], after: Callable[[int, str], None]) -> None:
    for number in range(rounds(2 if ending.box.engine == "embedded" else 1)):
        before(number)
        after(number, ending.once(number))


def test_an_up_that_is_ended_is_finished_by_the_next_or_taken_down(box: Box) -> None:
    box.write(TEXT % (0, 0))
    ending = Ending(box, "up", "-d", "--wait")
    box.ok("down", "-v", "-t", "1")

    def before(number: int) -> None:
        box.write(
            TEXT % (number, number % 3)
        )  # from nothing, or as a replacement of what the round before left

    def after(number: int, what: str) -> None:
        if number % 4 == 3:
            box.ok("down", "-v", "-t", "1")
            assert asyncio.run(left(box)) == [], what
        else:
            result = box.run("up", "-d", "--wait")
            assert result.returncode == 0, f"{what}\n{result.stderr}"
            assert states(box) == RUNNING, what

    repeat(ending, before, after)


def test_a_down_that_is_ended_is_finished_by_the_next_or_brought_up_again(box: Box) -> None:
    box.write(TEXT % (0, 0))
    box.ok("up", "-d", "--wait")
    ending = Ending(box, "down", "-v", "-t", "1")

    def before(number: int) -> None:
        box.ok("up", "-d", "--wait")

    def after(number: int, what: str) -> None:
        verb = ("down", "-v", "-t", "1") if number % 2 else ("up", "-d", "--wait")
        result = box.run(*verb)
        assert result.returncode == 0, f"{what}\n{result.stderr}"
        if number % 2:
            assert asyncio.run(left(box)) == [], what
        else:
            assert states(box) in (RUNNING, NEXT_NUMBER), what

    repeat(ending, before, after)


def test_a_scale_that_is_ended_is_finished_by_the_next(box: Box) -> None:
    box.write("services: {web: {image: $IMAGE, command: $SLEEP}, other: {image: $IMAGE, command: $SLEEP}}")
    box.ok("up", "-d")
    ending = Ending(box, "scale", "web=4")

    def before(number: int) -> None:
        box.ok("scale", "web=1")

    def after(number: int, what: str) -> None:
        wanted = 4 if number % 2 else 2
        result = box.run("scale", f"web={wanted}")
        assert result.returncode == 0, f"{what}\n{result.stderr}"
        assert states(box) == {
            "other-1": "running",
            **{f"web-{n}": "running" for n in range(1, wanted + 1)},
        }, what

    repeat(ending, before, after)


@pytest.mark.slow
def test_a_build_that_is_ended_is_finished_by_the_next(box: Box) -> None:
    box.write("services: {web: {build: ., command: [cat, /one, /two, /three]}}")

    def dockerfile(word: object) -> None:
        (box.folder / "Dockerfile").write_text(
            f"FROM stackwright-test/busybox:1\nCOPY file /one\nRUN echo {word} > /two; sleep 0.2\nRUN echo {word} > /three; sleep 0.2\n"
        )

    (box.folder / "file").write_text("one\n")
    dockerfile("first")
    ending = Ending(box, "build")

    def after(number: int, what: str) -> None:
        result = box.run("build")
        assert result.returncode == 0, f"{what}\n{result.stderr}"
        assert box.ok("run", "--rm", "-T", "web") == f"one\n{number}\n{number}\n", what

    repeat(ending, dockerfile, after)
    box.ok("down", "--rmi", "local")
    assert not asyncio.run(_builders(box))


async def _builders(box: Box) -> list[str]:
    """Containers of a build that was broken off."""
    async with EngineClient(box.address) as client:
        found = await client.list_containers(all=True)
        return [one["Names"][0] for one in found if "com.docker.compose.project" not in one["Labels"]]
