"""A whole Compose file."""

from __future__ import annotations

from stackwright.model.schema.resources import CONFIG, INCLUDE, MODEL, NETWORK, SECRET, VOLUME
from stackwright.model.schema.scalars import TEXT
from stackwright.model.schema.service import SERVICE
from stackwright.model.schema.shapes import ListOf, Mapping, Named

SERVICES = Mapping(keys=("^[a-zA-Z0-9._-]+$", SERVICE), extensions=False)

FILE = Mapping(
    {
        "version": TEXT,
        "name": TEXT,
        "include": ListOf(INCLUDE),
        "services": SERVICES,
        "models": Mapping(keys=("^[a-zA-Z0-9._-]+$", MODEL), closed=False, extensions=False),
        "networks": Mapping(keys=("^[a-zA-Z0-9._-]+$", NETWORK), closed=False, extensions=False),
        "volumes": Mapping(keys=("^[a-zA-Z0-9._-]+$", VOLUME), extensions=False),
        "secrets": Mapping(keys=("^[a-zA-Z0-9._-]+$", SECRET), extensions=False),
        "configs": Mapping(keys=("^[a-zA-Z0-9._-]+$", CONFIG), extensions=False),
    }
)


def json_schema() -> dict[str, object]:
    """The JSON Schema of a Compose file, for editors and for ``stackwright schema``."""
    from stackwright.model.schema import common, deploy, resources, service

    made: dict[str, object] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "compose_spec.json",
        "title": "Compose Specification",
    }
    made.update(FILE.json())
    made["$defs"] = {
        shape.name: shape.shape.json()
        for module in (service, common, deploy, resources)
        for shape in vars(module).values()
        if isinstance(shape, Named)
    }
    return made
