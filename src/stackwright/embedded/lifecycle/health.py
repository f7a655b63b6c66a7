"""When to probe a container and what the result means. Pure: no clock, no exec; `prober.py` does what it
says.

Docker probes first after a whole interval. Here the first probes come within milliseconds of the start and
the distance grows with the time already waited (a sixteenth of it), so that a service counts as healthy
within about six per cent of its own boot time. A failing probe while starting is held against the
container only as often as Docker would have probed: not within the start period, and at most once per
interval.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from stackwright.embedded.lifecycle.config import HealthConfig

SECOND = 1_000_000_000
FIRST_PROBE = 0.005
SHORTEST_DELAY = 0.01
GROWTH = 1 / 16
KEPT_RESULTS = 5
MAX_OUTPUT = 4096


@dataclass(frozen=True, slots=True)
class HealthPolicy:
    """A health check with its defaults filled in; all times in seconds. `command` is ready to exec."""

    command: tuple[str, ...]
    interval: float = 30.0
    timeout: float = 30.0
    start_period: float = 0.0
    start_interval: float | None = None
    retries: int = 3


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """One probe; wall-clock nanoseconds for the log, `took` in seconds."""

    started_ns: int
    ended_ns: int
    exit_code: int
    output: str

    @property
    def took(self) -> float:
        return (self.ended_ns - self.started_ns) / SECOND


@dataclass(frozen=True, slots=True)
class Health:
    """`counted_at`: when a failure was last held against the container, seconds since its start."""

    status: str = "starting"
    failing_streak: int = 0
    log: tuple[ProbeResult, ...] = ()
    counted_at: float = 0.0


def policy_from(config: HealthConfig | None, shell: list[str]) -> HealthPolicy | None:
    """Health check of a container → policy; None when there is none or it is switched off.

    `shell` is the image's SHELL, used by CMD-SHELL; empty means /bin/sh -c.
    """
    if config is None or not config.test or config.test[0] == "NONE":
        return None
    kind, rest = config.test[0], config.test[1:]
    if kind == "CMD-SHELL":
        command = (*(shell or ["/bin/sh", "-c"]), *rest[:1])
    elif kind == "CMD":
        command = tuple(rest)
    else:
        return None
    if not rest:
        return None
    return HealthPolicy(
        command,
        interval=_seconds(config.interval, 30.0),
        timeout=_seconds(config.timeout, 30.0),
        start_period=_seconds(config.start_period, 0.0),
        start_interval=_seconds(config.start_interval, 0.0) or None,
        retries=config.retries or 3,
    )


def after_probe(policy: HealthPolicy, health: Health, result: ProbeResult, since_start: float) -> Health:
    """The state after a probe that ended `since_start` seconds after the container started."""
    log = (*health.log, replace(result, output=result.output[:MAX_OUTPUT]))[-KEPT_RESULTS:]
    if result.exit_code == 0:
        return Health("healthy", 0, log, since_start)
    if health.status == "starting" and not _counts(policy, health, since_start):
        return replace(health, log=log)
    streak = health.failing_streak + 1
    status = "unhealthy" if streak >= policy.retries else health.status
    return Health(status, streak, log, since_start)


def next_delay(policy: HealthPolicy, health: Health, since_start: float) -> float:
    """Seconds until the next probe."""
    if not health.log:
        return FIRST_PROBE
    if health.status != "starting":
        return policy.interval
    longest = policy.interval
    if policy.start_interval is not None and since_start < policy.start_period:
        longest = policy.start_interval
    # A slow probe must not take the processor from the service that it waits for.
    shortest = max(SHORTEST_DELAY, 2 * health.log[-1].took)
    return min(max(since_start * GROWTH, shortest), longest)


def _counts(policy: HealthPolicy, health: Health, since_start: float) -> bool:
    if since_start <= policy.start_period:
        return False
    return since_start - health.counted_at >= policy.interval


def _seconds(nanoseconds: int, default: float) -> float:
    return nanoseconds / SECOND if nanoseconds else default
