"""What a health check asks for, and when it is probed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from stackwright.run.probing import Check, check_of, next_delay


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
