"""The including file may change what it includes, the same way each time."""

from __future__ import annotations

import json

from tests.cli.conftest import Box

PART = """
    services:
      web:
        image: $IMAGE
        command: $SLEEP
        environment: {FROM: part, KEPT: part}
        labels: {a: part}
      db: {image: $IMAGE, command: $SLEEP, environment: {FROM: part}}
    """
CHANGE = """
    services:
      web:
        environment: {FROM: override}
        labels: {b: override}
    """


def effective(box: Box) -> dict[str, dict[str, object]]:
    first = box.ok("config", "--format", "json")
    for _ in range(3):
        assert box.ok("config", "--format", "json") == first
    return dict(json.loads(first)["services"])


def test_an_override_listed_with_the_include_changes_it(box: Box) -> None:
    box.write(PART, "part.yaml")
    box.write(CHANGE, "change.yaml")
    box.write(
        "include: [{path: [part.yaml, change.yaml]}]\nservices: {own: {image: $IMAGE, command: $SLEEP, depends_on: [web]}}"
    )
    web = effective(box)["web"]
    assert web["environment"] == {"FROM": "override", "KEPT": "part"}
    assert web["labels"] == {"a": "part", "b": "override"}
    box.ok("up", "-d")
    assert box.ok("exec", "-T", "web", "sh", "-c", "echo $FROM $KEPT") == "override part\n"


def test_the_override_file_beside_the_including_one_changes_it(box: Box) -> None:
    box.write(PART, "part.yaml")
    box.write("include: [part.yaml]")
    box.write(CHANGE, "compose.override.yaml")
    assert effective(box)["web"]["environment"] == {"FROM": "override", "KEPT": "part"}
    assert effective(box)["db"]["environment"] == {"FROM": "part"}


def test_files_given_with_f_change_what_the_first_includes(box: Box) -> None:
    box.write(PART, "part.yaml")
    box.write("include: [part.yaml]", "base.yaml")
    box.write(CHANGE, "more.yaml")
    flags = ("-f", "base.yaml", "-f", "more.yaml")
    shown = [json.loads(box.ok(*flags, "config", "--format", "json")) for _ in range(3)]
    assert shown[0]["services"]["web"]["environment"] == {"FROM": "override", "KEPT": "part"}
    assert shown[0] == shown[1] == shown[2]
    box.ok(*flags, "up", "-d")
    assert box.ok(*flags, "exec", "-T", "web", "sh", "-c", "echo $FROM") == "override\n"


def test_the_including_file_itself_changes_what_it_includes(box: Box) -> None:
    box.write(PART, "part.yaml")
    box.write(
        """
        include: [part.yaml]
        services:
          web: {environment: {FROM: here}, labels: [c=here], depends_on: [db], ports: ["127.0.0.1:18961:80"]}
        """
    )
    found = effective(box)
    assert found["web"]["environment"] == {"FROM": "here", "KEPT": "part"}
    assert found["web"]["labels"] == {"a": "part", "c": "here"}
    assert list(found["web"]["depends_on"]) == ["db"]  # type: ignore[call-overload]
    assert found["db"]["environment"] == {"FROM": "part"}
    box.ok("up", "-d")
    assert box.ok("exec", "-T", "web", "sh", "-c", "echo $FROM $KEPT") == "here part\n"
    assert box.ok("port", "web", "80") == "127.0.0.1:18961\n"


def test_two_included_files_that_disagree_are_an_error_with_both_places(box: Box) -> None:
    box.write(PART, "part.yaml")
    box.write("services: {web: {image: other}}", "other.yaml")
    box.write("include: [part.yaml, other.yaml]")
    text = box.fails("config", "-q")
    assert "part.yaml:3:3: services.web is defined differently by another included file" in text
    assert "other.yaml:1:" in text


def test_what_two_files_include_is_one_thing_each_time(box: Box) -> None:
    box.write("include: [one.yaml, two.yaml]")
    for name in ("one.yaml", "two.yaml"):
        box.write("include: [shared.yaml]", name)
    box.write(
        """
        services:
          dep: {image: $IMAGE}
          dep2: {image: $IMAGE}
          base: {image: $IMAGE, depends_on: [dep]}
          base2: {extends: {service: base}, depends_on: !override [dep2]}
          shared: {extends: {service: base2}, depends_on: !override [dep]}
        """,
        "shared.yaml",
    )
    found = effective(box)
    assert list(found["base2"]["depends_on"]) == ["dep2"]  # type: ignore[call-overload]
    assert list(found["shared"]["depends_on"]) == ["dep"]  # type: ignore[call-overload]
