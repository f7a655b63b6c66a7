"""`down` on an engine that lets go of a network late."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from stackwright.engine.errors import ApiError
from stackwright.model.project import Project
from stackwright.plan import labels
from stackwright.plan.observed import Container
from stackwright.run import down
from stackwright.run.events import Event, Progress
from stackwright.run.session import Session

WEB = Container.from_api(
    {
        "Id": "1",
        "Names": ["/demo-web-1"],
        "State": "exited",
        "Labels": {labels.SERVICE: "web"},
        "NetworkSettings": {"Networks": {"demo_default": {}}},
    }
)


class Engine(SimpleNamespace):
    """One that refuses to remove the network the first `refusals` times."""

    kind = "docker"

    def __init__(self, refusals: int) -> None:
        super().__init__()
        self.refusals = refusals
        self.asked: list[str] = []

    async def remove_network(self, name: str) -> None:
        self.asked.append(f"network {name}")
        if self.refusals:
            self.refusals -= 1
            raise ApiError(403, f"error while removing network: network {name} has active endpoints")

    async def remove_container(self, container: str, **_: object) -> None:
        self.asked.append(f"container {container}")


def taken_down(engine: Engine) -> list[str]:
    """What is said about the network."""
    said: list[Event] = []
    session = Session(cast("Any", engine), Project(name="demo", working_dir="/"), said.append)
    asyncio.run(down.end(session, [WEB], discard=True, networks=("demo_default",)))
    return [one.text for one in said if isinstance(one, Progress) and one.subject == "Network demo_default"]


@pytest.mark.parametrize(
    ("refusals", "requests", "last"),
    [(0, 1, "Removed"), (1, 2, "Removed"), (2, 2, "Resource is still in use")],
)
def test_a_network_is_asked_for_again_once_its_containers_are_gone(
    refusals: int, requests: int, last: str
) -> None:
    engine = Engine(refusals)
    assert taken_down(engine) == ["Removing", last]
    assert engine.asked.count("network demo_default") == requests
    if requests > 1:
        assert engine.asked[-1] == "network demo_default"
    assert "container 1" in engine.asked
