"""Whatever a file holds: a project or problems. And what is printed reads back as the same."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.model.support import CASES, HOME

from stackwright.model.emit.json_form import json_project
from stackwright.model.emit.yaml_form import yaml_project
from stackwright.model.emit.yaml_text import yaml_text
from stackwright.model.final.durations import format_duration, parse_duration
from stackwright.model.load import Model, ModelErrors, Request, read_model
from stackwright.model.read.scalars import plain
from stackwright.model.template import TemplateError, substitute

FUZZER = Path(__file__).parent / "fuzz" / "read_anything.py"
spec = importlib.util.spec_from_file_location("read_anything", FUZZER)
assert spec is not None
assert spec.loader is not None
read_anything: Any = importlib.util.module_from_spec(spec)
spec.loader.exec_module(read_anything)

FOLDER = "/nowhere/project"
KEYS = st.sampled_from(
    [
        "image",
        "build",
        "ports",
        "volumes",
        "environment",
        "networks",
        "depends_on",
        "deploy",
        "x-a",
        "command",
    ]
)
WORDS = st.sampled_from(
    [
        "",
        "a",
        "80",
        "80:80",
        "./a:/b",
        "A=1",
        "${A}",
        "${A:-b}",
        "$",
        "1s",
        "64m",
        "true",
        "*",
        "&a",
        "!reset",
    ]
)
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), WORDS, st.text(max_size=8))
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.one_of(KEYS, WORDS), inner, max_size=3)
    ),
    max_leaves=8,
)
SERVICES = st.dictionaries(
    st.sampled_from(["a", "b", "c"]), st.dictionaries(KEYS, VALUES, max_size=4), max_size=3
)
quick = settings(max_examples=150, deadline=2000, suppress_health_check=[HealthCheck.too_slow])


def load(text: str) -> Model | None:
    path = f"{FOLDER}/compose.yaml"
    request = Request(
        [path],
        environment=HOME,
        working_directory=FOLDER,
        project_name="p",
        unsaved={path: text.encode("utf-8", "surrogatepass")},
    )
    try:
        return read_model(request)
    except ModelErrors as errors:
        assert errors.problems
        return None


@quick
@given(st.binary(max_size=300))
def test_any_bytes_end_well(data: bytes) -> None:
    read_anything.read(data)


@quick
@given(st.sampled_from(sorted(CASES.glob("*/compose.yaml"))), st.data())
def test_any_damage_to_a_file_ends_well(file: Path, data: st.DataObject) -> None:
    text = file.read_bytes()
    start = data.draw(st.integers(0, max(0, len(text) - 1)))
    end = data.draw(st.integers(start, min(len(text), start + 20)))
    read_anything.read(text[:start] + data.draw(st.binary(max_size=10)) + text[end:])


@quick
@given(SERVICES)
def test_any_services_end_well(services: dict[str, Any]) -> None:
    load(yaml.safe_dump({"services": services}, allow_unicode=True))


@quick
@given(
    st.dictionaries(
        st.text(min_size=1, max_size=12).filter(lambda key: "$" not in key), st.text(max_size=40), max_size=5
    )
)
# The reference doubles "$" in keys too, although keys are never interpolated; so do we.
def test_what_config_prints_reads_back_as_the_same(labels: dict[str, str]) -> None:
    document = {
        "services": {
            "a": {"image": "x", "labels": {key: text.replace("$", "$$") for key, text in labels.items()}}
        }
    }
    first = load(yaml.safe_dump(document, allow_unicode=True))
    if first is None:
        return
    printed = yaml_text(yaml_project(first.data)).replace("$", "$$")
    assert printed.startswith("name: p\n")
    again = load(printed)
    assert again is not None
    assert json_project(again.data) == json_project(first.data)


@quick
@given(st.text(max_size=30).filter(lambda text: text != "="))  # PyYAML alone knows a tag for "="
def test_yaml_text_is_the_text_again(text: str) -> None:
    value = yaml.safe_load(yaml_text({"key": text}))["key"]
    assert value == text or "\ud800" <= max(text) <= "\udfff"


@quick
@given(st.integers(0, (1 << 62)))
def test_durations_read_back(nanoseconds: int) -> None:
    text = format_duration(nanoseconds)
    assert abs(parse_duration(text) - nanoseconds) <= max(1, nanoseconds >> 50)
    assert format_duration(parse_duration(text)) == text or nanoseconds > 1 << 52


@quick
@given(st.text(alphabet="${}AB:-?+_ x\n", max_size=20))
def test_templates_end_in_text_or_an_error(text: str) -> None:
    try:
        assert isinstance(substitute(text, {"A": "1"}.get), str)
    except TemplateError as error:
        assert str(error)


@quick
@given(st.text(max_size=12))
def test_plain_scalars_have_a_meaning(text: str) -> None:
    plain(text)
