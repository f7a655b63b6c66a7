"""`config --origins`: each value with the place it came from and the way it took."""

from __future__ import annotations

from stackwright.model.emit.json_text import indented
from stackwright.model.emit.yaml_form import yaml_project
from stackwright.model.emit.yaml_text import yaml_text
from stackwright.model.marks import NOWHERE, Map, Origin, Seq, place_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from stackwright.model.load import Model
    from stackwright.model.marks import Mark


def origins_yaml(model: Model) -> str:
    """The project as YAML, with a comment behind each value. Paths are shortened to the project's folder."""
    return yaml_text(yaml_project(model.data), lambda path: _comment(model, path))


def origins_json(model: Model) -> str:
    """A list of values: path, value, file, line, column, and the chain of detours."""
    rows: list[dict[str, Any]] = []
    sources = model.context.report.sources

    def visit(value: Any, path: tuple[object, ...]) -> None:
        if isinstance(value, dict) and value:
            for key, item in value.items():
                visit(item, (*path, key))
        elif isinstance(value, list) and value:
            for index, item in enumerate(value):
                visit(item, (*path, index))
        else:
            mark = _mark(model.data, path)
            number, line, column = place_of(mark)
            row = {"path": _dotted(path), "value": value, "file": sources.names[number]}
            rows.append({**row, "line": line, "column": column, "chain": list(sources.chain(mark))})

    visit(yaml_project(model.data), ())
    return indented(rows) + "\n"


def _comment(model: Model, path: tuple[object, ...]) -> str:
    sources = model.context.report.sources
    mark = _mark(model.data, path)
    folder = model.context.working_dir.rstrip("/") + "/"
    number, _, _ = place_of(mark)
    steps = [sources.describe(mark)] if number else []
    steps += sources.chain(mark)
    if not steps:
        return "by Compose itself" if path != ("name",) else "by a flag, the shell or the folder's name"
    return " ← ".join(step.replace(folder, "") for step in steps)


def _mark(value: Any, path: tuple[object, ...]) -> Mark:
    """The mark of the value at a path, or the nearest one above that is known."""
    mark: Mark = NOWHERE
    for key in path:
        if type(value) is Map and isinstance(key, str):
            mark = value.mark_at(key)
            value = value.get(key)
        elif type(value) is Seq and isinstance(key, int):
            mark = value.mark_at(key)
            value = value[key] if key < len(value) else None
        else:
            break
    return mark if type(mark) is Origin or mark != NOWHERE else NOWHERE


def _dotted(path: tuple[object, ...]) -> str:
    text = ""
    for key in path:
        text += f"[{key}]" if isinstance(key, int) else f".{key}"
    return text.lstrip(".")
