"""Networks and volumes that were made from another definition: found by hash, explained key by key."""

from __future__ import annotations

from msgspec import structs
from tests.projects import project, sleeper

from stackwright.model.project import Project
from stackwright.model.types.resources import Network, Volume
from stackwright.plan import resources
from stackwright.plan.observed import Observed

ONE = {"a": "1"}


def _demo(network: Network | None = None, volume: Volume | None = None) -> Project:
    made = project(web={**sleeper(), "volumes": [{"type": "volume", "source": "data", "target": "/data"}]})
    return structs.replace(
        made,
        networks={"default": network or Network(name="demo_default", labels=ONE)},
        volumes={"data": volume or Volume(name="demo_data", labels=ONE)},
    )


OTHER = _demo(
    Network(name="demo_default", internal=True, driver_opts={"x": "1"}),
    Volume(name="demo_data", driver_opts={"o": "y"}),
)


def _made(of: Project) -> Observed:
    network, volume = resources.network_body(of, "default"), resources.volume_body(of, "data")
    return Observed(
        networks={network["Name"]: "n1"},
        volumes=frozenset([volume["Name"]]),
        network_details={network["Name"]: network},
        volume_details={volume["Name"]: {**volume, "Options": volume["DriverOpts"]}},
    )


def test_what_is_as_the_model_wants_it_is_left_alone() -> None:
    demo = _demo()
    assert resources.changed_networks(demo, _made(demo), ["web"]) == {}
    assert resources.changed_volumes(demo, _made(demo), ["web"]) == {}


def test_a_changed_definition_is_named_by_its_keys() -> None:
    there = _made(_demo())
    assert resources.changed_networks(OTHER, there, ["web"]) == {
        "default": "driver_opts, internal and labels a changed"
    }
    assert resources.changed_volumes(OTHER, there, ["web"]) == {"data": "driver_opts and labels a changed"}


def test_what_has_no_hash_is_taken_as_it_is() -> None:
    there = _made(_demo())
    for seen in (*there.network_details.values(), *there.volume_details.values()):
        del seen["Labels"]["com.docker.compose.config-hash"]
    assert resources.changed_networks(OTHER, there, ["web"]) == {}
    assert resources.changed_volumes(OTHER, there, ["web"]) == {}


def test_a_network_that_others_made_is_refused_and_such_a_volume_is_told_of() -> None:
    demo = _demo()
    there = _made(demo)
    for seen in (*there.network_details.values(), *there.volume_details.values()):
        seen["Labels"] = {}
    refused, warnings = resources.strangers(demo, there, ["web"])
    assert [one.path for one in refused] == ["networks.default"]
    assert "docker network rm" in refused[0].hint
    assert len(warnings) == 1
    assert "was not made by Compose" in warnings[0]
