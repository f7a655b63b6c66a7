"""Stage: of several entries of a list for the same thing, the last one counts, at the first one's position."""

from __future__ import annotations

from stackwright.model.marks import Map, Seq
from stackwright.model.rules import compile_rules, entries
from stackwright.model.shortforms.mounts import MountError, parse_mount

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeAlias

    from stackwright.model.rules import Rules

    Index: TypeAlias = Callable[[Any], "str | None"]


def unique(model: Map) -> Map:
    """Remove redefinitions in place; returns the model."""
    _visit(model, _RULES)
    return model


def _visit(value: Any, rules: Rules) -> None:
    for _, item, below in entries(value, rules):
        if type(item) is Seq and below.rule is not None:
            _reduce(item, below.rule)
        elif type(item) is Map or type(item) is Seq:
            _visit(item, below)


def _reduce(items: Seq, index: Index) -> None:
    positions: dict[str, int] = {}
    kept: list[Any] = []
    marks = []
    for position, item in enumerate(items):
        key = index(item)
        at = positions.get(key) if key is not None else None
        if at is None:
            if key is not None:
                positions[key] = len(kept)
            kept.append(item)
            marks.append(items.mark_at(position))
        else:
            kept[at], marks[at] = item, items.mark_at(position)
    if len(kept) != len(items):
        items[:] = kept
        items.marks = marks


def _key(item: Any) -> str | None:
    return item.partition("=")[0] if type(item) is str else None


def _target(item: Any) -> str | None:
    if type(item) is Map:
        target = item.get("target")
        return target if type(target) is str else None
    if type(item) is str:
        try:
            return str(parse_mount(item)["target"])
        except MountError:
            return None
    return None


def _device(item: Any) -> str | None:
    if type(item) is Map:
        target = item.get("target")
        return target if type(target) is str else None
    if type(item) is str:
        parts = item.split(":")
        return parts[0] if len(parts) == 1 else parts[1]
    return None


def _expose(item: Any) -> str | None:
    return str(item) if type(item) is str or type(item) is int else None


def _path(item: Any) -> str | None:
    path = item.get("path") if type(item) is Map else item
    return path if type(path) is str else None


def _port(item: Any) -> str | None:
    if type(item) is Map:
        if "target" not in item:
            return None
        published = item.get("published")
        return f"{item.get('host_ip', '0.0.0.0')}:{published}:{item['target']}/{item.get('protocol', 'tcp')}"
    return str(item) if type(item) is str or type(item) is int else None


def _file(folder: str) -> Index:
    def index(item: Any) -> str | None:
        if type(item) is str:
            return f"{folder}/{item}"
        if type(item) is Map:
            target = item.get("target")
            return target if type(target) is str else f"{folder}/{item.get('source')}"
        return None

    return index


UNIQUE: dict[str, Index] = {
    "networks.*.labels": _key,
    "networks.*.ipam.options": _key,
    "services.*.annotations": _key,
    "services.*.build.args": _key,
    "services.*.build.additional_contexts": _key,
    "services.*.build.platform": _key,
    "services.*.build.tags": _key,
    "services.*.build.labels": _key,
    "services.*.cap_add": _key,
    "services.*.cap_drop": _key,
    "services.*.configs": _file(""),
    "services.*.deploy.labels": _key,
    "services.*.devices": _device,
    "services.*.dns": _key,
    "services.*.dns_opt": _key,
    "services.*.dns_search": _key,
    "services.*.env_file": _path,
    "services.*.environment": _key,
    "services.*.expose": _expose,
    "services.*.labels": _key,
    "services.*.links": _key,
    "services.*.networks.*.aliases": _key,
    "services.*.networks.*.link_local_ips": _key,
    "services.*.ports": _port,
    "services.*.profiles": _key,
    "services.*.secrets": _file("/run/secrets"),
    "services.*.sysctls": _key,
    "services.*.tmpfs": _key,
    "services.*.volumes": _target,
}
"""By what the entries of these lists are the same thing; None: compare nothing."""

_RULES = compile_rules(UNIQUE)
