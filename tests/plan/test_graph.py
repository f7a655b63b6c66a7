"""What waits for what."""

from __future__ import annotations

from tests.plan.test_decide import container
from tests.projects import project, sleeper

from stackwright.plan import graph
from stackwright.plan.graph import UpOptions
from stackwright.plan.observed import Observed

HEALTHY = {"condition": "service_healthy"}
STARTED = {"condition": "service_started"}


def test_a_service_starts_after_its_containers_and_conditions() -> None:
    demo = project(db=sleeper(), web=sleeper(depends_on={"db": HEALTHY}))
    steps = graph.up(demo, Observed(), UpOptions())
    assert steps["start:web"].needs == ("converge:web", "ready:db:service_healthy")
    assert steps["ready:db:service_healthy"].needs == ("start:db",)


def test_containers_are_made_without_waiting_for_dependencies() -> None:
    demo = project(db=sleeper(), web=sleeper(depends_on={"db": HEALTHY}))
    steps = graph.up(demo, Observed(), UpOptions())
    assert set(steps["converge:web"].needs) == {"image:web", "network:default"}


def test_an_existing_network_is_not_made_again() -> None:
    demo = project(db=sleeper())
    steps = graph.up(demo, Observed(networks={"demo_default": "n1"}), UpOptions())
    assert "network:default" not in steps
    assert steps["converge:db"].needs == ("image:db",)


def test_naming_a_service_brings_its_dependencies_and_nothing_else() -> None:
    demo = project(db=sleeper(), web=sleeper(depends_on={"db": STARTED}), other=sleeper())
    assert graph.closure(demo, ["web"]) == ["db", "web"]
    assert graph.closure(demo, ["web"], no_deps=True) == ["web"]


def test_without_dependencies_nothing_is_waited_for() -> None:
    demo = project(db=sleeper(), web=sleeper(depends_on={"db": HEALTHY}))
    steps = graph.up(demo, Observed(), UpOptions(services=("web",), no_deps=True))
    assert steps["start:web"].needs == ("converge:web",)
    assert not any(step.subject == "db" for step in steps.values())


def test_wait_asks_every_service_to_be_running_or_healthy() -> None:
    demo = project(db=sleeper(), web=sleeper(depends_on={"db": HEALTHY}))
    steps = graph.up(demo, Observed(), UpOptions(wait=True))
    assert [name for name in steps if name.startswith("ready:")] == [
        "ready:db:service_healthy",
        "ready:web:running_or_healthy",
    ]


def test_a_dependency_that_nobody_requires_may_fail() -> None:
    demo = project(
        db=sleeper(), web=sleeper(depends_on={"db": {"condition": "service_healthy", "required": False}})
    )
    assert graph.up(demo, Observed(), UpOptions())["ready:db:service_healthy"].optional


def test_a_shared_network_namespace_must_run_first() -> None:
    demo = project(db=sleeper(), web=sleeper(network_mode="service:db"))
    steps = graph.up(demo, Observed(), UpOptions())
    assert "converge:db" in steps["converge:web"].needs
    assert "start:db" in steps["start:web"].needs


def test_replacing_a_service_is_seen_by_who_shares_its_namespaces() -> None:
    before = project(db=sleeper(), web=sleeper(network_mode="service:db"))
    after = project(db=sleeper(environment={"A": "1"}), web=sleeper(network_mode="service:db"))
    observed = Observed((container(before, "db"), container(before, "web")))
    steps = graph.up(after, observed, UpOptions())
    assert [one.action for one in steps["converge:web"].decisions] == ["recreate"]


def test_force_recreate_touches_only_the_named_services() -> None:
    demo = project(db=sleeper(), web=sleeper(depends_on={"db": STARTED}))
    observed = Observed((container(demo, "db"), container(demo, "web")), {"demo_default": "n1"})
    steps = graph.up(demo, observed, UpOptions(services=("web",), force_recreate=True))
    assert [one.action for one in steps["converge:db"].decisions] == ["keep"]
    assert [one.action for one in steps["converge:web"].decisions] == ["recreate"]


def test_orphans_are_removed_only_when_asked_for() -> None:
    before, after = project(old=sleeper(), web=sleeper()), project(web=sleeper())
    observed = Observed((container(before, "old"),))
    assert "remove:demo-old-1" not in graph.up(after, observed, UpOptions())
    assert "remove:demo-old-1" in graph.up(after, observed, UpOptions(remove_orphans=True))


def test_services_end_after_what_depends_on_them() -> None:
    demo = project(
        db=sleeper(), web=sleeper(depends_on={"db": STARTED}), proxy=sleeper(depends_on={"web": STARTED})
    )
    found = [container(demo, name) for name in ("db", "web", "proxy")]
    steps = graph.halt(found, discard=True)
    assert steps["halt:db"].needs == ("halt:web",)
    assert steps["halt:web"].needs == ("halt:proxy",)
    assert steps["halt:proxy"].needs == ()
    assert steps["discard:db"].needs == ("halt:db",)


def test_a_network_goes_when_nothing_that_is_connected_runs_any_more() -> None:
    demo = project(db=sleeper(), web=sleeper(), job=sleeper(network_mode="none"))
    found = [container(demo, name) for name in ("db", "web", "job")]
    steps = graph.halt(found, discard=True, networks=["demo_default"])
    assert set(steps["disconnect:demo_default"].needs) == {"halt:db", "halt:web"}
    held = graph.halt(found, discard=True, networks=["demo_default"], release="discard")
    assert set(held["disconnect:demo_default"].needs) == {"discard:db", "discard:web"}


def test_a_network_that_is_mostly_free_after_the_stops_is_tried_then_and_again_in_the_end() -> None:
    demo = project(db=sleeper(), web=sleeper(), job=sleeper(network_mode="none"))
    found = [container(demo, name) for name in ("db", "web", "job")]
    steps = graph.halt(found, discard=True, networks=["demo_default"], release="mostly halt")
    assert set(steps["try-disconnect:demo_default"].needs) == {"halt:db", "halt:web"}
    last = {"try-disconnect:demo_default", "discard:db", "discard:web"}
    assert set(steps["disconnect:demo_default"].needs) == last


def test_contradicting_labels_never_make_a_circle() -> None:
    one = project(db=sleeper(), web=sleeper(depends_on={"db": STARTED}))
    other = project(db=sleeper(depends_on={"web": STARTED}), web=sleeper())
    steps = graph.halt([container(one, "web"), container(other, "db")], discard=False)
    waits = {step.subject: {need.partition(":")[2] for need in step.needs} for step in steps.values()}
    assert not ("web" in waits["db"] and "db" in waits["web"])


def test_a_skipped_service_gets_its_surroundings_but_no_container() -> None:
    demo = project(db=sleeper(), web=sleeper(depends_on={"db": HEALTHY}))
    steps = graph.up(demo, Observed(), UpOptions(services=("web",), skip=frozenset({"web"})))
    assert "network:default" in steps
    assert "ready:db:service_healthy" in steps
    assert not any(step.subject == "web" for step in steps.values())
