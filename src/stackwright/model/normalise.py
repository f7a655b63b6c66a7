"""Stage: what Compose adds by itself: the default network, implied dependencies, names, resolved variables."""

from __future__ import annotations

from stackwright.model.canonical import clean_path
from stackwright.model.marks import NOWHERE, Map, Seq, with_step
from stackwright.model.wellformed import is_true

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from stackwright.model.environment import Environment
    from stackwright.model.marks import Mark

_NAMESPACES = ("network_mode", "ipc", "pid", "uts", "cgroup")
_NAMED = ("networks", "volumes", "configs", "secrets")
_SERVICE = "service:"


def normalise(model: Map, name: str, environment: Environment) -> Map:
    """Complete a canonical model, in place.

    Args:
        model: canonical, with absolute paths.
        name: the project's.
        environment: gives values to variables that are named without one.
    """
    model.put("name", name, model.mark_at("name"))
    _default_network(model)
    for service in _maps(model.get("services")):
        _service(service, environment)
    for kind in _NAMED:
        _names(model, kind, name)
    return model


def _maps(holder: Any) -> list[Map]:
    return [item for item in holder.values() if type(item) is Map] if type(holder) is Map else []


def _default_network(model: Map) -> None:
    used = False
    for service in _maps(model.get("services")):
        if "provider" in service or "network_mode" in service:
            continue
        networks = service.get("networks")
        if not networks:
            joined = Map(NOWHERE)
            joined.put("default", None, NOWHERE)
            service.put("networks", joined, NOWHERE)
            used = True
        elif "default" in networks:
            used = True
    if used:
        if type(model.get("networks")) is not Map:
            model.put("networks", Map(NOWHERE), NOWHERE)
        if "default" not in model["networks"]:
            model["networks"].put("default", None, NOWHERE)


def _service(service: Map, environment: Environment) -> None:
    if service.get("pull_policy") == "if_not_present":
        service["pull_policy"] = "missing"
    build = service.get("build")
    if type(build) is Map:
        if build.get("context") is None:
            build.put("context", ".", NOWHERE)
        if build.get("dockerfile") is None and build.get("dockerfile_inline") is None:
            build.put("dockerfile", "Dockerfile", NOWHERE)
        if "args" in build:
            build["args"] = _resolved(build["args"], environment, keep=False)
    if "environment" in service:
        service["environment"] = _resolved(service["environment"], environment, keep=True)
    _dependencies(service)
    for mount in service.get("volumes") or ():
        if type(mount) is Map and type(mount.get("target")) is str:
            mount["target"] = clean_path(mount["target"])


def _dependencies(service: Map) -> None:
    """A service that uses another's namespaces, volumes or name needs it to be there."""
    implied: list[tuple[str, Mark, bool]] = []
    links: Seq = service.get("links") or Seq()
    for index, link in enumerate(links):
        parts = str(link).split(":")
        implied.append((parts[0] if len(parts) == 2 else str(link), links.mark_at(index), True))
    for key in _NAMESPACES:
        reference = service.get(key)
        if type(reference) is str and reference.startswith(_SERVICE):
            implied.append((reference.removeprefix(_SERVICE), service.mark_at(key), True))
    sources: Seq = service.get("volumes_from") or Seq()
    for index, source in enumerate(sources):
        if not str(source).startswith("container:"):
            implied.append((str(source).split(":")[0], sources.mark_at(index), False))
    for name, mark, restart in implied:
        if type(service.get("depends_on")) is not Map:
            service.put("depends_on", Map(mark), mark)
        if name not in service["depends_on"]:
            dependency = Map(mark)
            dependency.put("condition", "service_started", mark)
            dependency.put("restart", restart, mark)
            dependency.put("required", True, mark)
            service["depends_on"].put(name, dependency, mark)


def _resolved(value: Any, environment: Environment, *, keep: bool) -> Any:
    """Variables without a value get the environment's; ``keep`` those that have none there either."""
    if type(value) is Map:
        for key in [key for key, item in value.items() if item is None]:
            found = environment.get(key)
            if found is not None:
                value[key] = found
                if environment.traced:
                    pair = value.marks.get(key, (NOWHERE, NOWHERE))
                    value.marks[key] = (pair[0], with_step(pair[1], *environment.origin(key)))
            elif not keep:
                value.drop(key)
        return value
    if type(value) is not Seq:
        return value
    made = Seq(value.mark)
    for index, item in enumerate(value):
        mark = value.mark_at(index)
        if type(item) is str and "=" not in item:
            found = environment.get(item)
            if found is not None:
                if environment.traced:
                    mark = with_step(mark, *environment.origin(item))
                item = f"{item}={found}"
            elif not keep:
                continue
        made.add(item, mark)
    return made


def _names(model: Map, kind: str, project: str) -> None:
    resources = model.get(kind)
    if type(resources) is not Map:
        return
    for key, resource in resources.items():
        if resource is None:
            resource = resources[key] = Map(resources.mark_at(key))
        if type(resource) is Map and resource.get("name") is None:
            name = key if is_true(resource.get("external")) else f"{project}_{key}"
            resource.put("name", name, NOWHERE)
