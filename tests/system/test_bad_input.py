"""Bad input: one clear message with the place, a non-zero exit code, nothing half-known."""

from __future__ import annotations

import json
import socket

import pytest
from tests.system.conftest import Project

pytestmark = pytest.mark.root


def _refused(project: Project, *arguments: str) -> str:
    result = project.command.run(*arguments, cwd=project.folder, timeout=60)
    said = result.stdout + result.stderr
    assert result.returncode not in (0, None), said
    assert "Traceback" not in said
    return said


def _containers(project: Project) -> dict[str, str]:
    rows = project.ok("ps", "-a", "--format", "json").splitlines()
    return {row["Service"]: row["State"] for row in map(json.loads, rows)}


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        (
            "services:\n  a:\n    image: tiny:1\n    networks: [frnt]\nnetworks:\n  front:\n",
            "compose.yaml:4:",
            ["frnt", "front"],
        ),
        (
            "services:\n  a:\n    image: tiny:1\n    volumes: ['dta:/x']\nvolumes:\n  data:\n",
            "compose.yaml:4:",
            ["dta", "data"],
        ),
        ("services:\n  a:\n    image: tiny:1\n    secrets: [key]\n", "compose.yaml:4:", ["key"]),
        ("services:\n  a:\n    image: tiny:1\n    depends_on: [redis]\n", "compose.yaml:4:", ["redis"]),
        (
            "services:\n  a:\n    image: tiny:1\n    depends_on: [b]\n  b:\n    image: tiny:1\n    depends_on: [a]\n",
            "compose.yaml:",
            ["cycle", "a", "b"],
        ),
        ("services:\n  a: {image: tiny:1\n  b: [\n", "compose.yaml:", []),
    ],
    ids=["network", "volume", "secret", "dependency", "cycle", "not-yaml"],
)
def test_a_mistake_in_the_file_is_named_with_its_place(
    project: Project, text: str, place: str, words: list[str]
) -> None:
    project.write(text)
    said = _refused(project, "up", "-d")
    assert place in said
    for word in words:
        assert word in said
    project.write("services:\n  a:\n    image: tiny:1\n")
    assert _containers(project) == {}


def test_a_port_taken_by_something_else_is_named_with_its_holder(project: Project) -> None:
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", project.port))
        holder.listen()
        said = _refused(project, "up", "-d")
    assert str(project.port) in said
    assert "already" in said
    assert "compose.yaml:" in said
    project.ok("down", "-v")


def test_an_image_that_does_not_exist_is_named_with_its_place(project: Project) -> None:
    project.write("services:\n  a:\n    image: no-such-image-anywhere:9\n")
    said = _refused(project, "up", "-d")
    assert "no-such-image-anywhere:9" in said
    assert "compose.yaml:3:" in said
    assert _containers(project) == {}


def test_a_failing_build_says_which_step_failed_and_what_it_printed(project: Project) -> None:
    project.write("FROM tiny:1\nRUN echo about to break; false\n", "Dockerfile")
    project.write("services:\n  a:\n    build: .\n")
    said = _refused(project, "up", "-d")
    assert "about to break" in said
    assert "Dockerfile:2" in said
    assert _containers(project) == {}


def test_a_check_that_never_passes_is_explained_with_the_last_probe_and_the_last_log_lines(
    project: Project,
) -> None:
    project.write(
        "services:\n"
        "  a:\n"
        "    image: tiny:1\n"
        "    init: true\n"
        "    command: [sh, -c, 'echo the log line; exec sleep 600']\n"
        "    healthcheck:\n"
        "      test: [CMD-SHELL, 'echo the probe output; exit 3']\n"
        "      interval: 500ms\n"
        "      retries: 2\n"
        "  b:\n"
        "    image: tiny:1\n"
        "    command: [sleep, '600']\n"
        "    depends_on: {a: {condition: service_healthy}}\n"
    )
    said = _refused(project, "up", "-d")
    assert "the probe output" in said
    assert "the log line" in said
    assert "compose.yaml:" in said
    assert _containers(project).get("a") == "running"
    assert _containers(project).get("b") in (None, "created")
    project.ok("down", "-v", "-t", "1")


def test_a_file_that_is_missing_or_not_text_is_named(project: Project) -> None:
    (project.folder / "compose.yaml").write_bytes(b"\xff\xfe\x00services")
    assert "compose.yaml" in _refused(project, "up", "-d")
    (project.folder / "compose.yaml").unlink()
    said = _refused(project, "up", "-d")
    assert "no Compose file in" in said
