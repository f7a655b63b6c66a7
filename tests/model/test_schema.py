"""Our schema is the published one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
from tests.model.support import CASES

from stackwright.model.final import tables
from stackwright.model.final.fields import ByName, Field, Items, Struct
from stackwright.model.schema import common, deploy, resources
from stackwright.model.schema.file import FILE, SERVICE, json_schema
from stackwright.model.schema.shapes import Mapping, Named, OneOf, Shape
from stackwright.model.types import Build, Service

PUBLISHED = json.loads((CASES.parent / "compose-spec.json").read_text())
PROSE = {"description", "title", "default", "deprecated", "$comment", "$id", "$schema"}


def meaning(node: Any, *, names: bool = False) -> Any:
    """A schema without its prose, alternatives in one order, `type: [a, object]` as a choice."""
    if isinstance(node, list):
        return [meaning(item) for item in node]
    if not isinstance(node, dict):
        return node
    made = {
        key: meaning(item, names=key in ("properties", "patternProperties", "$defs"))
        for key, item in node.items()
        if names or key not in PROSE
    }
    if names:
        return made
    if made.get("uniqueItems") is False:
        del made["uniqueItems"]
    if made.get("patternProperties") == {}:
        del made["patternProperties"]
    kinds = made.get("type")
    if isinstance(kinds, list):
        made["type"] = sorted(kinds)
        if "object" in kinds and "null" not in kinds:
            others = sorted(kind for kind in kinds if kind != "object")
            scalar = {"type": others if len(others) > 1 else others[0]}
            return {"oneOf": sorted([scalar, {**made, "type": "object"}], key=str)}
    elif kinds not in (None, "object"):
        made.pop("additionalProperties", None)
        made.pop("patternProperties", None)
    if "oneOf" in made:
        made["oneOf"] = sorted(made["oneOf"], key=str)
    if "required" in made and isinstance(made["required"], list):
        made["required"] = sorted(made["required"])
    return made


def test_says_what_the_published_schema_says() -> None:
    assert meaning(json_schema()) == meaning(PUBLISHED)


def test_is_a_valid_json_schema_that_accepts_the_accepted_cases() -> None:
    import yaml

    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    for name in ("build", "deploy", "ports", "volumes", "networks", "merge-all"):
        folder: Path = CASES / name
        for file in folder.glob("*.y*ml"):
            if "!reset" not in file.read_text():
                document = yaml.safe_load(file.read_text())
                validator.validate(document)


def _properties(shape: Shape) -> set[str]:
    if isinstance(shape, Named):
        return _properties(shape.shape)
    if isinstance(shape, OneOf):
        return set().union(*(_properties(choice) for choice in shape.choices))
    return set(shape.properties) if isinstance(shape, Mapping) else set()


def test_what_the_schema_allows_is_printed() -> None:
    def printed(field: Field) -> set[str]:
        assert isinstance(field, Struct)
        return set(field.fields)

    consumed = {"extends", "pull_refresh_after"}  # the reference reads the second and prints it nowhere
    assert _properties(SERVICE) - consumed == printed(tables.SERVICE)
    assert _properties(deploy.DEPLOYMENT) == printed(tables.DEPLOY)
    assert _properties(common.SERVICE_CONFIG_OR_SECRET.shape.item) == printed(tables.FILE_REFERENCE)  # type: ignore[attr-defined]
    assert _properties(resources.NETWORK) == printed(tables.NETWORK)
    assert _properties(resources.VOLUME) == printed(tables.VOLUME)
    assert _properties(resources.SECRET) <= printed(tables.FILE_OBJECT)
    assert _properties(FILE) - {"version", "include"} == printed(tables.PROJECT)


def test_what_is_printed_is_in_the_typed_model() -> None:
    assert set(Service.__struct_fields__) == {"name", "extensions", *tables.SERVICE.fields}
    assert set(Build.__struct_fields__) == {"extensions", *tables.BUILD.fields}
    assert isinstance(tables.SERVICE.fields["ports"], Items)
    assert isinstance(tables.PROJECT.fields["services"], ByName)
