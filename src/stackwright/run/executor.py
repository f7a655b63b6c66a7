"""Carries out a graph: every step runs in a task of its own, as soon as what it needs is done."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any

from stackwright.plan.graph import Graph, Step
from stackwright.run.timeline import Span, Timeline

Perform = Callable[[Step], Awaitable[None]]


WAITS = frozenset({"ready"})
"""Kinds of steps that only wait: they never use up a place of `limit`."""
BRIEF = frozenset({"network", "volume"})
"""Kinds of steps that are one request. Broken off, it would be chance whether the engine still carries it out."""

PATIENCE = 5.0
"""Seconds that a brief step may go on after another has failed."""


async def execute(
    graph: Graph, perform: Perform, timeline: Timeline | None = None, *, limit: int = 0
) -> None:
    """Perform all steps. The first failure cancels the rest and is raised as it is; a brief step that has begun ends first.

    `timeline` gets a span for each step. A need that is not in the graph counts as fulfilled.
    `limit`: how many steps are worked on at the same time, 0 for any number.
    """
    finished = {name: asyncio.Event() for name in graph}
    places = _places(limit)

    async def one(step: Step) -> None:
        for need in step.needs:
            if need in finished:
                await finished[need].wait()
        async with nullcontext() if step.kind in WAITS else places:
            await timed(step)
        finished[step.id].set()

    async def timed(step: Step) -> None:
        begun = time.monotonic()
        try:
            await (_to_its_end(perform(step)) if step.kind in BRIEF else perform(step))
        finally:
            if timeline is not None:
                timeline.add(Span(step.id, step.kind, step.subject, begun, time.monotonic(), step.needs))

    try:
        async with asyncio.TaskGroup() as group:
            for step in graph.values():
                group.create_task(one(step), name=step.id)
    except BaseExceptionGroup as failures:
        raise first_failure(failures) from None


async def _to_its_end(work: Awaitable[None]) -> None:
    """Wait for `work`, when cancelled too: `PATIENCE` at the most, should the engine not answer."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task}, timeout=PATIENCE)
        task.cancel()
        raise


def _places(limit: int) -> AbstractAsyncContextManager[object]:
    return asyncio.Semaphore(limit) if limit > 0 else nullcontext()


async def together(calls: Iterable[Callable[[], Coroutine[Any, Any, object]]], *, limit: int = 0) -> None:
    """Run coroutine functions side by side, at most `limit` at a time (0: all of them); the first failure cancels
    the rest and is raised as it is."""
    places = _places(limit)

    async def one(call: Callable[[], Coroutine[Any, Any, object]]) -> None:
        async with places:
            await call()

    try:
        async with asyncio.TaskGroup() as group:
            for call in calls:
                group.create_task(one(call))
    except BaseExceptionGroup as failures:
        raise first_failure(failures) from None


def first_failure(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    """The error that ended a task group; what the others became when cancelled is of no interest."""
    for error in failures.exceptions:
        if isinstance(error, BaseExceptionGroup):
            return first_failure(error)
        return error
    return failures
