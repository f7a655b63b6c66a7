"""Carries out a graph: every step runs in a task of its own, as soon as what it needs is done."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any

from stackwright.plan.graph import Graph, Step
from stackwright.run.timeline import Span, Timeline

Perform = Callable[[Step], Awaitable[None]]


async def execute(graph: Graph, perform: Perform, timeline: Timeline | None = None) -> None:
    """Perform all steps. The first failure cancels the rest and is raised as it is.

    `timeline` gets a span for each step. A need that is not in the graph counts as fulfilled.
    """
    finished = {name: asyncio.Event() for name in graph}

    async def one(step: Step) -> None:
        for need in step.needs:
            if need in finished:
                await finished[need].wait()
        begun = time.monotonic()
        try:
            await perform(step)
        finally:
            if timeline is not None:
                timeline.add(Span(step.id, step.kind, step.subject, begun, time.monotonic(), step.needs))
        finished[step.id].set()

    try:
        async with asyncio.TaskGroup() as group:
            for step in graph.values():
                group.create_task(one(step), name=step.id)
    except BaseExceptionGroup as failures:
        raise first_failure(failures) from None


async def together(calls: Iterable[Callable[[], Coroutine[Any, Any, object]]]) -> None:
    """Run coroutine functions side by side; the first failure cancels the rest and is raised as it is."""
    try:
        async with asyncio.TaskGroup() as group:
            for call in calls:
                group.create_task(call())
    except BaseExceptionGroup as failures:
        raise first_failure(failures) from None


def first_failure(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    """The error that ended a task group; what the others became when cancelled is of no interest."""
    for error in failures.exceptions:
        if isinstance(error, BaseExceptionGroup):
            return first_failure(error)
        return error
    return failures
