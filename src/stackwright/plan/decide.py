"""Which containers of one service to keep, start, create, recreate or remove, and why.

The rules of `docker compose up`: a container is kept while its config hash, image, networks and
volumes are those of the model. Every decision carries its reason for people to read.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from msgspec import Struct, structs

from stackwright.model.project import Project
from stackwright.model.types import Service
from stackwright.plan import labels
from stackwright.plan.observed import Container, Observed

Action = Literal["keep", "start", "create", "recreate", "restart", "remove"]
Policy = Literal["diverged", "force", "never"]


class Decision(Struct, frozen=True):
    """What happens to one container. `container` is the one that exists, None for `create`."""

    action: Action
    service: str
    number: int
    name: str
    reason: str
    container: Container | None = None


class Wish(Struct, frozen=True):
    """How to decide for a service: how many containers, and when an old one is replaced."""

    scale: int
    policy: Policy = "diverged"
    renewed: frozenset[str] = frozenset()
    """Services being recreated: who shares their namespaces follows, who asked for it restarts."""
    stopped: str = ""
    """Why its containers are stopped before (a network of theirs is made anew); empty when they are not."""
    removed: str = ""
    """Why its containers are removed before (a volume of theirs is made anew); empty when they are not."""


def decide(
    project: Project, service: Service, observed: Observed, image_id: str, wish: Wish
) -> list[Decision]:
    """Decisions for all containers of `service`, lowest number first.

    `image_id` is what the service's image is locally, empty while unknown (then it is not compared).
    """
    every = [] if wish.removed else observed.of(service.name)
    unfinished = _unfinished(every)
    decisions = [
        Decision("remove", service.name, one.number, one.name, "left by an interrupted replacement", one)
        for one in unfinished
    ]
    existing = [one for one in every if one not in unfinished]
    why = {one.id: _divergence(project, service, observed, one, image_id, wish) for one in existing}
    # Up-to-date containers are kept first, so that scaling down removes the outdated ones.
    ranked = sorted(existing, key=lambda one: (bool(why[one.id]), one.number))
    for index, one in enumerate(ranked):
        if index >= wish.scale:
            reason = f"scaled to {wish.scale}"
            decisions.append(Decision("remove", service.name, one.number, one.name, reason, one))
            continue
        decisions.append(_for_existing(project, service, one, why[one.id], wish))
    number = max((one.number for one in existing), default=0)
    for _ in range(len(existing), wish.scale):
        number += 1
        name = labels.container_name(project.name, service, number)
        decisions.append(Decision("create", service.name, number, name, wish.removed or "not there yet"))
    return sorted(decisions, key=lambda decision: decision.number)


def _unfinished(every: list[Container]) -> list[Container]:
    """Replacements whose command was killed while the container that they were to replace was still there."""
    names = {one.name for one in every}
    return [
        one
        for one in every
        if labels.REPLACE in one.labels
        and labels.replaces(one.project, one.labels[labels.REPLACE]) & (names - {one.name})
    ]


def lasting(found: Iterable[Container]) -> dict[str, str]:
    """By service the id of its first container that stays: not of one whose replacement is already there."""
    every = [one for one in found if not one.oneoff]
    replaced = {
        name
        for one in _unfinished(every)
        for name in labels.replaces(one.project, one.labels[labels.REPLACE]) - {one.name}
    }
    first: dict[str, str] = {}
    for one in sorted(every, key=lambda one: one.number):
        if one.name not in replaced:
            first.setdefault(one.service, one.id)
    return first


def _for_existing(project: Project, service: Service, one: Container, why: str, wish: Wish) -> Decision:
    if why:
        name = labels.container_name(project.name, service, one.number)
        return Decision("recreate", service.name, one.number, name, why, one)
    if wish.stopped and one.running:
        ended = structs.replace(one, state="exited")
        return Decision("start", service.name, one.number, one.name, wish.stopped, ended)
    if one.state in ("running", "restarting"):
        for name, dependency in service.depends_on.items():
            if dependency.restart and name in wish.renewed:
                reason = f"{name} is replaced, and depends_on.{name}.restart is set"
                return Decision("restart", service.name, one.number, one.name, reason, one)
        return Decision("keep", service.name, one.number, one.name, "up to date", one)
    if one.state == "exited" and one.exit_code == 0 and is_one_shot(project, service.name):
        return Decision("keep", service.name, one.number, one.name, "it completed", one)
    reason = {"created": "not started yet", "paused": "paused"}.get(one.state, f"it is {one.state}")
    return Decision("start", service.name, one.number, one.name, reason, one)


def _divergence(
    project: Project, service: Service, observed: Observed, one: Container, image_id: str, wish: Wish
) -> str:
    """Why the container is outdated; empty when it is not."""
    if wish.policy == "never":
        return ""
    if wish.policy == "force":
        return "--force-recreate"
    if one.config_hash != project.config_hashes.get(service.name, ""):
        return "its configuration changed"
    known = one.labels.get(labels.IMAGE) or one.image_id
    if image_id and known and known != image_id:
        return "its image changed"
    for shared in shares(service):
        if shared in wish.renewed:
            return f"it shares namespaces with {shared}, which is replaced"
    missing = [
        project.networks[key].name
        for key in service.networks
        if key in project.networks and project.networks[key].name not in one.networks
    ]
    if missing and not service.network_mode and one.networks:
        return f"it is not connected to {', '.join(sorted(missing))}"
    lost = [
        name
        for key in service.networks
        if key in project.networks
        and one.networks.get(name := project.networks[key].name)
        and one.networks[name] not in (name, observed.networks.get(name, ""))  # Podman says the name
    ]
    if lost:
        return f"the network {lost[0]} that it was connected to was removed"
    return _volume_divergence(project, service, one)


def _volume_divergence(project: Project, service: Service, one: Container) -> str:
    mounted = {
        mount.get("Destination"): mount.get("Name") for mount in one.mounts if mount.get("Type") == "volume"
    }
    for mount in service.volumes:
        if mount.type == "volume" and mount.source in project.volumes:
            target = mount.target.rstrip("/") or "/"
            name = project.volumes[mount.source].name
            if mounted.get(target, name) != name:
                return f"the volume at {target} changed"
    return ""


def is_one_shot(project: Project, name: str) -> bool:
    """Whether others wait for this service to complete: once it has, it is not run again unchanged."""
    return any(
        dependency.condition == "service_completed_successfully"
        for other in project.services.values()
        for key, dependency in other.depends_on.items()
        if key == name
    )


def namespaces(service: Service) -> list[str]:
    """Services whose namespaces it shares."""
    return [
        mode.removeprefix("service:")
        for mode in (service.network_mode, service.ipc, service.pid)
        if mode.startswith("service:")
    ]


def shares(service: Service) -> list[str]:
    """Services whose containers must exist first: their namespaces or volumes are shared."""
    found = namespaces(service)
    found += [text.partition(":")[0] for text in service.volumes_from if not text.startswith("container:")]
    return list(dict.fromkeys(found))
