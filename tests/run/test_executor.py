"""Steps run side by side, each as soon as what it needs is done."""

from __future__ import annotations

import asyncio

import pytest

from stackwright.plan.graph import Graph, Kind, Step
from stackwright.run import executor
from stackwright.run.executor import execute, together


def graph(**needs: tuple[str, ...]) -> Graph:
    return {name: Step(name, "start", name, wanted) for name, wanted in needs.items()}


async def test_a_step_waits_for_all_that_it_needs_and_for_nothing_else() -> None:
    order: list[str] = []
    gate = asyncio.Event()

    async def perform(step: Step) -> None:
        if step.id == "slow":
            await gate.wait()
        order.append(step.id)
        if step.id == "after_fast":
            gate.set()

    await execute(graph(both=("slow", "fast"), slow=(), after_fast=("fast",), fast=()), perform)
    assert order == ["fast", "after_fast", "slow", "both"]


async def test_the_first_failure_ends_the_run_and_comes_out_as_it_is() -> None:
    cancelled = asyncio.Event()

    async def perform(step: Step) -> None:
        if step.id == "bad":
            raise LookupError("this one")
        try:
            await asyncio.sleep(60)
        finally:
            cancelled.set()

    with pytest.raises(LookupError, match="this one"):
        await execute(graph(bad=(), other=()), perform)
    assert cancelled.is_set()


async def test_what_needs_a_failed_step_is_never_performed() -> None:
    performed: list[str] = []

    async def perform(step: Step) -> None:
        performed.append(step.id)
        if step.id == "bad":
            raise LookupError

    with pytest.raises(LookupError):
        await execute(graph(bad=(), after=("bad",)), perform)
    assert performed == ["bad"]


@pytest.mark.parametrize("kind", ["network", "volume"])
async def test_a_request_that_was_sent_is_not_broken_off_by_the_failure_of_another_step(kind: Kind) -> None:
    """Whether the engine still carries it out would be chance."""
    done: list[str] = []

    async def perform(step: Step) -> None:
        if step.id == "bad":
            raise LookupError("this one")
        await asyncio.sleep(0.01)
        done.append(step.id)

    steps = {"brief": Step("brief", kind, "brief"), "bad": Step("bad", "image", "bad")}
    with pytest.raises(LookupError, match="this one"):
        await execute(steps, perform)
    assert done == ["brief"]


async def test_an_engine_that_never_answers_does_not_hold_up_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executor, "PATIENCE", 0.01)

    async def perform(step: Step) -> None:
        if step.id == "bad":
            raise LookupError("this one")
        await asyncio.sleep(60)

    steps = {"brief": Step("brief", "network", "brief"), "bad": Step("bad", "image", "bad")}
    async with asyncio.timeout(5):
        with pytest.raises(LookupError, match="this one"):
            await execute(steps, perform)


async def test_a_need_that_is_not_in_the_graph_counts_as_fulfilled() -> None:
    performed: list[str] = []

    async def perform(step: Step) -> None:
        performed.append(step.id)

    await execute(graph(web=("network:there",)), perform)
    assert performed == ["web"]


async def test_calls_together_raise_the_first_failure() -> None:
    async def fails() -> None:
        raise LookupError("first")

    async def waits() -> None:
        await asyncio.sleep(60)

    with pytest.raises(LookupError, match="first"):
        await together([waits, fails])
