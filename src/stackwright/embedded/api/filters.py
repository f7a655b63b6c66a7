"""The filters of `GET /containers/json` and prune (Engine API 1.50, ContainerList)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from stackwright.embedded.errors import BadParameter, EngineError
from stackwright.embedded.lifecycle.engine import Engine
from stackwright.embedded.lifecycle.machine import Status
from stackwright.embedded.lifecycle.record import Container

Filters = Mapping[str, set[str]]
_KNOWN = frozenset(
    [
        "ancestor",
        "before",
        "expose",
        "exited",
        "health",
        "id",
        "isolation",
        "is-task",
        "label",
        "label!",
        "name",
        "network",
        "publish",
        "since",
        "status",
        "volume",
    ]
)


def check_filters(filters: Filters) -> Filters:
    """Raise BadParameter for a filter or value that does not exist."""
    for key, values in filters.items():
        if key not in _KNOWN:
            raise BadParameter(f"invalid filter '{key}'")
        if key == "status" and (wrong := values - set(Status)):
            raise BadParameter(f"invalid filter 'status={sorted(wrong)[0]}'")
        if key == "exited" and not all(v.isdigit() for v in values):
            raise BadParameter(f"invalid filter 'exited={sorted(values)[0]}'")
    return filters


def select(engine: Engine, filters: Filters) -> list[Container]:
    """The containers that pass: values of one key are alternatives (labels add up), keys add up."""
    tests = [_test(engine, key, values) for key, values in filters.items()]
    return [c for c in engine.services.containers if all(test(c) for test in tests)]


def _test(engine: Engine, key: str, values: set[str]) -> Callable[[Container], bool]:
    match key:
        case "id":
            return lambda c: any(c.id.startswith(v) for v in values)
        case "name":
            patterns = [_pattern(v) for v in values]
            return lambda c: any(p.search(c.name) or p.search(f"/{c.name}") for p in patterns)
        case "label":
            return lambda c: all(has_label(c.config.labels, v) for v in values)
        case "label!":
            return lambda c: not any(has_label(c.config.labels, v) for v in values)
        case "status":
            return lambda c: str(c.status) in values
        case "exited":
            return lambda c: c.status == Status.EXITED and str(c.exit_code) in values
        case "health":
            return lambda c: (c.health.status if c.health else "none") in values
        case "ancestor":
            ids = {_image_id(engine, v) for v in values}
            return lambda c: c.image_id in ids or c.image in values
        case "volume":
            return lambda c: any(m.name in values or m.destination in values for m in c.mounts)
        case "network":
            names = {_network_name(engine, v) for v in values}
            return lambda c: bool(names & set(c.endpoints))
        case "publish" | "expose":
            wanted = {v if "/" in v else f"{v}/tcp" for v in values}
            if key == "publish":
                return lambda c: bool(wanted & set(c.host_config.port_bindings))
            return lambda c: bool(wanted & {p if "/" in p else f"{p}/tcp" for p in c.config.exposed_ports})
        case "before" | "since":
            border = engine.services.containers.get(next(iter(values))).created_ns
            if key == "before":
                return lambda c: c.created_ns < border
            return lambda c: c.created_ns > border
        case "is-task":
            return lambda c: "true" not in {v.lower() for v in values}
        case _:
            return lambda c: True


def has_label(labels: Mapping[str, str], wanted: str) -> bool:
    """`name` or `name=value`."""
    name, equals, value = wanted.partition("=")
    return name in labels and (not equals or labels[name] == value)


def _pattern(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error:
        return re.compile(re.escape(text))


def _image_id(engine: Engine, name: str) -> str:
    try:
        return engine.services.images.get(name).id
    except EngineError:
        return ""


def _network_name(engine: Engine, reference: str) -> str:
    try:
        return engine.services.networks.get(reference).name
    except EngineError:
        return reference
