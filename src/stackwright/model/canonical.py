"""Stage: short syntax made long, so that later stages see one form of everything.

The rules are the table ``LONG``; the little languages themselves are in ``shortforms``.
"""

from __future__ import annotations

from stackwright.model.marks import Map, Seq
from stackwright.model.merge import scalar_text
from stackwright.model.rules import compile_rules, entries, joined
from stackwright.model.shortforms.mounts import MountError, parse_mount
from stackwright.model.shortforms.ports import PortError, parse_ports

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeAlias

    from stackwright.model.marks import Mark
    from stackwright.model.rules import Rules
    from stackwright.model.sources import Reporter

    Rule: TypeAlias = Callable[["_Long", Any, Mark, Rules, str], Any]

MAX_PORTS = 70_000
"""Ports that the ranges of one document may stand for: every port once, and some."""

_DROP: Any = object()


def canonical(model: Map, report: Reporter, *, lenient: bool = False) -> Map:
    """Make every short form long, in place.

    Args:
        model: data of a valid shape.
        report: told of texts that cannot be read; those entries are dropped.
        lenient: leave such texts as they are (they may hold variables that were not replaced).
    """
    _Long(report, lenient).visit(model, _RULES, "")
    return model


class _Long:
    def __init__(self, report: Reporter, lenient: bool) -> None:
        self.report = report
        self.lenient = lenient
        self.ports = 0

    def visit(self, value: Any, rules: Rules, path: str) -> None:
        dropped: list[Any] = []
        for key, item, below in entries(value, rules):
            if below.rule is not None:
                rule: Rule = below.rule
                new = rule(self, item, value.mark_at(key), below, joined(path, key))
                if new is _DROP:
                    dropped.append(key)
                elif new is not item:
                    value[key] = new
            elif type(item) is Map or type(item) is Seq:
                self.visit(item, below, joined(path, key))
        for key in reversed(dropped):
            if type(value) is Map:
                value.drop(key)
                value.broken = value.lost = True
            else:
                del value[key]
                del value.marks[key]

    def unreadable(self, code: str, message: str, value: Any, mark: Mark, path: str) -> Any:
        """What to do with a text that is no valid short form."""
        if self.lenient:
            return value
        self.report.error(code, f"{path}: {message}", mark, path)
        return _DROP


def _filled(mark: Mark, **entries: Any) -> Map:
    made = Map(mark)
    for key, value in entries.items():
        made.put(key, value, mark)
    return made


def _placed(value: Any, mark: Mark) -> Any:
    """Plain data as marked data."""
    if type(value) is dict:
        made = Map(mark)
        for key, item in value.items():
            made.put(key, _placed(item, mark), mark)
        return made
    return value


def _text_as(key: str) -> Rule:
    """A text is the one field ``key``."""

    def rule(long: _Long, value: Any, mark: Mark, rules: Rules, path: str) -> Any:
        if type(value) is str:
            return _filled(mark, **{key: value})
        if type(value) is Map:
            long.visit(value, rules, path)
        return value

    return rule


def _listed(long: _Long, value: Any, mark: Mark, rules: Rules, path: str) -> Any:
    """A text is a list of one."""
    if type(value) is not str:
        return value
    made = Seq(mark)
    made.add(value, mark)
    return made


def _dns(long: _Long, value: Any, mark: Mark, rules: Rules, path: str) -> Any:
    value = _listed(long, value, mark, rules, path)
    if type(value) is Seq and not all(value):
        kept = Seq(value.mark)
        for index, item in enumerate(value):
            if item:
                kept.add(item, value.mark_at(index))
        return kept
    return value


def _is_list_of_texts(value: Any) -> bool:
    """Whether a value is what a short form is; a base that is extended has not been validated yet."""
    return type(value) is Seq and all(type(item) is str for item in value)


def _names_as_keys(long: _Long, value: Any, mark: Mark, rules: Rules, path: str) -> Any:
    if not _is_list_of_texts(value):
        return value
    made = Map(value.mark)
    for index, name in enumerate(value):
        made.put(name, None, value.mark_at(index))
    return made


def _depends_on(long: _Long, value: Any, mark: Mark, rules: Rules, path: str) -> Any:
    listed = type(value) is Seq
    value = _names_as_keys(long, value, mark, rules, path)
    if type(value) is not Map:
        return value
    for name, item in value.items():
        if listed:
            value[name] = _filled(value.mark_at(name), condition="service_started", required=True)
        elif type(item) is Map:
            item.setdefault("condition", "service_started")
            item.setdefault("required", True)
    return value


def _env_file(long: _Long, value: Any, mark: Mark, rules: Rules, path: str) -> Any:
    value = _listed(long, value, mark, rules, path)
    for index, item in enumerate(value if type(value) is Seq else ()):
        if type(item) is str:
            value[index] = _filled(value.mark_at(index), path=item, required=True)
        elif type(item) is Map:
            item.setdefault("required", True)
    return value


def _text_of(long: _Long, value: Any, mark: Mark, rules: Rules, path: str) -> Any:
    return value if value is None or type(value) is Map or type(value) is Seq else scalar_text(value)


def _key_values(long: _Long, value: Any, mark: Mark, rules: Rules, path: str) -> Any:
    if not _is_list_of_texts(value):
        return value
    made = Map(value.mark)
    for index, item in enumerate(value):
        key, equals, text = item.partition("=")
        if not equals:
            if long.lenient:
                return value
            at = value.mark_at(index)
            long.report.error("key-value", f'{path}: "{item}" should be name=value', at, path)
            continue
        made.put(key, text, value.mark_at(index))
    return made


def _ssh(long: _Long, value: Any, mark: Mark, rules: Rules, path: str) -> Any:
    if not _is_list_of_texts(value):
        return value
    made = Map(value.mark)
    for index, item in enumerate(value):
        key, equals, text = item.partition("=")
        at = value.mark_at(index)
        if not equals and key != "default":
            long.report.error("ssh", f'{path}: "{item}" should be "default" or id=path', at, path)
            continue
        made.put(key, text if equals else None, at)
    return made


def _gpus(long: _Long, value: Any, mark: Mark, rules: Rules, path: str) -> Any:
    if type(value) is not str:
        return value
    made = Seq(mark)
    made.add(_filled(mark, count="all"), mark)
    return made


def _mount(long: _Long, value: Any, mark: Mark, rules: Rules, path: str) -> Any:
    if type(value) is not str:
        return value
    try:
        mount = parse_mount(value)
    except MountError as error:
        return long.unreadable("volume", str(error), value, mark, path)
    mount["target"] = clean_path(mount["target"])
    return _placed(mount, mark)


def _device(long: _Long, value: Any, mark: Mark, rules: Rules, path: str) -> Any:
    if type(value) is not str:
        return value
    parts = value.split(":")
    if len(parts) > 3:
        message = f'"{value}" has too many colons (source:target:permissions)'
        return long.unreadable("device", message, value, mark, path)
    source = parts[0]
    target = (parts[1] if len(parts) > 1 else "") or source
    return _filled(mark, source=source, target=target, permissions=parts[2] if len(parts) > 2 else "rwm")


def _ports(long: _Long, value: Any, mark: Mark, rules: Rules, path: str) -> Any:
    if type(value) is not Seq:
        return value
    made = Seq(value.mark)
    for index, item in enumerate(value):
        at = value.mark_at(index)
        if type(item) is not str and type(item) is not int and type(item) is not float:
            made.add(item, at)
            continue
        if type(item) is float:
            message = f"{path}[{index}]: {scalar_text(item)} is no port"
            long.report.error("port", message, at, path, hint="put it in quotes")
            continue
        try:
            ports = parse_ports(scalar_text(item), MAX_PORTS - long.ports)
        except PortError as error:
            if long.lenient:
                return value
            long.report.error("port", f"{path}[{index}]: {error}", at, f"{path}[{index}]")
            continue
        long.ports += len(ports)
        for port in ports:
            made.add(_placed(port, at), at)
    return made


def _maybe_external(long: _Long, value: Any, mark: Mark, rules: Rules, path: str) -> Any:
    """The old form ``external: {name: x}`` is ``external: true`` with ``name: x``."""
    if type(value) is not Map:
        return value
    external = value.get("external")
    if type(external) is not Map:
        return value
    at = value.mark_at("external")
    value.put("external", True, at)
    if "name" in external:
        long.report.warn(f"{path}: external.name is deprecated. Please set name and external: true")
        if "name" in value and value["name"] != external["name"]:
            message = f'{path}: "name" and "external.name" differ; keep only "name"'
            long.report.error("external-name", message, external.mark_at("name"), path)
        else:
            value.put("name", external["name"], external.mark_at("name"))
    return value


def clean_path(path: str) -> str:
    """A container path without ``.``, ``..`` and doubled slashes, as Go's ``path.Clean``."""
    if not path:
        return "."
    parts: list[str] = []
    rooted = path.startswith("/")
    for part in path.split("/"):
        if part in ("", "."):
            continue
        if part == "..":
            if parts and parts[-1] != "..":
                parts.pop()
            elif not rooted:
                parts.append(part)
            continue
        parts.append(part)
    return ("/" if rooted else "") + "/".join(parts) or ("/" if rooted else ".")


LONG: dict[str, Rule] = {
    "services.*.build": _text_as("context"),
    "services.*.build.additional_contexts": _key_values,
    "services.*.build.provenance": _text_of,
    "services.*.build.sbom": _text_of,
    "services.*.build.secrets.[]": _text_as("source"),
    "services.*.build.ssh": _ssh,
    "services.*.configs.[]": _text_as("source"),
    "services.*.depends_on": _depends_on,
    "services.*.develop.watch.[].ignore": _listed,
    "services.*.develop.watch.[].include": _listed,
    "services.*.devices.[]": _device,
    "services.*.dns": _dns,
    "services.*.env_file": _env_file,
    "services.*.extends": _text_as("service"),
    "services.*.gpus": _gpus,
    "services.*.label_file": _listed,
    "services.*.models": _names_as_keys,
    "services.*.networks": _names_as_keys,
    "services.*.ports": _ports,
    "services.*.secrets.[]": _text_as("source"),
    "services.*.volumes.[]": _mount,
    "configs.*": _maybe_external,
    "networks.*": _maybe_external,
    "secrets.*": _maybe_external,
    "volumes.*": _maybe_external,
    "include.[]": _text_as("path"),
}
"""How to make these long; what is not here has one form only."""

_RULES = compile_rules(LONG)
