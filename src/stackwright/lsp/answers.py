"""Hovers, definitions and completions."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from stackwright.checks.finding import Place
from stackwright.checks.knowledge.credentials import names_credential
from stackwright.checks.raw import RawFile
from stackwright.checks.service import ServiceView
from stackwright.checks.subject import Subject
from stackwright.lsp.cursor import Cursor
from stackwright.model.marks import NOWHERE, Map, place_of

_KINDS = {
    "networks": "networks",
    "volumes": "volumes",
    "secrets": "secrets",
    "configs": "configs",
    "models": "models",
}


@dataclass(frozen=True, slots=True)
class Choice:
    """One completion."""

    text: str
    kind: str
    detail: str = ""
    documentation: str = ""


def hover(cursor: Cursor, subject: Subject, raw: RawFile) -> str:
    """Markdown about what is under the cursor; empty when nothing is known."""
    if cursor.variable:
        return _about_variable(cursor.variable, subject)
    kind, name = _reference(cursor, subject)
    if kind == "services" and name in subject.services and not _defines(cursor, "services"):
        return _about_service(subject.services[name])
    value, mark = _value(cursor.path, subject)
    if value is None:
        return _about_key(cursor.path)
    lines = []
    if not isinstance(value, dict | list):
        shown = "***" if names_credential(cursor.path[-1]) and str(value) else str(value)
        lines.append(f"`{cursor.path[-1]}` = `{shown}`")
    origin = [subject.sources.describe(mark)] if place_of(mark)[0] else ["given by Compose itself"]
    steps = [*origin, *subject.sources.chain(mark)]
    lines.append("from " + " ← ".join(step.replace(subject.folder.rstrip("/") + "/", "") for step in steps))
    about = _about_key(cursor.path)
    return "\n\n".join([*lines, about] if about else lines)


def _about_variable(name: str, subject: Subject) -> str:
    environment = subject.model.context.environment
    value = environment.get(name)
    what, mark = environment.origin(name)
    if value is None:
        return f"`{name}` is not set"
    shown = "***" if names_credential(name) and value else value
    where = (
        f" ({subject.sources.describe(mark).replace(subject.folder.rstrip('/') + '/', '')})"
        if mark != NOWHERE
        else ""
    )
    return f"`{name}` = `{shown}`\n\n{what}{where}"


def _about_service(service: ServiceView) -> str:
    lines = [
        f"service **{service.name}**",
        f"image `{service.image_text}`" if service.image_text else "built here",
    ]
    if service.published:
        lines.append("publishes " + ", ".join(f"{port} → {port.target}" for port in service.published))
    if service.health_test:
        lines.append(f"health check `{' '.join(service.health_test[1:])}`")
    used = [other.name for other in service.subject.each if service.name in other.mapping("depends_on")]
    if used:
        lines.append("used by " + ", ".join(used))
    return "\n\n".join(lines)


def _value(path: tuple[str, ...], subject: Subject) -> tuple[Any, Any]:
    here: Any = {**subject.data, "services": {**subject.section("services"), **subject.model.disabled}}
    mark: Any = NOWHERE
    for key in path:
        if not isinstance(here, dict) or key not in here:
            return None, NOWHERE
        mark = here.mark_at(key) if type(here) is Map else mark
        here = here[key]
    return here, mark


def _reference(cursor: Cursor, subject: Subject) -> tuple[str, str]:
    """The kind and name of what the word under the cursor refers to; empty when it refers to nothing."""
    path, word = cursor.path, cursor.word
    if len(path) >= 2 and path[0] == "services":
        below = path[2:3]
        if below == ("depends_on",) and word:
            return "services", path[3] if len(path) > 3 else word
        if below == ("links",) or below == ("volumes_from",):
            return "services", word
        if below == ("extends",) and path[3:4] in ((), ("service",)):
            return "services", word
        if below and below[0] in _KINDS:
            return _KINDS[below[0]], path[3] if len(path) > 3 and below[0] == "networks" else word.partition(
                ":"
            )[0]
        if below == ("network_mode",):
            return "services", word
    if word in subject.services and not cursor.on_key:
        return "services", word
    return "", ""


def _defines(cursor: Cursor, kind: str) -> bool:
    return cursor.on_key and len(cursor.path) == 2 and cursor.path[0] == kind


def definition(cursor: Cursor, subject: Subject, raw: RawFile) -> Place | None:
    """Where that which is under the cursor is defined; None when it is nowhere."""
    if cursor.variable:
        _, mark = subject.model.context.environment.origin(cursor.variable)
        return subject.place(mark) if mark != NOWHERE else None
    if cursor.anchor:
        return _anchor(cursor.anchor, raw)
    if cursor.path[2:3] == ("extends",):
        return _extended(cursor, subject, raw)
    kind, name = _reference(cursor, subject)
    if kind == "services" and name in subject.services:
        return subject.place(subject.services[name].mark)
    section = subject.section(kind) if kind else Map()
    if name in section and place_of(section.key_mark(name))[0]:
        return subject.place(section.key_mark(name))
    return None


def _anchor(name: str, raw: RawFile) -> Place | None:
    for number, line in enumerate(raw.lines, 1):
        at = re.search(rf"(?:^|\s)&{re.escape(name)}(?:\s|$)", line)
        if at:
            return Place(raw.path, number, at.start() + line[at.start() :].index("&") + 1)
    return None


def _extended(cursor: Cursor, subject: Subject, raw: RawFile) -> Place | None:
    """The service, or the file, that ``extends`` names."""
    for name, service, _ in raw.services():
        if name != cursor.path[1]:
            continue
        target = service.get("extends")
        file, wanted = (
            ("", target)
            if isinstance(target, str)
            else (str((target or {}).get("file") or ""), str((target or {}).get("service") or ""))
        )
        if not file:
            found = subject.services.get(str(wanted))
            return subject.place(found.mark) if found else None
        path = _beside(raw.path, file, subject)
        if cursor.path[3:4] == ("file",):
            return Place(path, 1, 1)
        text = subject.files.read(path)
        other = subject.memory.raw(path, text) if text is not None else None
        for one, _, mark in other.services() if other else ():
            if other is not None and one == wanted:
                return other.place(mark)
    return None


def _beside(here: str, file: str, subject: Subject) -> str:
    import os.path

    if file.startswith("/"):
        return file
    near = os.path.normpath(os.path.join(os.path.dirname(here), file))  # noqa: PTH118, PTH120
    return near if subject.files.exists(near) else os.path.normpath(os.path.join(subject.folder, file))  # noqa: PTH118


def complete(cursor: Cursor, subject: Subject | None, text: str) -> list[Choice]:
    """What could stand at the cursor: names of services, networks and volumes, variables, keys of the schema."""
    path = cursor.path
    if "${" in text and "}" not in text[text.rindex("${") :]:
        names = subject.model.context.environment.names() if subject else ()
        return [Choice(name, "variable") for name in sorted(names)]
    if path[:1] == ("services",) and len(path) >= 3 and subject is not None:
        key = path[2]
        if key == "depends_on" and len(path) == 3:
            return _names((name for name in subject.services if name != path[1]), "service")
        if key == "depends_on" and path[4:5] == ("condition",) and not cursor.on_key:
            return _names(("service_started", "service_healthy", "service_completed_successfully"), "value")
        if key in _KINDS and len(path) == 3:
            return _names(
                (name for name in subject.section(_KINDS[key]) if name != "default"), key.removesuffix("s")
            )
        if key == "extends" and (len(path) == 3 or path[3:4] == ("service",)):
            return _names(subject.services, "service")
    if path and not cursor.on_key and re.match(r"^\s*[\w-]+:\s", text):
        return _values(path)
    parent = path[:-1] if cursor.on_key else path
    return [Choice(name, "key", detail, about) for name, detail, about in _keys(parent)]


def _names(names: Iterable[str], kind: str) -> list[Choice]:
    return [Choice(name, kind, kind) for name in names]


@lru_cache(maxsize=1)
def _schema() -> dict[str, Any]:
    from stackwright.model.schema.file import json_schema

    schema: dict[str, Any] = json_schema()
    return schema


def _resolved(shape: dict[str, Any]) -> list[dict[str, Any]]:
    """The alternatives of a shape, references followed."""
    if "$ref" in shape:
        here: Any = _schema()
        for part in str(shape["$ref"]).removeprefix("#/").split("/"):
            here = here[part]
        return _resolved(here)
    found = [shape]
    for key in ("oneOf", "anyOf", "allOf"):
        for one in shape.get(key, ()):
            found += _resolved(one)
    return found


def _shapes(path: tuple[str, ...]) -> list[dict[str, Any]]:
    """The shapes of the value at a path."""
    found = _resolved(_schema())
    for key in path:
        below: list[dict[str, Any]] = []
        for shape in found:
            if key in shape.get("properties", {}):
                below += _resolved(shape["properties"][key])
            else:
                below += [
                    one
                    for pattern in shape.get("patternProperties", {}).values()
                    for one in _resolved(pattern)
                    if not key.startswith("x-")
                ]
                if isinstance(shape.get("additionalProperties"), dict):
                    below += _resolved(shape["additionalProperties"])
            if isinstance(shape.get("items"), dict):
                below += [
                    one
                    for item in _resolved(shape["items"])
                    if key in item.get("properties", {})
                    for one in _resolved(item["properties"][key])
                ]
        found = below
    return found


def _keys(path: tuple[str, ...]) -> list[tuple[str, str, str]]:
    found: dict[str, tuple[str, str, str]] = {}
    for shape in _shapes(path):
        items = shape.get("items")
        for one in (shape, *(_resolved(items) if isinstance(items, dict) else ())):
            for name, below in one.get("properties", {}).items():
                kinds = " or ".join(
                    dict.fromkeys(str(kind) for part in _resolved(below) for kind in _types(part))
                )
                found.setdefault(name, (name, kinds, str(below.get("description") or "")))
    return list(found.values())


def _types(shape: dict[str, Any]) -> list[str]:
    given = shape.get("type", ())
    return [given] if isinstance(given, str) else list(given)


def _values(path: tuple[str, ...]) -> list[Choice]:
    found = [str(value) for shape in _shapes(path) for value in shape.get("enum", ())]
    if any("boolean" in _types(shape) for shape in _shapes(path)):
        found += ["true", "false"]
    return _names(dict.fromkeys(found), "value")


def _about_key(path: tuple[str, ...]) -> str:
    kinds = (
        " or ".join(dict.fromkeys(kind for shape in _shapes(path) for kind in _types(shape))) if path else ""
    )
    return f"*{kinds}*" if kinds else ""
