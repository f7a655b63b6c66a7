"""Who hears a signal, read from the kernel's own words about a process."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from stackwright.run import stopping
from stackwright.run.pace import PLACE_SECONDS, PLACES, Pace
from stackwright.run.stopping import drops

PROGRAMS = {
    "nothing": "pass",
    "handler": "signal.signal(signal.SIGTERM, lambda *_: None)",
    "ignored": "signal.signal(signal.SIGTERM, signal.SIG_IGN)",
    "blocked": "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])",
}


@pytest.mark.parametrize(
    ("program", "dropped"), [("nothing", True), ("handler", False), ("ignored", True), ("blocked", False)]
)
def test_a_signal_without_a_handler_is_dropped_by_the_first_process(program: str, dropped: bool) -> None:
    script = f"import signal, sys\n{PROGRAMS[program]}\nprint('ready', flush=True)\nsys.stdin.read()"
    process = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        status = Path(f"/proc/{process.pid}/status").read_text()
    finally:
        process.kill()
        process.communicate()
    assert drops(status, signal.SIGTERM) is dropped


def test_what_is_no_status_says_nothing() -> None:
    assert drops("", signal.SIGTERM) is None
    assert drops("cat: not found", signal.SIGTERM) is None


@pytest.mark.parametrize(("under_way", "ends", "at_least"), [(1, 0, 0.1), (1, 5, 0.35), (20, 0, 0.45)])
def test_nobody_is_suspected_while_the_engine_ends_others(under_way: int, ends: int, at_least: float) -> None:
    async def wait() -> float:
        session = cast("Any", SimpleNamespace(stops=Pace(under_way=under_way + ends)))
        never: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        async def others() -> None:
            for _ in range(ends):
                await asyncio.sleep(0.05)
                session.stops.end()

        begun = time.monotonic()
        around = asyncio.create_task(others())
        assert await stopping._still_runs(session, never, begun, 0.1)
        await around
        return time.monotonic() - begun

    assert asyncio.run(wait()) >= at_least


def test_an_engine_works_on_so_many_stops_at_once() -> None:
    async def most() -> tuple[int, int]:
        pace = Pace()
        seen = ended = 0

        async def one() -> None:
            nonlocal seen, ended
            async with pace.stop(in_turn=True):
                seen = max(seen, pace.under_way)
                await asyncio.sleep(0.01)
            ended += 1

        await asyncio.gather(*(one() for _ in range(4 * PLACES)))
        return seen, ended

    assert asyncio.run(most()) == (PLACES, 4 * PLACES)


def test_services_that_end_slowly_keep_no_other_from_being_told() -> None:
    async def told() -> tuple[int, float]:
        pace, number = Pace(), 0
        begun = time.monotonic()

        async def one() -> None:
            nonlocal number
            async with pace.stop(in_turn=True):
                number += 1
                await asyncio.Event().wait()

        tasks = [asyncio.create_task(one()) for _ in range(2 * PLACES)]
        await asyncio.sleep(0)  # every task has begun; a pause in seconds could be longer on a busy machine
        at_first = number
        while number < len(tasks):
            await asyncio.sleep(0.01)
        taken = time.monotonic() - begun
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert pace.under_way == 0
        return at_first, taken

    at_first, taken = asyncio.run(told())
    assert at_first == PLACES
    assert taken >= PLACE_SECONDS


def test_a_stop_that_fails_gives_its_place_back_once() -> None:
    async def fail() -> None:
        pace = Pace()
        for _ in range(2 * PLACES):
            with suppress(ZeroDivisionError):
                async with pace.stop(in_turn=True):
                    1 / 0  # noqa: B018
        await asyncio.sleep(PLACE_SECONDS * 1.5)
        assert pace._places._value == PLACES

    asyncio.run(asyncio.wait_for(fail(), 10))


def test_one_that_ends_meanwhile_is_not_looked_at() -> None:
    async def wait() -> bool:
        session = cast("Any", SimpleNamespace(stops=Pace(under_way=1)))
        soon = asyncio.create_task(asyncio.sleep(0.02))
        return await stopping._still_runs(session, soon, time.monotonic(), 5.0)

    assert asyncio.run(wait()) is False
