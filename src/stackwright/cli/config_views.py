"""What `config` prints: the whole project, or one view of it."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from stackwright.cli.config import ConfigOptions
    from stackwright.cli.flags import GlobalOptions
    from stackwright.model.load import Model


def show(model: Model, options: GlobalOptions, chosen: ConfigOptions) -> int:
    """Print what was asked for; returns the exit code."""
    if chosen.hash:
        return _hashes(model, chosen)
    if chosen.view:
        _VIEWS[chosen.view](model, chosen)
        return 0
    if chosen.resolve_image_digests or chosen.lock_image_digests:
        from stackwright.cli.config_digests import pin_images

        pin_images(model, options)
    from stackwright.model.emit.json_text import NotJsonError

    try:
        text = _project(model, chosen)
    except NotJsonError as error:
        sys.stderr.write(f"this project cannot be printed as JSON: {error}\n")
        sys.stderr.write("  hint: put the number in quotes, or leave --format json out\n")
        return 1
    _write(text, chosen.output)
    return 0


def _write(text: str, output: str) -> None:
    if not output:
        sys.stdout.write(text)
        return
    with open(output, "w", encoding="utf-8") as file:  # noqa: PTH123 - see model/: pathlib is slow to import
        file.write(text)


def _project(model: Model, chosen: ConfigOptions) -> str:
    from stackwright.model.emit.json_text import indented
    from stackwright.model.emit.yaml_form import sorted_form, yaml_project
    from stackwright.model.emit.yaml_text import yaml_text

    if not chosen.interpolate:
        raw = sorted_form(model.raw)
        return indented(raw) + "\n" if chosen.format == "json" else yaml_text(raw)
    if chosen.origins:
        from stackwright.model.emit.origins import origins_json, origins_yaml

        return origins_json(model) if chosen.format == "json" else origins_yaml(model)
    if chosen.lock_image_digests:
        data: dict[str, Any] = {"name": "", "services": _images_only(model)}
        if chosen.format == "json":
            from stackwright.model.emit.json_form import json_project

            text = indented(json_project(data)) + "\n"
        else:
            text = yaml_text({"services": data["services"]})
    elif chosen.format == "json":
        from stackwright.model.emit.json_form import json_project

        text = indented(json_project(model.data)) + "\n"
    else:
        text = yaml_text(yaml_project(model.data))
    # What looks like a variable now is meant literally, so that the output can be read again.
    return text.replace("$", "$$")


def _images_only(model: Model) -> dict[str, Any]:
    services = model.data["services"]
    return {
        name: {key: item[key] for key in ("image",) if key in item} for name, item in sorted(services.items())
    }


def _hashes(model: Model, chosen: ConfigOptions) -> int:
    from stackwright.model.emit.hashes import service_hash

    services = model.data["services"]
    names = sorted(services) if chosen.hash == "*" else sorted(chosen.hash.split(","))
    for name in names:
        if name not in services:
            sys.stderr.write(f"no such service: {name}\n")
            return 1
        sys.stdout.write(f"{name} {service_hash(services[name])}\n")
    return 0


def _lines(lines: Iterable[str]) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))


def _keys(kind: str) -> Callable[[Model, ConfigOptions], None]:
    def view(model: Model, chosen: ConfigOptions) -> None:
        _lines(sorted(model.data.get(kind) or ()))

    return view


def _profiles(model: Model, chosen: ConfigOptions) -> None:
    services = [*model.data["services"].values(), *model.disabled.values()]
    _lines(sorted({profile for service in services for profile in service.get("profiles", ())}))


def _images(model: Model, chosen: ConfigOptions) -> None:
    services = sorted(model.data["services"].items())
    _lines(service.get("image") or f"{model.name}-{name}" for name, service in services)


def _environment(model: Model, chosen: ConfigOptions) -> None:
    _lines(f"{key}={value}" for key, value in sorted(model.context.environment.values.items()))


def _variables(model: Model, chosen: ConfigOptions) -> None:
    from stackwright.model.template import Variable, variables

    found: dict[str, Variable] = {}

    def visit(value: Any) -> None:
        if isinstance(value, str):
            for variable in variables(value):
                found[variable.name] = variable
        elif isinstance(value, dict):
            for item in value.values():
                visit(item)
        elif isinstance(value, list):
            for item in value:
                visit(item)

    visit(model.raw)
    ordered = [found[name] for name in sorted(found)]
    if chosen.format:
        _write(_variables_data(ordered, chosen.format), "")
        return
    rows = [("NAME", "REQUIRED", "DEFAULT VALUE", "ALTERNATE VALUE")]
    rows += [
        (item.name, "true" if item.required else "false", item.default, item.alternate) for item in ordered
    ]
    widths = [max(20, *(len(row[column]) + 3 for row in rows)) for column in range(3)]
    _lines("".join(cell.ljust(width) for cell, width in zip(row, [*widths, 0], strict=True)) for row in rows)


def _variables_data(ordered: list[Any], form: str) -> str:
    from stackwright.model.emit.json_text import indented
    from stackwright.model.emit.yaml_text import yaml_text

    fields = (
        ("Name", "name"),
        ("DefaultValue", "default"),
        ("PresenceValue", "alternate"),
        ("Required", "required"),
    )
    if form == "json":
        return indented({v.name: {key: getattr(v, attr) for key, attr in fields} for v in ordered}) + "\n"
    return yaml_text({v.name: {key.lower(): getattr(v, attr) for key, attr in fields} for v in ordered})


_VIEWS: dict[str, Callable[[Model, ConfigOptions], None]] = {
    "services": _keys("services"),
    "volumes": _keys("volumes"),
    "networks": _keys("networks"),
    "models": _keys("models"),
    "profiles": _profiles,
    "images": _images,
    "variables": _variables,
    "environment": _environment,
}
