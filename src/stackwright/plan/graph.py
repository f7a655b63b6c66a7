"""Steps and what each one waits for: the plan as a graph, with a reason on every step.

    network, volume, image ──► converge ──► start ──► ready
                                  ▲            ▲
        (services whose namespaces are shared) └── ready of every depends_on

`converge` makes the containers, `start` starts them; between both stand the dependencies. So all
images, networks and containers of a project are made side by side, and a service starts the
moment its conditions hold.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from msgspec import Struct, field, structs

from stackwright.model.project import Project
from stackwright.plan import resources
from stackwright.plan.decide import Decision, Policy, Wish, decide, namespaces, shares
from stackwright.plan.labels import image_name
from stackwright.plan.observed import Container, Observed

Kind = Literal[
    "network", "volume", "image", "converge", "start", "ready", "remove", "halt", "discard",
    "try-disconnect", "disconnect",
]  # fmt: skip
Condition = Literal[
    "service_started", "service_healthy", "service_completed_successfully", "running_or_healthy"
]

Release = Literal["halt", "mostly halt", "discard"]
"""After what an engine lets go of a container's networks: its stop; that, but now and then a moment later; its removal."""


class Step(Struct, frozen=True):
    """One thing to do. `subject` is a service, network or volume key, or a container's name."""

    id: str
    kind: Kind
    subject: str
    needs: tuple[str, ...] = ()
    reason: str = ""
    decisions: tuple[Decision, ...] = ()
    condition: Condition = "service_started"
    containers: tuple[Container, ...] = ()
    optional: bool = False
    """Its failure is a warning: every dependent said `required: false`."""


class UpOptions(Struct, frozen=True):
    """What `up` and `create` were asked to do."""

    services: tuple[str, ...] = ()
    scale: Mapping[str, int] = field(default_factory=dict)
    force_recreate: bool = False
    no_recreate: bool = False
    always_recreate_deps: bool = False
    no_deps: bool = False
    no_start: bool = False
    remove_orphans: bool = False
    wait: bool = False
    renew_anonymous_volumes: bool = False
    renewed_volumes: frozenset[str] = frozenset()
    """Keys of changed volumes that may be made anew: their data is lost."""
    skip: frozenset[str] = frozenset()
    """Services whose own containers are left alone; what they need is made, and waited for."""


Graph = dict[str, Step]
EXTERNAL = "external"
"""The reason of a step that only looks whether something is there."""


def closure(project: Project, names: Iterable[str], *, no_deps: bool = False) -> list[str]:
    """The named services (all when none is named) with everything they depend on, dependencies first."""
    ordered: dict[str, None] = {}

    def visit(name: str) -> None:
        if name in ordered or name not in project.services:
            return
        if not no_deps:
            service = project.services[name]
            for dependency in sorted({*service.depends_on, *shares(service)}):
                visit(dependency)
        ordered[name] = None

    for name in list(names) or list(project.services):
        visit(name)
    return list(ordered)


def wishes(project: Project, observed: Observed, options: UpOptions, names: list[str]) -> dict[str, Wish]:
    """For every service, in dependency order: the scale, and which of the others are being replaced."""
    result: dict[str, Wish] = {}
    renewed: set[str] = set()
    targets = set(options.services) or set(names)
    changed = resources.changed_networks(project, observed, names)
    for name in names:
        service = project.services[name]
        policy: Policy = "diverged"
        if (name in targets and options.force_recreate) or (
            name not in targets and options.always_recreate_deps
        ):
            policy = "force"
        elif options.no_recreate:
            policy = "never"
        anew = [key for key in service.networks if key in changed]
        lost = options.renewed_volumes.intersection(resources.volumes_of(project, [name]))
        wish = Wish(
            options.scale.get(name, service.replicas),
            policy,
            frozenset(renewed),
            stopped=f"the network {project.networks[anew[0]].name} is made anew" if anew else "",
            removed=f"the volume {project.volumes[min(lost)].name} is made anew" if lost else "",
        )
        result[name] = wish
        image_id = observed.images.get(image_name(project.name, service), "")
        replaced = any(one.action == "recreate" for one in decide(project, service, observed, image_id, wish))
        if replaced or ((anew or lost) and observed.of(name)):
            renewed.add(name)
    return result


def _resource_steps(project: Project, observed: Observed, names: Sequence[str]) -> list[Step]:
    """Networks and volumes to make, after a look whether all that must be there already is."""
    absent: list[tuple[Kind, str, bool]] = [
        ("network", key, project.networks[key].external)
        for key in resources.networks_of(project, names)
        if project.networks[key].name not in observed.networks
    ]
    absent += [
        ("volume", key, project.volumes[key].external)
        for key in resources.volumes_of(project, names)
        if project.volumes[key].name not in observed.volumes
    ]
    looked_for = tuple(f"{kind}:{key}" for kind, key, external in absent if external)
    return [
        Step(f"{kind}:{key}", kind, key, reason=EXTERNAL)
        if external
        else Step(f"{kind}:{key}", kind, key, needs=looked_for, reason="not there yet")
        for kind, key, external in absent
    ]


def _renewal_steps(
    project: Project,
    observed: Observed,
    options: UpOptions,
    names: Sequence[str],
    looked_for: tuple[str, ...],
) -> list[Step]:
    """Networks and volumes to make anew, one after the other: they may be used by the same containers."""
    steps: list[Step] = []
    stopped: set[str] = set()
    # Nothing is stopped for an image that then cannot be had.
    before = (*looked_for, *(f"image:{name}" for name in names if name not in options.skip))

    def add(kind: Kind, key: str, reason: str, users: list[Container]) -> None:
        needs = (steps[-1].id,) if steps else before
        inside = tuple(structs.replace(one, state="exited") if one.id in stopped else one for one in users)
        stopped.update(one.id for one in users)
        steps.append(Step(f"{kind}:{key}", kind, key, needs, reason, containers=inside))

    for key, reason in resources.changed_volumes(project, observed, names).items():
        if key in options.renewed_volumes:
            add("volume", key, reason, resources.users_of_volume(project, observed, names, key))
    gone = {one.id for step in steps for one in step.containers}
    for key, reason in resources.changed_networks(project, observed, names).items():
        users = resources.users_of_network(project, observed, names, key)
        add("network", key, reason, [one for one in users if one.id not in gone])
    return steps


def up(project: Project, observed: Observed, options: UpOptions) -> Graph:
    """The graph that brings the wanted services up."""
    names = closure(project, options.services, no_deps=options.no_deps)
    wanted = wishes(project, observed, options, names)
    steps = _resource_steps(project, observed, names)
    looked_for = tuple(step.id for step in steps if step.reason == EXTERNAL)
    steps += _renewal_steps(project, observed, options, names, looked_for)
    made = {step.id for step in steps}
    for name in names:
        if name in options.skip:
            continue
        steps += _service_steps(project, observed, options, name, wanted[name], made, set(names))
    if options.remove_orphans:
        for one in orphans(project, observed):
            steps.append(
                Step(
                    f"remove:{one.name}",
                    "remove",
                    one.name,
                    reason="no such service any more",
                    containers=(one,),
                )
            )
    return {step.id: step for step in steps}


def _service_steps(
    project: Project,
    observed: Observed,
    options: UpOptions,
    name: str,
    wish: Wish,
    made: set[str],
    chosen: set[str],
) -> list[Step]:
    service = project.services[name]
    image = image_name(project.name, service)
    image_id = observed.images.get(image, "")
    decisions = tuple(decide(project, service, observed, image_id, wish))
    resources = [f"network:{key}" for key in service.networks]
    resources += [f"volume:{mount.source}" for mount in service.volumes if mount.type == "volume"]
    shared = [f"converge:{other}" for other in shares(service) if other in chosen]
    needs = [f"image:{name}", *(step for step in resources if step in made), *shared]
    steps = [
        Step(f"image:{name}", "image", name, reason="here" if image_id else "not on the engine"),
        Step(f"converge:{name}", "converge", name, tuple(needs), _summary(decisions), decisions),
    ]
    if options.no_start:
        return steps
    gates = [
        f"ready:{other}:{dependency.condition}"
        for other, dependency in service.depends_on.items()
        if other in chosen
    ]
    gates += [f"start:{other}" for other in shares(service) if other in chosen]
    # Before a container goes, those inside its namespaces do; for that their replacements must be there.
    inside = [
        f"converge:{other}"
        for other in sorted(chosen - options.skip)
        if name in namespaces(project.services[other]) and observed.of(name)
    ]
    reason = "after " + ", ".join(map(_in_words, gates)) if gates else ""
    steps.append(
        Step(f"start:{name}", "start", name, (f"converge:{name}", *gates, *inside), reason, decisions)
    )
    conditions: dict[Condition, bool] = {}
    for other in chosen:
        dependency = project.services[other].depends_on.get(name)
        if dependency is not None:
            optional = conditions.get(dependency.condition, True) and not dependency.required
            conditions[dependency.condition] = optional
    if options.wait and (not options.services or name in options.services):
        # What a dependent waits for already is at least as much as "running or healthy".
        strict: list[Condition] = ["service_healthy", "service_completed_successfully"]
        conditions[next((one for one in strict if one in conditions), "running_or_healthy")] = False
    for condition, optional in conditions.items():
        steps.append(
            Step(
                f"ready:{name}:{condition}",
                "ready",
                name,
                (f"start:{name}",),
                condition=condition,
                optional=optional,
            )
        )
    return steps


_CONDITIONS = {
    "service_started": "started",
    "service_healthy": "healthy",
    "service_completed_successfully": "completed",
}


def _in_words(gate: str) -> str:
    """A gate for people.

    >>> _in_words("ready:db:service_healthy"), _in_words("start:db")
    ('db is healthy', 'db is started')
    """
    _, name, *condition = gate.split(":")
    return f"{name} is {_CONDITIONS.get(condition[0], condition[0]) if condition else 'started'}"


def _summary(decisions: tuple[Decision, ...]) -> str:
    return "; ".join(dict.fromkeys(f"{one.action}: {one.reason}" for one in decisions))


def orphans(project: Project, observed: Observed) -> list[Container]:
    """Containers of the project whose service is in no file any more."""
    known = {*project.services, *project.disabled_services}
    return [one for one in observed.containers if not one.oneoff and one.service not in known]


def dependencies(container: Container) -> list[str]:
    """The services it depends on, as its label remembers: works without the Compose file."""
    from stackwright.plan import labels

    text = container.labels.get(labels.DEPENDS_ON, "")
    return [entry.partition(":")[0] for entry in text.split(",") if entry]


def halt(
    containers: Iterable[Container],
    *,
    discard: bool,
    networks: Iterable[str] = (),
    release: Release = "halt",
) -> Graph:
    """Stop containers (and remove them with `discard`): a service stops after everything that needs it has.

    Removing goes on beside the next stops. `networks` go as soon as the engine has let go of them. Where that is
    mostly so after the stops, it is tried then, and once more in the end.
    """
    by_service: dict[str, list[Container]] = {}
    for one in containers:
        by_service.setdefault(one.service, []).append(one)
    dependents: dict[str, set[str]] = {name: set() for name in by_service}
    for name, members in by_service.items():
        for one in members:
            for other in dependencies(one):
                if other in dependents and other != name:
                    dependents[other].add(name)
    _break_cycles(dependents)
    steps: Graph = {}

    def add(kind: Kind, subject: str, needs: Iterable[str], members: list[Container] | None = None) -> None:
        inside = tuple(sorted(members or (), key=lambda one: one.number))
        steps[f"{kind}:{subject}"] = Step(f"{kind}:{subject}", kind, subject, tuple(needs), containers=inside)

    for name, members in by_service.items():
        add("halt", name, (f"halt:{other}" for other in sorted(dependents[name])), members)
        if discard:
            add("discard", name, (f"halt:{name}",), members)
    for network in networks:
        users = [
            name for name, members in by_service.items() if any(network in one.networks for one in members)
        ]
        halts, discards = ([f"{kind}:{name}" for name in users] for kind in ("halt", "discard"))
        if release == "mostly halt":
            add("try-disconnect", network, halts)
            add("disconnect", network, (f"try-disconnect:{network}", *discards))
        else:
            add("disconnect", network, halts if release == "halt" else discards)
    return steps


def _break_cycles(edges: dict[str, set[str]]) -> None:
    """Old labels may contradict each other (files changed between two runs); never wait in a circle."""
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        if name in done:
            return
        for other in list(edges[name]):
            if other in (*path, name):
                edges[name].discard(other)
            else:
                visit(other, (*path, name))
        done.add(name)

    for name in edges:
        visit(name, ())
