"""Choosing services by name, and leaving out resources that no service uses."""

from __future__ import annotations

from stackwright.model.marks import Map

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class UnknownServiceError(LookupError):
    """A service was asked for that the project does not define; ``name`` is it."""

    def __init__(self, name: str) -> None:
        super().__init__(f"no such service: {name}")
        self.name = name


def with_dependencies(services: Map, names: Sequence[str]) -> Map:
    """The named services and all that they depend on.

    Raises:
        UnknownServiceError: a name, or a required dependency, is not there.
    """
    wanted: set[str] = set()
    waiting: list[tuple[str, bool]] = [(name, True) for name in names]
    while waiting:
        name, required = waiting.pop()
        if name in wanted:
            continue
        if name not in services:
            if required:
                raise UnknownServiceError(name)
            continue
        wanted.add(name)
        for target, dependency in (services[name].get("depends_on") or {}).items():
            waiting.append((target, dependency.get("required", True)))
    chosen = Map(services.mark)
    for name, service in services.items():
        if name in wanted:
            dependencies = service.get("depends_on")
            for target in [target for target in dependencies or () if target not in wanted]:
                dependencies.drop(target)
            chosen.place(name, service, services.marks.get(name, (services.mark, services.mark)))
    return chosen


def used_resources(services: Map) -> dict[str, set[str]]:
    """For each kind of resource, the keys that some service refers to."""
    used: dict[str, set[str]] = {
        kind: set() for kind in ("networks", "volumes", "secrets", "configs", "models")
    }
    for service in services.values():
        used["networks"].update(service.get("networks") or ())
        used["models"].update(service.get("models") or ())
        for mount in service.get("volumes") or ():
            if mount.get("type") == "volume" and mount.get("source"):
                used["volumes"].add(mount["source"])
        build = service.get("build") or {}
        used["secrets"].update(_sources(service.get("secrets")), _sources(build.get("secrets")))
        used["configs"].update(_sources(service.get("configs")))
    return used


def _sources(references: Iterable[Map] | None) -> list[str]:
    return [reference.get("source", "") for reference in references or ()]


def without_unused(model: Map, services: Map) -> None:
    """Drop the resources that none of the services uses, in place."""
    for kind, names in used_resources(services).items():
        resources = model.get(kind)
        if type(resources) is Map:
            for name in [name for name in resources if name not in names]:
                resources.drop(name)
            if not resources:
                model.drop(kind)
