"""Runs a container's health check by exec, when `health.py` says so."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress

from stackwright.embedded.containers.runtime import ExecSession, Running, StartError
from stackwright.embedded.containers.spec import ExecSpec
from stackwright.embedded.lifecycle.health import (
    MAX_OUTPUT,
    SECOND,
    Health,
    HealthPolicy,
    ProbeResult,
    after_probe,
    next_delay,
)

_GRACE_FOR_OUTPUT = 0.2
_WHILE_PAUSED = 1.0


async def keep_probing(
    policy: HealthPolicy,
    running: Running,
    make_exec: Callable[[], ExecSpec],
    report: Callable[[Health], None],
    health: Health,
) -> None:
    """Probe for ever; `report` gets the state after each probe. Cancel it when the container ended.

    `health` is where to go on from: a fresh one after a start, the last known after the engine was restarted.
    """
    while True:
        await asyncio.sleep(next_delay(policy, health, _since(running)))
        if running.paused:
            await asyncio.sleep(_WHILE_PAUSED)
            continue
        result = await probe(running, make_exec(), policy.timeout)
        health = after_probe(policy, health, result, _since(running))
        report(health)


async def probe(running: Running, spec: ExecSpec, timeout: float) -> ProbeResult:
    """One run of the check; never raises for what the check does. A hanging one is killed after `timeout`
    s."""
    started = time.time_ns()
    output = bytearray()
    session: ExecSession | None = None
    try:
        async with asyncio.timeout(timeout):
            session = await running.exec(spec)
            code = await _finish(session, output)
    except TimeoutError:
        code = -1
        output += f"\nHealth check exceeded timeout ({go_duration(timeout)})".encode()
    except StartError as error:
        code = error.code
        output += str(error).encode()
    except OSError as error:
        code = -1
        output += f"health check could not be run: {error.strerror}".encode()
    finally:
        if session is not None:
            await _end(session)
    return ProbeResult(
        started, time.time_ns(), code, output[:MAX_OUTPUT].decode(errors="replace").lstrip("\n")
    )


async def _finish(session: ExecSession, output: bytearray) -> int:
    async def read() -> None:
        if session.stream is not None:
            async for _, data in session.stream:
                if len(output) < MAX_OUTPUT:
                    output.extend(data)

    async with asyncio.TaskGroup() as tasks:
        reading = tasks.create_task(read())
        code = await session.wait()
        # A grandchild may hold the pipe open: what was said so far is enough.
        await asyncio.wait({reading}, timeout=_GRACE_FOR_OUTPUT)
        reading.cancel()
    return code


async def _end(session: ExecSession) -> None:
    if session.stream is not None:
        with suppress(OSError):
            await session.stream.close()
    waiting = asyncio.ensure_future(session.wait())
    done, _ = await asyncio.wait({waiting}, timeout=0)
    if not done:
        with suppress(ProcessLookupError):
            os.kill(session.pid, signal.SIGKILL)
        waiting.cancel()


def _since(running: Running) -> float:
    return (time.time_ns() - running.started_at) / SECOND


def go_duration(seconds: float) -> str:
    """A length of time as Go prints it: 200ms, 1.5s, 1m30s, 1h0m5s."""
    if seconds < 1:
        return f"{seconds * 1000:g}ms"
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    words = f"{hours}h{minutes}m" if hours else f"{minutes}m" if minutes else ""
    return f"{words}{rest:g}s"
