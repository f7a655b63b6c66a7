"""The last form of a model to the typed project: units become numbers, lists of pairs become mappings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from stackwright.model.emit.hashes import ServiceHashes
from stackwright.model.final import kinds
from stackwright.model.final.durations import parse_duration
from stackwright.model.final.fields import ByName, Field, Items, Struct, Value
from stackwright.model.final.tables import PROJECT, SERVICE
from stackwright.model.project import Project
from stackwright.model.types import Service

if TYPE_CHECKING:
    from collections.abc import Callable

    from stackwright.model.load import Model


def to_project(model: Model) -> Project:
    """The typed project of a model that was read without problems."""
    data = _convert(model.data, PROJECT)
    _named(data.get("services", {}))
    _with_content(data, model)
    disabled = {name: _convert(service, SERVICE) for name, service in model.disabled.items()}
    _named(disabled)
    project = msgspec.convert(data, Project, strict=False)
    return msgspec.structs.replace(
        project,
        compose_files=model.files,
        environment=dict(model.context.environment.values),
        disabled_services=msgspec.convert(disabled, dict[str, Service], strict=False),
        profiles=tuple(profile for profile in model.profiles if profile),
        config_hashes=ServiceHashes(model.data["services"]),
        warnings=model.warnings,
        model=model.data,
        working_dir=model.context.working_dir,
        source_names=tuple(model.context.report.sources.names),
    )


def _convert(value: Any, field: Field) -> Any:
    if value is None:
        return None
    if isinstance(field, Struct):
        made = {key: _convert(value[key], below) for key, below in field.fields.items() if key in value}
        extensions = {key: item for key, item in value.items() if key.startswith("x-")}
        if extensions:
            made["extensions"] = extensions
        return made if field is not PROJECT else {"working_dir": "", **made}
    if isinstance(field, ByName):
        return {key: _convert(item, field.item) for key, item in value.items()}
    if isinstance(field, Items):
        return [_convert(item, field.item) for item in value]
    assert isinstance(field, Value)
    unit = _UNITS.get(field.kind)
    return unit(value) if unit else value


def _pairs(value: list[str]) -> dict[str, list[str]]:
    """``host=address`` entries by host."""
    made: dict[str, list[str]] = {}
    for entry in value:
        host, _, address = entry.partition("=")
        made.setdefault(host, []).append(address)
    return made


def _agents(value: list[str]) -> dict[str, str]:
    return {key: path for key, _, path in (entry.partition("=") for entry in value)}


def _limit(value: Any) -> dict[str, int]:
    return value if isinstance(value, dict) else {"soft": value, "hard": value}


_UNITS: dict[Callable[[Any], Any], Callable[[Any], Any]] = {
    kinds.duration: parse_duration,
    kinds.size: int,
    kinds.rate: int,
    kinds.file_mode: lambda value: int(value, 8),
    kinds.hosts: _pairs,
    kinds.ssh: _agents,
    kinds.ulimit: _limit,
}
"""What the typed model holds instead of the printed text, by kind of value."""


def _named(services: dict[str, Any]) -> None:
    for name, service in services.items():
        service["name"] = name


def _with_content(data: dict[str, Any], model: Model) -> None:
    """Secrets and configs from the environment get their content, which is never printed."""
    for kind in ("secrets", "configs"):
        for resource in data.get(kind, {}).values():
            variable = resource.get("environment")
            content = model.context.environment.get(variable) if variable else None
            if content is not None:
                resource["content"] = content
