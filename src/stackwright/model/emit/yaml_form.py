"""The YAML form of a project: elements in the order of the tables, everything else in natural order."""

from __future__ import annotations

from stackwright.model.emit.yaml_text import natural_order
from stackwright.model.final import kinds
from stackwright.model.final.fields import ByName, Items, Struct, Value
from stackwright.model.final.tables import PROJECT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from stackwright.model.final.fields import Field


def yaml_project(data: dict[str, Any]) -> dict[str, Any]:
    """The whole project; ``services`` is there even when empty."""
    made: dict[str, Any] = _form(data, PROJECT)
    if "services" not in made:
        made = {"name": made.pop("name", ""), "services": {}, **made}
    return made


def sorted_form(value: Any) -> Any:
    """Plain data with all keys in natural order (a model that has not taken its last form)."""
    if isinstance(value, dict):
        return {key: sorted_form(value[key]) for key in natural_order(value)}
    if isinstance(value, list):
        return [sorted_form(item) for item in value]
    return value


def _form(value: Any, field: Field) -> Any:
    if isinstance(field, Struct) and isinstance(value, dict):
        made = {}
        for key, below in field.fields.items():
            if key in value and not (value[key] in ({}, []) and not below.keep):
                made[key] = _form(value[key], below)
        for key in natural_order(key for key in value if key.startswith("x-")):
            made[key] = sorted_form(value[key])
        return made
    if isinstance(field, ByName) and isinstance(value, dict):
        return {key: _form(value[key], field.item) for key in natural_order(value)}
    if isinstance(field, Items) and isinstance(value, list):
        return [_form(item, field.item) for item in value]
    if isinstance(field, Value) and field.kind is kinds.env_file:
        return value["path"] if value.get("required") else value
    if isinstance(field, Value) and field.kind is kinds.ulimit:
        return value or {"soft": 0, "hard": 0}
    return sorted_form(value)
