"""Which containers are kept, made, replaced or removed, and why."""

from __future__ import annotations

from typing import Any

import pytest
from tests.projects import project, sleeper

from stackwright.model.project import Project
from stackwright.plan import labels
from stackwright.plan.decide import Decision, Wish, decide, lasting
from stackwright.plan.observed import Container, Observed


def container(of: Project, service: str, number: int = 1, **changes: Any) -> Container:
    """A container as this project's `up` would have left it."""
    values: dict[str, Any] = {
        "id": f"{service}{number}".ljust(64, "0"),
        "name": f"{of.name}-{service}-{number}",
        "image": of.services[service].image,
        "image_id": "sha256:1",
        "command": "sh",
        "state": "running",
        "status": "Up 2 seconds",
        "created": 1,
        "networks": {of.networks[key].name: "n1" for key in of.services[service].networks},
        "labels": labels.container_labels(of, of.services[service], number=number, image_id="sha256:1"),
    }
    return Container(**{**values, **changes})


def decisions(
    of: Project, found: list[Container], *, scale: int = 1, image: str = "sha256:1", **wish: Any
) -> list[Decision]:
    return decide(
        of, of.services["web"], Observed(tuple(found), {"demo_default": "n1"}), image, Wish(scale, **wish)
    )


def actions(found: list[Decision]) -> list[str]:
    return [f"{one.action} {one.name}" for one in found]


def test_a_service_without_containers_gets_them_numbered_from_one() -> None:
    demo = project(web=sleeper())
    assert actions(decisions(demo, [], scale=2)) == ["create demo-web-1", "create demo-web-2"]


def test_a_running_container_of_the_same_configuration_is_kept() -> None:
    demo = project(web=sleeper())
    assert actions(decisions(demo, [container(demo, "web")])) == ["keep demo-web-1"]


def test_a_changed_configuration_replaces_the_container_and_says_so() -> None:
    before, after = project(web=sleeper()), project(web=sleeper(environment={"A": "1"}))
    (one,) = decisions(after, [container(before, "web")])
    assert (one.action, one.reason) == ("recreate", "its configuration changed")


def test_a_changed_image_replaces_the_container() -> None:
    demo = project(web=sleeper())
    (one,) = decisions(demo, [container(demo, "web")], image="sha256:2")
    assert (one.action, one.reason) == ("recreate", "its image changed")


def test_an_image_not_known_yet_replaces_nothing() -> None:
    demo = project(web=sleeper())
    assert actions(decisions(demo, [container(demo, "web")], image="")) == ["keep demo-web-1"]


def test_no_recreate_keeps_an_outdated_container() -> None:
    before, after = project(web=sleeper()), project(web=sleeper(environment={"A": "1"}))
    assert actions(decisions(after, [container(before, "web")], policy="never")) == ["keep demo-web-1"]


def test_a_container_missing_from_a_network_is_replaced() -> None:
    demo = project(web=sleeper())
    (one,) = decisions(demo, [container(demo, "web", networks={"other": ""})])
    assert one.action == "recreate"
    assert "demo_default" in one.reason


@pytest.mark.parametrize("there", [{}, {"demo_default": "n2"}])
def test_a_container_whose_network_was_removed_is_replaced(there: dict[str, str]) -> None:
    demo = project(web=sleeper())
    found = Observed((container(demo, "web", state="exited"),), there)
    (one,) = decide(demo, demo.services["web"], found, "sha256:1", Wish(1))
    assert one.action == "recreate"
    assert "demo_default that it was connected to was removed" in one.reason


def test_scaling_down_removes_outdated_containers_before_high_numbers() -> None:
    before, after = project(web=sleeper()), project(web=sleeper(environment={"A": "1"}))
    found = [container(before, "web", 1), container(after, "web", 2), container(after, "web", 3)]
    assert actions(decisions(after, found, scale=1)) == [
        "remove demo-web-1",
        "keep demo-web-2",
        "remove demo-web-3",
    ]


def test_scaling_up_counts_on_from_the_highest_number() -> None:
    demo = project(web=sleeper())
    found = [container(demo, "web", 2)]
    assert actions(decisions(demo, found, scale=2)) == ["keep demo-web-2", "create demo-web-3"]


def test_a_stopped_container_is_started() -> None:
    demo = project(web=sleeper())
    (one,) = decisions(demo, [container(demo, "web", state="exited", status="Exited (1) 2 seconds ago")])
    assert (one.action, one.reason) == ("start", "it is exited")


def test_a_finished_one_shot_is_not_run_again() -> None:
    demo = project(
        web=sleeper(), app=sleeper(depends_on={"web": {"condition": "service_completed_successfully"}})
    )
    done = container(demo, "web", state="exited", status="Exited (0) 2 seconds ago")
    assert actions(decisions(demo, [done])) == ["keep demo-web-1"]
    failed = container(demo, "web", state="exited", status="Exited (3) 2 seconds ago")
    assert actions(decisions(demo, [failed])) == ["start demo-web-1"]


def test_who_shares_a_network_namespace_follows_its_replacement() -> None:
    demo = project(web=sleeper(network_mode="service:db"), db=sleeper())
    (one,) = decisions(demo, [container(demo, "web")], renewed=frozenset({"db"}))
    assert one.action == "recreate"
    assert "db" in one.reason


def test_depends_on_restart_restarts_when_the_dependency_is_replaced() -> None:
    demo = project(
        web=sleeper(depends_on={"db": {"condition": "service_started", "restart": True}}), db=sleeper()
    )
    assert actions(decisions(demo, [container(demo, "web")])) == ["keep demo-web-1"]
    assert actions(decisions(demo, [container(demo, "web")], renewed=frozenset({"db"}))) == [
        "restart demo-web-1"
    ]


def test_a_changed_volume_name_replaces_the_container() -> None:
    demo = project(web=sleeper(volumes=[{"type": "volume", "source": "data", "target": "/srv"}]))
    mounts = ({"Type": "volume", "Name": "another", "Destination": "/srv"},)
    (one,) = decisions(demo, [container(demo, "web", mounts=mounts)])
    assert (one.action, one.reason) == ("recreate", "the volume at /srv changed")


def test_a_half_made_replacement_is_removed_while_the_old_container_is_there() -> None:
    before, after = project(web=sleeper()), project(web=sleeper(environment={"A": "1"}))
    old = container(before, "web")
    made = container(after, "web", id="f" * 64, name="web1_demo-web-1", state="created")
    made.labels[labels.REPLACE] = "demo-web-1"
    assert actions(decisions(after, [old, made])) == ["remove web1_demo-web-1", "recreate demo-web-1"]


def test_a_replacement_that_only_lacks_its_name_is_taken_up() -> None:
    demo = project(web=sleeper())
    made = container(demo, "web", name="web1_demo-web-1", state="created")
    made.labels[labels.REPLACE] = "demo-web-1"
    assert actions(decisions(demo, [made])) == ["start web1_demo-web-1"]


@pytest.mark.parametrize("prefix", ["0123456789ab", "ffffffffffff"])  # before and after the project's name
def test_a_namespace_is_shared_with_the_replacement_whatever_its_name_for_now(prefix: str) -> None:
    demo = project("demo", web=sleeper())
    old = container(demo, "web", id="old")
    new = container(
        demo,
        "web",
        id="new",
        name=f"{prefix}_demo-web-1",
        labels={**old.labels, labels.REPLACE: "web-1"},
    )
    for found in ((old, new), (new, old)):
        assert lasting(found) == {"web": "new"}
    assert lasting([old]) == {"web": "old"}
