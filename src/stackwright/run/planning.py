"""The plan of an `up` with the reasons in detail: what the planner decided, and what differs key by key."""

from __future__ import annotations

import asyncio
from typing import Any

from msgspec import Struct, structs

from stackwright.engine.errors import NotFound
from stackwright.model.types import Service
from stackwright.plan import container as bodies
from stackwright.plan import graph as graphs
from stackwright.plan import labels, resources
from stackwright.plan.changes import Change, changes, summary
from stackwright.plan.decide import Decision
from stackwright.plan.graph import Step, UpOptions
from stackwright.plan.observed import Container, Observed
from stackwright.plan.refuse import refusals
from stackwright.run.containers import namespace_ids
from stackwright.run.errors import Unsupported
from stackwright.run.images import Images
from stackwright.run.session import Session, check_services, check_strangers, observe, place

JSON = dict[str, Any]
CONFIGURATION = "its configuration changed"
"""The reason that the planner gives for another hash; `detail` says what."""


class Planned(Struct, frozen=True):
    """One line of a plan: what is done to what, and why."""

    action: str  # create, recreate, start, restart, keep, remove, build, pull, missing, ask
    kind: str  # container, network, volume, image
    name: str
    reason: str
    service: str = ""
    changes: tuple[Change, ...] = ()


async def plan(
    session: Session, options: UpOptions, images: Images, *, agreed: bool = False
) -> list[Planned]:
    """What `up` with these options would do, in its order. Raises what `up` would refuse.

    `agreed`: volumes whose definition changed are made anew, as with `--yes`.
    """
    project = session.project
    check_services(session, (*options.services, *options.scale))
    names = graphs.closure(project, options.services, no_deps=options.no_deps)
    for refusal in refusals(project, dict(options.scale), names):
        raise Unsupported(refusal.message, hint=refusal.hint, place=place(project, refusal.path))
    wanted = {labels.image_name(project.name, project.services[name]) for name in names}
    observed = await observe(session, wanted)
    check_strangers(session, observed, names)
    changed = resources.changed_volumes(project, observed, names)
    if agreed:
        options = structs.replace(options, renewed_volumes=frozenset(changed))
        changed = {}
    found = [
        _volume(session, observed, key, "ask", f"{why}: kept, or made anew without its data with --yes")
        for key, why in changed.items()
    ]
    steps = graphs.up(project, observed, options).values()
    fresh = {}
    for step in steps:
        if step.kind in ("network", "volume"):
            found.append(_resource(session, observed, step))
        elif step.kind == "image":
            service = project.services[step.subject]
            name = labels.image_name(project.name, service)
            what, why = await images.forecast(service, observed.images.get(name, ""))
            if what and name not in fresh:
                fresh[name] = what
                found.append(Planned(what, "image", name, why, step.subject))
    for step in steps:
        if step.kind == "remove":
            found += [Planned("remove", "container", one.name, step.reason) for one in step.containers]
        if step.kind != "converge":
            continue
        service = project.services[step.subject]
        name = labels.image_name(project.name, service)
        known = observed.images.get(name, "")
        details = await asyncio.gather(*(detail(session, service, one, known) for one in step.decisions))
        for decision, differences in zip(step.decisions, details, strict=True):
            found.append(_container(decision, differences, fresh.get(name, "")))
    return found


def _resource(session: Session, observed: Observed, step: Step) -> Planned:
    project, kind, key = session.project, step.kind, step.subject
    entry = project.networks[key] if kind == "network" else project.volumes[key]
    if entry.external:
        return Planned("missing", kind, entry.name, "it is external, and not there: up would stop here")
    if kind == "network" and (seen := observed.network_details.get(entry.name)) is not None:
        differences = resources.network_changes(seen, resources.network_body(project, key))
        return Planned("recreate", kind, entry.name, step.reason, changes=tuple(differences))
    if kind == "volume" and (seen := observed.volume_details.get(entry.name)) is not None:
        return _volume(session, observed, key, "recreate", f"{step.reason}: its data is lost")
    return Planned("create", kind, entry.name, step.reason)


def _volume(session: Session, observed: Observed, key: str, action: str, reason: str) -> Planned:
    name = session.project.volumes[key].name
    seen, wanted = observed.volume_details[name], resources.volume_body(session.project, key)
    return Planned(action, "volume", name, reason, changes=tuple(resources.volume_changes(seen, wanted)))


async def in_detail(
    session: Session, service: Service, decisions: list[Decision], image_id: str
) -> list[Decision]:
    """The decisions with reasons that name the keys that changed."""
    if all(one.reason != CONFIGURATION for one in decisions):
        return decisions
    details = await asyncio.gather(*(detail(session, service, one, image_id) for one in decisions))
    return [
        structs.replace(one, reason=_reason(one, differences))
        for one, differences in zip(decisions, details, strict=True)
    ]


def _reason(decision: Decision, differences: list[Change]) -> str:
    if decision.reason != CONFIGURATION:
        return decision.reason
    return summary(differences) or f"{CONFIGURATION} in what an engine does not show"


def _container(decision: Decision, differences: list[Change], fresh: str) -> Planned:
    reason = _reason(decision, differences)
    if decision.action == "keep" and fresh:
        reason += f"; recreated if the {fresh} makes another image"
    return Planned(decision.action, "container", decision.name, reason, decision.service, tuple(differences))


async def detail(session: Session, service: Service, decision: Decision, image_id: str) -> list[Change]:
    """What differs for a container that is recreated; empty for any other decision."""
    old = decision.container
    if decision.action != "recreate" or old is None:
        return []
    try:
        inspected = await session.engine.inspect_container(old.id)
    except NotFound:
        return []
    try:
        image = await session.engine.inspect_image(str(inspected["Image"]))
    except NotFound:
        image = {}
    project = session.project
    request = bodies.Request(
        name=decision.name,
        number=decision.number,
        image=labels.image_name(project.name, service),
        labels=dict(service.labels),
        namespaces={**dict.fromkeys(project.services, "?"), **await namespace_ids(session, service)},
        api_version=session.engine.api_version,
    )
    made = bodies.body(project, service, request)
    endpoints = (made.config.get("NetworkingConfig") or {}).get("EndpointsConfig") or {}
    found = changes(inspected, image, made.config, [*endpoints, *(name for name, _ in made.later)])
    return [*found, *_image(old, image_id)]


def _image(old: Container, image_id: str) -> list[Change]:
    known = old.labels.get(labels.IMAGE) or old.image_id
    if not image_id or not known or known == image_id:
        return []
    return [Change("image", _short(known), _short(image_id))]


def _short(identity: str) -> str:
    return identity.removeprefix("sha256:")[:12]
