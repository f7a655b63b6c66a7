"""Stopping a container without waiting for a process that will never hear of it.

The kernel drops a signal that the first process of a pid namespace has no handler for. Such a process (mostly a shell
that was given a command line) never learns that it should end; the engine waits for its whole grace period and kills
it then. Waiting changes nothing for it, so it is killed at once, and a line says why and what mends it. Whoever has a
handler gets the grace period that is configured, to the end.
"""

from __future__ import annotations

import asyncio
import re
import signal
import time
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from stackwright.engine.errors import ApiError, EngineError
from stackwright.run.events import Note
from stackwright.run.session import Session

JSON = dict[str, Any]
LOOK = 0.15
"""Seconds after which a container that still runs is looked at: one that handles its signal may be gone by then."""
LOOK_INSIDE = 0.4
"""The same where looking costs a process in the container."""
SLOW = 3.0
"""Seconds after which one of which nothing is known is worth a word."""
WORTH_A_WORD = 1.0
"""Seconds of waiting after which a container that was killed in the end is explained."""
GRACE = 10
"""Seconds: the engines' own grace period."""
_MASK = re.compile(r"^(SigBlk|SigIgn|SigCgt):\s*([0-9a-f]+)$", re.MULTILINE)
_SHELLS = ("sh", "/bin/sh", "bash", "/bin/bash", "ash", "/bin/ash", "dash", "/bin/dash")


Request = Callable[[int | None], Coroutine[Any, Any, None]]
"""A stop or a restart, given its timeout in seconds, or None for the container's own grace period."""


async def stop(session: Session, container: str, name: str, timeout: int | None) -> None:
    """Stop a container; `timeout` in seconds, None for its own. Raises `ApiError`."""
    await _patiently(
        session, container, name, lambda t: session.engine.stop_container(container, timeout=t), timeout
    )


async def restart(session: Session, container: str, name: str, timeout: int | None) -> None:
    """Restart a container; `timeout` in seconds, None for its own. Raises `ApiError`."""
    await _patiently(
        session, container, name, lambda t: session.engine.restart_container(container, timeout=t), timeout
    )


async def _patiently(
    session: Session, container: str, name: str, request: Request, timeout: int | None
) -> None:
    """Carry out `request(timeout)`; speed it up where waiting is vain."""
    if session.engine.kind == "podman":
        await _looked_at_before(session, container, name, request, timeout)
        return
    async with session.stops.stop(in_turn=session.engine.kind == "docker"):
        await _watched(session, container, name, request, timeout)


async def _watched(
    session: Session, container: str, name: str, request: Request, timeout: int | None
) -> None:
    begun = time.monotonic()
    task = asyncio.ensure_future(request(timeout))
    try:
        if timeout is not None and timeout <= LOOK:
            await task
            return
        inspected = None
        if await _still_runs(session, task, begun, LOOK):
            inspected = await _hurry(session, container, name, task, begun, timeout)
        await task
        waited = time.monotonic() - begun
        if waited > WORTH_A_WORD and (inspected is None or waited > _grace(inspected, timeout)):
            await _killed_in_the_end(session, container, name, waited)
    finally:
        task.cancel()


async def _still_runs(session: Session, task: asyncio.Future[None], begun: float, silence: float) -> bool:
    """Wait until the engine has ended nothing for `silence` seconds, longer where it has much to end; False: this one ended."""
    while (missing := session.stops.silence_missing(begun, silence)) > 0:
        done, _ = await asyncio.wait({task}, timeout=missing)
        if done:
            return False
    return not task.done()


async def _looked_at_before(
    session: Session, container: str, name: str, request: Request, timeout: int | None
) -> None:
    """For an engine that lets nobody look at a container that it is stopping (Podman holds its lock)."""
    begun = time.monotonic()
    if timeout is None or timeout > LOOK:
        with suppress(EngineError):
            inspected = await session.engine.inspect_container(container)
            if await is_deaf(session, inspected):
                _say_deaf(session, name, inspected, timeout)
                timeout = 0
    await request(timeout)
    if timeout != 0 and time.monotonic() - begun > WORTH_A_WORD:
        await _killed_in_the_end(session, container, name, time.monotonic() - begun)


async def _hurry(
    session: Session, container: str, name: str, task: asyncio.Future[None], begun: float, timeout: int | None
) -> JSON | None:
    """End one that cannot hear at once. What the engine says about the container, where it does."""
    try:
        inspected = await session.engine.inspect_container(container)
        deaf = await is_deaf(session, inspected, lambda: _still_runs(session, task, begun, LOOK_INSIDE))
    except EngineError:
        return None  # gone already, or being removed: what the request says counts
    if deaf is None:
        done, _ = await asyncio.wait({task}, timeout=SLOW)
        if not done and _shell_without_exec(inspected):
            session.emit(
                Note(
                    f"{name}: no reaction to {_signal(inspected)} for {SLOW:.0f} s; its command runs in a shell, "
                    f"which passes no signals on. Mend: {_mend(inspected)}"
                )
            )
    elif deaf and not task.done():
        _say_deaf(session, name, inspected, timeout)
        with suppress(ApiError):
            await session.engine.kill_container(container)
    return inspected


def _say_deaf(session: Session, name: str, inspected: JSON, timeout: int | None) -> None:
    session.emit(
        Note(
            f"{name}: its first process does not listen to {_signal(inspected)}, so it was killed at once, not after "
            f"{_grace(inspected, timeout)} s. Mend: {_mend(inspected)}"
        )
    )


def _grace(inspected: JSON, timeout: int | None) -> int:
    """Seconds after which the engine kills."""
    return timeout if timeout is not None else inspected["Config"].get("StopTimeout") or GRACE


async def _at_once() -> bool:
    return True


async def is_deaf(
    session: Session, inspected: JSON, worth_asking: Callable[[], Awaitable[bool]] = _at_once
) -> bool | None:
    """Whether the container's first process drops its stop signal; None where that cannot be seen.

    Read from /proc: on this machine, where the engine is here, else inside the container, with its own `cat`, once
    `worth_asking` says so.
    """
    state, host = inspected.get("State") or {}, inspected.get("HostConfig") or {}
    if not state.get("Running") or host.get("PidMode") not in (None, "", "private") or state.get("Paused"):
        return False
    number = _number(_signal(inspected))
    if number is None:
        return None
    status = _status_here(session, inspected)
    if not status:
        if not await worth_asking():
            return False
        status = await _status_inside(session, str(inspected["Id"]))
    return drops(status, number)


def drops(status: str, number: int) -> bool | None:
    """Whether a process with this /proc/PID/status drops a signal; None when the text is none.

    A blocked signal counts as heard: who waits for it with sigwait blocks it first (tini, s6, systemd do).

    >>> drops("SigBlk:\\t0\\nSigIgn:\\t0\\nSigCgt:\\t4002", 15), drops("SigBlk:\\t0\\nSigIgn:\\t0\\nSigCgt:\\t2", 15)
    (False, True)
    """
    masks = {name: int(value, 16) for name, value in _MASK.findall(status)}
    if len(masks) < 3:
        return None
    bit = 1 << (number - 1)
    return not (masks["SigCgt"] | masks["SigBlk"]) & bit


def _status_here(session: Session, inspected: JSON) -> str:
    """The process' status where the engine's process ids are ours; empty otherwise.

    It is the container's when it is the first of a pid namespace and began when the engine says.
    """
    state = inspected.get("State") or {}
    pid = int(state.get("Pid") or 0)
    if not pid or session.engine.address.scheme != "unix":
        return ""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
        names = re.search(r"^NSpid:\s*(.*)$", status, re.MULTILINE)
        inner = names[1].split() if names else []
        if len(inner) < 2 or inner[-1] != "1":
            return ""
        age = time.time() - Path(f"/proc/{pid}").stat().st_mtime
        started = datetime.fromisoformat(str(state.get("StartedAt"))[:19] + "+00:00").timestamp()
    except (OSError, ValueError):
        return ""
    return status if age <= time.time() - started + 2 else ""


async def _status_inside(session: Session, container: str) -> str:
    try:
        async with asyncio.timeout(2):
            code, output = await session.engine.run_exec(container, ["cat", "/proc/1/status"])
    except (EngineError, TimeoutError):
        return ""
    return output.decode("utf-8", "replace") if code == 0 else ""


async def _killed_in_the_end(session: Session, container: str, name: str, waited: float) -> None:
    """A process that had to be killed after its whole grace period: say so, and what mends it."""
    with suppress(EngineError):
        inspected = await session.engine.inspect_container(container)
        if inspected["State"].get("ExitCode") == 137 and not inspected["State"].get("Running"):
            session.emit(
                Note(
                    f"{name} did not end after {_signal(inspected)} within {waited:.0f} s and was killed: let it end "
                    f"sooner, or give it longer with stop_grace_period"
                )
            )


def _signal(inspected: JSON) -> str:
    text = str((inspected.get("Config") or {}).get("StopSignal") or "SIGTERM")
    if text.isdigit():
        with suppress(ValueError):
            return signal.Signals(int(text)).name
    return text if text.startswith("SIG") else f"SIG{text}"


def _number(name: str) -> int | None:
    """The signal's number; SIGRTMIN+3 and the like have one too."""
    base, plus, more = name.partition("+")
    try:
        return int(signal.Signals[base]) + (int(more) if plus else 0)
    except (KeyError, ValueError):
        return None


def _mend(inspected: JSON) -> str:
    if _shell_without_exec(inspected):
        return 'start the program with exec (command: ["program", "argument"]), or set init: true'
    return "init: true" if not (inspected.get("HostConfig") or {}).get("Init") else "let it handle the signal"


def _shell_without_exec(inspected: JSON) -> bool:
    config = inspected.get("Config") or {}
    words = [*(config.get("Entrypoint") or []), *(config.get("Cmd") or [])]
    return (
        len(words) > 2
        and words[0] in _SHELLS
        and words[1] == "-c"
        and not re.match(r"\s*exec\b", str(words[2]))
        and not (inspected.get("HostConfig") or {}).get("Init")
    )
