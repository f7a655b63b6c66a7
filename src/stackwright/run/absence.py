"""An engine that goes away while somebody waits or follows, and comes back.

What only reads is asked again when the engine answers again; our own engine is started again for it, since its containers
outlive it. What changes something is never repeated by itself: the command ends, and the same command goes on from there.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

from stackwright.engine.client import EngineClient
from stackwright.engine.errors import EngineError, EngineGone, EngineUnavailable

T = TypeVar("T")
PATIENCE = 60.0
"""Seconds to wait for the engine's return; STACKWRIGHT_ENGINE_PATIENCE says otherwise."""
LOOK_AGAIN = 0.25
GOES_ON = "once it is back, the same command goes on from there"


async def patiently(engine: EngineClient, tell: Callable[[str], None], ask: Callable[[], Awaitable[T]]) -> T:
    """The answer to a question that changes nothing, waiting out an engine that is gone; `tell` hears of it once.

    Raises the error as it was when the engine stays away.
    """
    while True:
        try:
            return await ask()
        except (EngineGone, EngineUnavailable) as error:
            async with engine.absence:  # one waits and tells, whoever else asks meanwhile goes on with it
                if not await _answers(engine) and not await _returned(engine, tell):
                    error.hint = GOES_ON
                    raise


async def _answers(engine: EngineClient) -> bool:
    try:
        async with asyncio.timeout(5.0):
            await engine.ping()
    except (EngineError, TimeoutError):
        return False
    return True


async def _returned(engine: EngineClient, tell: Callable[[str], None]) -> bool:
    patience = float(os.environ.get("STACKWRIGHT_ENGINE_PATIENCE") or PATIENCE)
    tell(f"the engine at {engine.address} went away: waiting up to {patience:g} s for it")
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        if engine.revive is not None:
            with suppress(EngineError):
                await engine.revive()
        if await _answers(engine):
            tell("the engine is back")
            return True
        await asyncio.sleep(LOOK_AGAIN)
    return False
