"""When to probe and what a result means, by the second and without a clock."""

from __future__ import annotations

from itertools import pairwise

import pytest

from stackwright.embedded.lifecycle.config import HealthConfig
from stackwright.embedded.lifecycle.health import (
    SECOND,
    Health,
    HealthPolicy,
    ProbeResult,
    after_probe,
    next_delay,
    policy_from,
)


def result(code: int, *, took: float = 0.01, output: str = "") -> ProbeResult:
    return ProbeResult(0, int(took * SECOND), code, output)


def play(
    policy: HealthPolicy, healthy_from: float, until: float, took: float = 0.01
) -> list[tuple[float, Health]]:
    """Probe as the prober would, for a service that answers well from `healthy_from` on."""
    now, health, seen = 0.0, Health(), []
    while now < until:
        now += next_delay(policy, health, now) + took
        health = after_probe(policy, health, result(0 if now >= healthy_from else 1, took=took), now)
        seen.append((now, health))
    return seen


def first(seen: list[tuple[float, Health]], status: str) -> float:
    return next(at for at, health in seen if health.status == status)


@pytest.mark.parametrize("boot", [0.1, 0.5, 1.0, 3.0, 10.0])
def test_healthy_is_noticed_within_a_tenth_of_the_boot_time(boot: float) -> None:
    policy = HealthPolicy(("true",), interval=30)
    assert first(play(policy, boot, boot * 2), "healthy") <= boot * 1.1 + 0.05


def test_the_first_probe_comes_within_milliseconds_and_the_pace_slows_down() -> None:
    policy = HealthPolicy(("true",), interval=10)
    assert next_delay(policy, Health(), 0.0) <= 0.01
    seen = play(policy, 1e9, 60)
    assert len(seen) < 120
    gaps = [round(b[0] - a[0], 6) for a, b in pairwise(seen)]
    assert gaps == sorted(gaps)


def test_after_the_start_the_interval_holds() -> None:
    policy = HealthPolicy(("true",), interval=7)
    healthy = after_probe(policy, Health(), result(0), 1.0)
    assert next_delay(policy, healthy, 1.0) == 7
    assert next_delay(policy, Health("unhealthy", 3, (result(1),)), 50.0) == 7


def test_never_sooner_unhealthy_than_docker_would_say_it() -> None:
    policy = HealthPolicy(("false",), interval=2, retries=3)
    assert 6.0 <= first(play(policy, 1e9, 30), "unhealthy") <= 12.0


def test_the_start_period_forgives() -> None:
    policy = HealthPolicy(("false",), interval=1, retries=1, start_period=20)
    assert first(play(policy, 1e9, 40), "unhealthy") > 20
    assert first(play(policy, 15, 40), "healthy") < 17


def test_start_interval_bounds_the_distance_within_the_start_period() -> None:
    policy = HealthPolicy(("false",), interval=60, start_period=100, start_interval=1)
    failing = Health("starting", 0, (result(1),))
    assert next_delay(policy, failing, 50) == 1
    assert next_delay(policy, failing, 200) == pytest.approx(12.5)


def test_slow_probes_leave_the_processor_to_the_service() -> None:
    failing = Health("starting", 0, (result(1, took=0.5),))
    assert next_delay(HealthPolicy(("x",), interval=30), failing, 1.0) == 1.0


def test_one_success_ends_a_streak_and_only_five_results_are_kept() -> None:
    policy = HealthPolicy(("x",), interval=1, retries=2)
    health = Health("healthy")
    for at in range(1, 9):
        health = after_probe(policy, health, result(1), at)
    assert (health.status, health.failing_streak, len(health.log)) == ("unhealthy", 8, 5)
    health = after_probe(policy, health, result(0), 10)
    assert (health.status, health.failing_streak) == ("healthy", 0)


def test_output_is_cut() -> None:
    health = after_probe(HealthPolicy(("x",)), Health(), result(1, output="x" * 10_000), 1)
    assert len(health.log[0].output) == 4096


@pytest.mark.parametrize(
    ("test", "command"),
    [
        (["CMD", "a", "b"], ("a", "b")),
        (["CMD-SHELL", "a b"], ("/bin/sh", "-c", "a b")),
        (["NONE"], None),
        ([], None),
        (["CMD"], None),
        (["WHAT", "x"], None),
    ],
)
def test_commands_are_read_as_docker_reads_them(test: list[str], command: tuple[str, ...] | None) -> None:
    policy = policy_from(HealthConfig(test=test), [])
    assert (policy.command if policy else None) == command


def test_the_images_shell_runs_cmd_shell_and_defaults_are_dockers() -> None:
    policy = policy_from(HealthConfig(test=["CMD-SHELL", "x"]), ["/bin/bash", "-lc"])
    assert policy == HealthPolicy(("/bin/bash", "-lc", "x"), 30.0, 30.0, 0.0, None, 3)
