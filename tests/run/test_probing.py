"""What a health check asks for, and when it is probed."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as some

from stackwright.engine.errors import Conflict, EngineError, EngineGone, EngineUnavailable
from stackwright.run.probing import Check, Prober, check_of, next_delay


@pytest.mark.parametrize("test", [None, [], ["NONE"], ["NONE", "x"], ["CMD"], ["SOMETHING", "x"]])
def test_an_empty_or_switched_off_test_is_no_check(test: list[str] | None) -> None:
    assert check_of({"Config": {"Healthcheck": {"Test": test}}}) is None
    assert check_of({"Config": {"Healthcheck": None}}) is None


def test_a_check_has_the_engines_defaults() -> None:
    found = check_of({"Config": {"Healthcheck": {"Test": ["CMD", "a", "b"], "Interval": 0}}})
    assert found == Check(("a", "b"), interval=30.0, timeout=30.0, start_period=0.0, retries=3)


def test_a_shell_check_runs_in_the_containers_shell() -> None:
    health = {"Test": ["CMD-SHELL", "a b"]}
    plain, own = (
        check_of({"Config": {"Healthcheck": health, "Shell": shell}}) for shell in (None, ["ash", "-c"])
    )
    assert plain is not None and plain.command == ("/bin/sh", "-c", "a b")
    assert own is not None and own.command == ("ash", "-c", "a b")


@given(waited=some.floats(0, 1e6), took=some.floats(0, 100), interval=some.floats(0.001, 3600))
def test_a_probe_never_comes_later_than_the_engines_would(
    waited: float, took: float, interval: float
) -> None:
    assert 0 < next_delay(Check(("x",), interval=interval), waited, took) <= interval


class Probed:
    """An engine whose probes fail in these ways, one after the other, and then pass."""

    kind = "docker"

    def __init__(self, *failures: EngineError) -> None:
        self._failures = list(failures)

    async def run_exec(self, *_: Any) -> tuple[int, bytes]:
        if self._failures:
            raise self._failures.pop(0)
        return 0, b""


def test_probing_goes_on_when_the_engine_was_away() -> None:
    away = (
        EngineGone("killed in the middle of a probe"),
        EngineUnavailable("nobody listens"),
        Conflict(409, "container is not running"),
    )
    heard: list[str] = []
    prober = Prober(cast("Any", Probed(*away)), "c", Check(("true",)), lambda: heard.append("told"))
    asyncio.run(asyncio.wait_for(prober.run(), 5))
    assert prober.passed
    assert heard == ["told"]
    assert prober.failures == 0, "an absent engine says nothing about the service"
