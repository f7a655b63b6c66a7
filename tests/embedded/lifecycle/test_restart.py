"""Restart policies as a table of facts and decisions."""

from __future__ import annotations

import pytest

from stackwright.embedded.lifecycle.restart import Ended, decide, decide_at_boot


def ended(code: int = 1, **facts: object) -> Ended:
    defaults = {"ran": 1.0, "restarts": 0, "last_delay": 0.0, "stopped_by_user": False}
    return Ended(exit_code=code, **{**defaults, **facts})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("policy", "maximum", "facts", "restarts"),
    [
        ("", 0, ended(), False),
        ("no", 0, ended(), False),
        ("always", 0, ended(0), True),
        ("always", 0, ended(1), True),
        ("always", 0, ended(stopped_by_user=True), False),
        ("unless-stopped", 0, ended(0), True),
        ("unless-stopped", 0, ended(stopped_by_user=True), False),
        ("on-failure", 0, ended(0), False),
        ("on-failure", 0, ended(1, restarts=99), True),
        ("on-failure", 3, ended(1, restarts=2), True),
        ("on-failure", 3, ended(1, restarts=3), False),
    ],
)
def test_whether(policy: str, maximum: int, facts: Ended, restarts: bool) -> None:
    decision = decide(policy, maximum, facts)
    assert (decision.delay is not None) == restarts
    assert decision.reason


def test_the_delay_doubles_up_to_a_minute() -> None:
    delays, last = [], 0.0
    for count in range(12):
        last = decide("always", 0, ended(last_delay=last, restarts=count)).delay or 0
        delays.append(last)
    assert delays[:4] == [0.1, 0.2, 0.4, 0.8]
    assert delays[-1] == 60


def test_a_run_of_ten_seconds_starts_over() -> None:
    assert decide("always", 0, ended(ran=10.0, last_delay=30)).delay == 0.1


def test_after_a_reboot_what_ran_comes_back_and_always_revives_even_the_stopped() -> None:
    assert decide_at_boot("unless-stopped", was_running=True, stopped_by_user=False, host_rebooted=True)
    assert not decide_at_boot("unless-stopped", was_running=False, stopped_by_user=True, host_rebooted=True)
    assert decide_at_boot("always", was_running=False, stopped_by_user=True, host_rebooted=True)
    assert not decide_at_boot("always", was_running=False, stopped_by_user=True, host_rebooted=False)
    assert not decide_at_boot("no", was_running=True, stopped_by_user=False, host_rebooted=True)
