"""Stage: ``env_file`` into ``environment``, ``label_file`` into ``labels`` (Compose Specification)."""

from __future__ import annotations

import os.path

from stackwright.model.dotenv import Variables
from stackwright.model.env_files import read_raw, read_variables
from stackwright.model.marks import NOWHERE, Map, Seq, with_step

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from stackwright.model.marks import Mark
    from stackwright.model.stages import Context


def resolve_env_files(services: Map, context: Context) -> None:
    """Lay each service's ``environment`` over what its env files give, and drop ``env_file``; in place."""
    for name, service in services.items():
        _inherit(service.get("environment") or {}, context)
        files = service.get("env_file")
        if not files:
            continue
        environment: Map = service.get("environment") or Map(NOWHERE)

        def lookup(variable: str, own: Map = environment) -> str | None:
            value = context.environment.get(variable)
            return own.get(variable) if value is None else value

        found = Variables()
        found.values = {key: value for key, value in environment.items() if value is not None}
        for index, file in enumerate(files):
            mark = files.mark_at(index)
            path, required, form = _described(file)
            if not os.path.exists(path):
                if required:
                    message = f'env file {path} of service "{name}" does not exist'
                    hint = "create it, or make it optional: {path: …, required: false}"
                    context.report.error("env-file", message, mark, hint=hint)
                continue
            if form == "raw":
                read_raw(path, found, context, mark)
            elif form:
                message = f'service "{name}": env_file format "{form}" is not "raw"'
                context.report.error("env-file-format", message, mark, near=form, among=("raw",))
            else:
                read_variables(path, lookup, found, context, mark)
        _replace(service, "environment", _over(environment, found, "env_file"))
        service.drop("env_file")


def _inherit(environment: dict[str, str | None], context: Context) -> None:
    """Variables without a value get the environment's (already done where the model was normalised)."""
    for key, value in environment.items():
        if value is None:
            environment[key] = context.environment.get(key)


def _described(file: dict[str, Any]) -> tuple[str, bool, str]:
    return str(file.get("path", "")), bool(file.get("required", True)), str(file.get("format", ""))


def _over(own: Map, found: Variables, what: str) -> Map:
    """What a service says itself over what its files say, sorted."""
    made = Map(own.mark)
    for key in sorted(found.values.keys() | own.keys()):
        if key in own:
            made.place(key, own[key], own.marks.get(key, (NOWHERE, NOWHERE)))
        else:
            mark: Mark = with_step(found.places.get(key, NOWHERE), what)
            made.put(key, found.values[key], mark)
    return made


def resolve_label_files(services: Map, context: Context) -> None:
    """The same for labels."""
    for name, service in services.items():
        files = service.get("label_file")
        if not files:
            continue
        labels: Map = service.get("labels") or Map(NOWHERE)
        found = Variables()
        for index, path in enumerate(files):
            mark = files.mark_at(index) if type(files) is Seq else service.mark_at("label_file")
            if not os.path.exists(path):
                message = f'label file {path} of service "{name}" does not exist'
                context.report.error("label-file", message, mark)
                continue
            read_variables(path, found.values.get, found, context, mark)
        _replace(service, "labels", _over(labels, found, "label_file"))
        service.drop("label_file")


def _replace(service: Map, key: str, value: Map) -> None:
    """Set a key, at its place in the order of keys when it was not there."""
    if key in service or not value:
        if value:
            service[key] = value
        return
    from stackwright.model.final.tables import SERVICE

    service.put(key, value, value.mark)
    order = {name: index for index, name in enumerate(SERVICE.fields)}
    items = sorted(service.items(), key=lambda item: order.get(item[0], len(order)))
    service.clear()
    service.update(items)
