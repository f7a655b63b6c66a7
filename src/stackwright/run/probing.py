"""Our own health probes, run by exec: for engines that look only when a whole interval has passed.

A probe of ours can end a wait early. It can make a service unhealthy only where the engine itself never looks
(Podman without systemd): the verdict is the engine's, with its `retries` and `start_period`, wherever it gives one.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from msgspec import Struct

from stackwright.engine.client import EngineClient
from stackwright.engine.errors import EngineError

JSON = dict[str, Any]
FIRST_PROBE = 0.005
SHORTEST_DELAY = 0.02
GROWTH = 1 / 8
"""The distance between probes, as a share of the time already waited."""
KEPT = 5
KEPT_OUTPUT = 4096
TIMED_OUT = -1
"""The exit code that engines give to a probe that took too long."""


class Check(Struct, frozen=True):
    """A health check as the engine runs it, with its defaults filled in; all times in seconds."""

    command: tuple[str, ...]
    interval: float = 30.0
    timeout: float = 30.0
    start_period: float = 0.0
    retries: int = 3

    @property
    def budget(self) -> float:
        """After how many seconds at the latest an engine that probes calls a dead service unhealthy."""
        return self.start_period + self.retries * (self.interval + self.timeout)


def check_of(container: JSON) -> Check | None:
    """The check of an inspected container, from its model or its image; None: there is none, or it is off.

    Engine API, `HealthConfig`: an empty test is none, `NONE` switches off the image's, and CMD-SHELL runs in the
    container's own Shell (which Docker does not take from the image's SHELL).
    """
    config = container.get("Config") or {}
    health = config.get("Healthcheck") or {}
    kind, *words = health.get("Test") or ["NONE"]
    if kind not in ("CMD", "CMD-SHELL") or not words:
        return None
    if kind == "CMD-SHELL":
        words = [*(config.get("Shell") or ("/bin/sh", "-c")), words[0]]
    return Check(
        tuple(words),
        interval=_seconds(health.get("Interval"), 30.0),
        timeout=_seconds(health.get("Timeout"), 30.0),
        start_period=_seconds(health.get("StartPeriod"), 0.0),
        retries=int(health.get("Retries") or 3),
    )


def _seconds(nanoseconds: int | None, default: float) -> float:
    return nanoseconds / 1e9 if nanoseconds else default


def next_delay(check: Check, waited: float, took: float) -> float:
    """Seconds until the next probe, `waited` seconds after the first one, when the last one took `took`.

    A slow probe must not take the processor from the service that it waits for, and no probe comes later than the
    engine's own would.

    >>> check = Check(("true",), interval=5.0)
    >>> next_delay(check, 0.0, 0.0), next_delay(check, 8.0, 0.1), next_delay(check, 99.0, 0.1)
    (0.02, 1.0, 5.0)
    """
    return min(max(waited * GROWTH, took, SHORTEST_DELAY), check.interval)


class Prober:
    """Probes one container until a probe passes; `log` has the last results in the engine's own form."""

    def __init__(self, engine: EngineClient, container: str, check: Check, told: Callable[[], None]) -> None:
        self.engine, self.container, self.check = engine, container, check
        self.passed = False
        self.failures = 0
        self.log: list[JSON] = []
        self._told = told
        self._begun = time.monotonic()

    @property
    def overdue(self) -> bool:
        """Every probe failed for longer than an engine that probes would have waited."""
        waited = time.monotonic() - self._begun
        return self.failures >= self.check.retries and waited > self.check.budget + min(
            self.check.interval, 5.0
        )

    async def run(self) -> None:
        """Probe until one passes; `told` is called then."""
        delay = FIRST_PROBE
        while not self.passed:
            await asyncio.sleep(min(delay, self.check.interval))
            begun = time.monotonic()
            # It does not run just now, or the engine is away: the wait sees that for itself.
            with suppress(EngineError):
                await self._probe()
            delay = next_delay(self.check, begun - self._begun, time.monotonic() - begun)
        if self.engine.kind == "podman":  # which may never look by itself
            with suppress(EngineError):
                await self.engine.run_healthcheck(self.container)
        self._told()

    async def _probe(self) -> None:
        try:
            async with asyncio.timeout(self.check.timeout):
                code, output = await self.engine.run_exec(self.container, self.check.command)
        except TimeoutError:
            code, output = TIMED_OUT, f"Health check exceeded timeout ({self.check.timeout:g}s)".encode()
        self.passed = code == 0
        self.failures += not self.passed
        text = output[:KEPT_OUTPUT].decode("utf-8", "replace")
        self.log = [*self.log, {"ExitCode": code, "Output": text}][-KEPT:]


async def beat(engine: EngineClient, container: str, check: Check, told: Callable[[], None]) -> None:
    """Have Podman run the check at its interval where it has no timer for it (it needs systemd for that).

    Podman counts the failures and knows retries and start_period; `told` is called after each. Where it has a
    timer, this one stands back. Runs until it is cancelled.
    """
    known = ""
    while True:
        await asyncio.sleep(check.interval)
        with suppress(EngineError):
            if await _last_beat(engine, container) == known:  # nobody else's since
                await engine.run_healthcheck(container)
            known = await _last_beat(engine, container)
            told()


async def _last_beat(engine: EngineClient, container: str) -> str:
    health = (await engine.inspect_container(container))["State"].get("Health") or {}
    return str(health["Log"][-1].get("Start")) if health.get("Log") else ""
