"""The bus: order, replay, filters, and readers that do not read."""

from __future__ import annotations

import asyncio

import pytest

from stackwright.embedded.lifecycle.events import QUEUE, Event, EventBus, matches


async def test_readers_see_what_comes_after_them_in_order() -> None:
    bus = EventBus()
    bus.publish("container", "create", "1")
    with bus.subscribe() as subscription:
        for action in ("start", "die"):
            bus.publish("container", action, "1")
        bus.close()
        assert [event.action async for event in subscription] == ["start", "die"]
    assert [event.action for event in bus.past(0)] == ["create", "start", "die"]


async def test_a_reader_that_does_not_read_is_dropped_and_nobody_waits() -> None:
    bus = EventBus()
    with bus.subscribe() as lazy:
        for _ in range(QUEUE + 10):
            bus.publish("container", "exec_die", "1")
        async with asyncio.timeout(2):
            seen = [event async for event in lazy]
    assert len(seen) == QUEUE - 1


EVENT = Event("container", "health_status: healthy", "abcdef", {"name": "web", "image": "i:1", "app": "x"}, 5)


@pytest.mark.parametrize(
    ("filters", "passes"),
    [
        ({}, True),
        ({"type": {"container"}}, True),
        ({"type": {"image"}}, False),
        ({"event": {"health_status"}}, True),
        ({"event": {"start"}}, False),
        ({"container": {"web"}}, True),
        ({"container": {"abc"}}, True),
        ({"container": {"db"}}, False),
        ({"label": {"app"}}, True),
        ({"label": {"app=x", "other"}}, False),
        ({"image": {"i:1"}}, True),
        ({"type": {"container"}, "event": {"die"}}, False),
    ],
)
def test_filters(filters: dict[str, set[str]], passes: bool) -> None:
    assert matches(EVENT, filters) is passes


def test_the_message_has_dockers_shape() -> None:
    shape = EVENT.to_docker()
    assert shape["Actor"] == {"ID": "abcdef", "Attributes": {"name": "web", "image": "i:1", "app": "x"}}
    assert (shape["status"], shape["from"], shape["timeNano"]) == ("health_status: healthy", "i:1", 5)
