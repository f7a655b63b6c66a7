"""The event bus: what happened to containers, images, networks, volumes, for `GET /events` (Engine API 1.50).

The last thousand are kept in memory for `since`. A subscriber that does not read is dropped rather than
waited for.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

KEPT = 1000
QUEUE = 4096


@dataclass(frozen=True, slots=True)
class Event:
    """`kind` container, image, network, volume, builder, daemon; `action` as Docker words it."""

    kind: str
    action: str
    actor: str
    attributes: Mapping[str, str]
    time_ns: int

    def to_docker(self) -> dict[str, Any]:
        """The message of the events stream, with the fields of API < 1.22 that old clients still read."""
        message: dict[str, Any] = {}
        if self.kind in ("container", "image"):
            message = {"status": self.action, "id": self.actor}
            if self.kind == "container" and "image" in self.attributes:
                message["from"] = self.attributes["image"]
        return message | {
            "Type": self.kind,
            "Action": self.action,
            "Actor": {"ID": self.actor, "Attributes": dict(self.attributes)},
            "scope": "local",
            "time": self.time_ns // 1_000_000_000,
            "timeNano": self.time_ns,
        }


@dataclass(slots=True, eq=False)
class Subscription:
    """One reader; iterate it. Ends when the bus closes or when the reader fell too far behind."""

    queue: asyncio.Queue[Event | None] = field(default_factory=lambda: asyncio.Queue(QUEUE))

    async def __aiter__(self) -> AsyncIterator[Event]:
        while (event := await self.queue.get()) is not None:
            yield event


class EventBus:
    """Publish and subscribe; single-threaded, belongs to the engine's event loop."""

    def __init__(self) -> None:
        self._past: deque[Event] = deque(maxlen=KEPT)
        self._subscriptions: set[Subscription] = set()

    def publish(
        self, kind: str, action: str, actor: str, attributes: Mapping[str, str] | None = None
    ) -> Event:
        """Tell everybody; never blocks."""
        event = Event(kind, action, actor, dict(attributes or {}), time.time_ns())
        self._past.append(event)
        for subscription in list(self._subscriptions):
            try:
                subscription.queue.put_nowait(event)
            except asyncio.QueueFull:
                self._subscriptions.discard(subscription)
                _end(subscription)
        return event

    def pruned(self, kind: str, reclaimed: int) -> None:
        """What was unused of a kind has been removed; bytes that this gave back."""
        self.publish(kind, "prune", "", {"reclaimed": str(reclaimed)})

    def past(self, since_ns: int, until_ns: int | None = None) -> list[Event]:
        """Kept events in [since, until], oldest first."""
        return [
            e for e in self._past if e.time_ns >= since_ns and (until_ns is None or e.time_ns <= until_ns)
        ]

    @contextmanager
    def subscribe(self) -> Iterator[Subscription]:
        """A subscription that sees everything published from now on."""
        subscription = Subscription()
        self._subscriptions.add(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions.discard(subscription)

    def close(self) -> None:
        """End all readers."""
        for subscription in self._subscriptions:
            _end(subscription)
        self._subscriptions.clear()


def _end(subscription: Subscription) -> None:
    if subscription.queue.full():
        subscription.queue.get_nowait()
    subscription.queue.put_nowait(None)


def matches(event: Event, filters: Mapping[str, set[str]]) -> bool:
    """Docker's filters: values of one key are alternatives, keys add up."""
    return all(_matches_key(event, key, wanted) for key, wanted in filters.items() if wanted)


def _matches_key(event: Event, key: str, wanted: set[str]) -> bool:
    if key == "type":
        return event.kind in wanted
    if key == "event":
        return any(event.action == w or event.action.startswith(w + ":") for w in wanted)
    if key == "label":
        return all(_has_label(event.attributes, label) for label in wanted)
    if key in ("container", "volume", "network", "image", "daemon"):
        names = {event.attributes.get("name", "")}
        if key == "image":
            names.add(event.attributes.get("image", "") if event.kind == "container" else event.actor)
        elif event.kind != key:
            return key == "network" and event.attributes.get("network", "") in wanted
        return any(w in names or (w and event.actor.startswith(w)) for w in wanted)
    if key == "scope":
        return "local" in wanted
    return True


def _has_label(attributes: Mapping[str, str], label: str) -> bool:
    name, equals, value = label.partition("=")
    return name in attributes and (not equals or attributes[name] == value)
