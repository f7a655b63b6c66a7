"""Global flags, flags as scripts write them, and verbs that answer without an engine's help."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.conftest import Box
from tests.support.registry import running_registry

from stackwright.cli.group import LazyGroup, group


@pytest.fixture
def one(embedded: str, tmp_path: Path) -> Iterator[Box]:
    """The command on the embedded engine."""
    made = Box(tmp_path, embedded, "embedded")
    yield made
    made.run("down", "-v", "--remove-orphans", "-t", "0")


@pytest.mark.root
def test_compatible_names_have_underscores_and_are_found_again(one: Box) -> None:
    one.write("services: {web: {image: $IMAGE, command: $SLEEP}}")
    one.ok("--compatibility", "up", "-d")
    assert [value["Name"] for value in one.ps().values()] == [f"{one.project}_web_1"]
    one.ok("up", "-d")
    assert len(one.ps()) == 1
    one.ok("--compatibility", "down")
    assert one.ps() == {}


@pytest.mark.root
def test_one_thing_at_a_time_still_brings_everything_up(one: Box) -> None:
    one.write(
        """
        services:
          a: {image: $IMAGE, command: $SLEEP, healthcheck: {test: [CMD, "true"], interval: 1s}}
          b: {image: $IMAGE, command: $SLEEP, depends_on: {a: {condition: service_healthy}}, scale: 2}
          c: {image: $IMAGE, command: $SLEEP, depends_on: [b]}
        """
    )
    one.ok("--parallel", "1", "up", "-d", "--wait")
    assert {value["State"] for value in one.ps().values()} == {"running"}
    assert 'invalid --parallel "many"' in one.fails("--parallel", "many", "ps")
    one.ok("--parallel", "1", "down", "-t", "0")


@pytest.mark.root
def test_switches_take_go_s_booleans_but_a_command_keeps_its_own(one: Box) -> None:
    one.write("services: {web: {image: $IMAGE, command: $SLEEP}}")
    one.ok("up", "--detach=true", "--build=false")
    said = one.ok("exec", "--no-tty=true", "-e", "A=1", "web", "echo", "--detach=true", "--tty=false")
    assert said == "--detach=true --tty=false\n"
    assert one.ok("ps", "--quiet=false").startswith("NAME")
    assert one.ok("ps", "--orphans=false", "-q=true").strip()


def test_every_verb_is_adapted_once() -> None:
    assert isinstance(group, LazyGroup)
    import click

    for _ in range(2):
        command = group.get_command(click.Context(group), "stop")
    assert command is not None
    assert [one.name for one in command.params].count("dry_run") == 1


def test_publish_refuses_and_says_what_to_do_instead(tmp_path: Path) -> None:
    box = Box(tmp_path, "unix:///nowhere/engine.sock", "none")
    box.write("services: {web: {image: $IMAGE}}")
    text = box.fails("publish", "example.org/app:1")
    assert "nothing was sent to example.org/app:1" in text
    assert "stackwright config --resolve-image-digests -o release.yaml" in text


def test_what_would_be_built_is_printed_as_a_bake_file(tmp_path: Path) -> None:
    box = Box(tmp_path, "unix:///nowhere/engine.sock", "none")
    box.write(
        """
        services:
          web: {build: {context: ., target: run, args: {A: "1"}, tags: ["web:2"]}}
          db: {image: $IMAGE}
        """
    )
    value = json.loads(box.ok("build", "--print"))
    assert value["group"] == {"default": {"targets": ["web"]}}
    assert value["target"]["web"] == {
        "context": str(tmp_path),
        "dockerfile": "Dockerfile",
        "args": {"A": "1"},
        "tags": [f"{box.project}-web", "web:2"],
        "target": "run",
        "output": ["type=docker"],
    }


def test_builds_are_checked_without_building(tmp_path: Path) -> None:
    box = Box(tmp_path, "unix:///nowhere/engine.sock", "none")
    box.write("services: {web: {build: .}}")
    (tmp_path / "Dockerfile").write_text("FROM busybox:1.36\nCOPYY a b\n")
    found = box.run("build", "--check")
    assert found.returncode == 1
    assert "Dockerfile:2" in found.stdout
    (tmp_path / "Dockerfile").write_text("FROM busybox:1.36\nUSER 1000\n")
    assert box.ok("build", "--check") == "Check complete, no warnings found.\n"


@pytest.mark.root
def test_push_sends_what_services_build_and_names_what_cannot_be_sent(one: Box) -> None:
    with running_registry(one.folder / "registry") as address:
        one.write(
            f"""
            services:
              web: {{build: {{context: ., tags: ["{address}/team/web:extra"]}}, image: "{address}/team/web:1"}}
              db: {{image: $IMAGE}}
            """
        )
        (one.folder / "Dockerfile").write_text("FROM stackwright-test/busybox:1\nCMD echo pushed\n")
        one.ok("build", "--push")
        result = one.run("push")
        assert result.returncode == 0, result.stderr
        assert "db  Skipped (it builds no image)" in result.stderr
        with urllib.request.urlopen(f"http://{address}/v2/team/web/tags/list") as answer:
            assert sorted(json.load(answer)["tags"]) == ["1", "extra"]
        one.write("services: {web: {build: .}}")
        assert 'service "web" has no "image": nothing says where to push' in one.fails("push")
        one.write(f"services: {{web: {{build: ., image: '{address}/team/never:1'}}}}")
        assert "build it first" in one.fails("push")
        one.ok("push", "--ignore-push-failures")
