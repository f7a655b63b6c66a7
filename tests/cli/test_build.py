"""`build` and what `up` builds by itself."""

from __future__ import annotations

import pytest
from tests.cli.conftest import Box

pytestmark = pytest.mark.slow


def test_up_builds_what_is_missing_and_build_rebuilds(box: Box) -> None:
    box.write(
        """
        services:
          web:
            build: {context: app, args: {WORD: hello}}
            command: [cat, /made, /copied]
        """
    )
    app = box.folder / "app"
    app.mkdir()
    (app / "Dockerfile").write_text(
        "FROM stackwright-test/busybox:1\nARG WORD\nCOPY *.txt /copied\nRUN echo $WORD > /made\n"
    )
    (app / ".dockerignore").write_text("secret*\n")
    (app / "secret.txt").write_text("no\n")
    (app / "file.txt").write_text("yes\n")
    assert "web-1  | hello\nweb-1  | yes\n" in box.ok("up")
    (app / "file.txt").write_text("changed\n")
    assert "yes" in box.ok("up")
    assert "changed" in box.ok("up", "--build")
    box.ok("build", "--build-arg", "WORD=bye", "-q")
    assert "bye" in box.ok("up")


def test_inline_dockerfiles_and_dockerfiles_outside_the_context(box: Box) -> None:
    box.write(
        """
        services:
          a:
            build: {context: ., dockerfile_inline: "FROM stackwright-test/busybox:1\\nRUN echo inline > /f"}
            command: [cat, /f]
          b: {build: {context: empty, dockerfile: ../other/Dockerfile}, command: [cat, /g]}
        """
    )
    for name in ("empty", "other"):
        (box.folder / name).mkdir()
    (box.folder / "other/Dockerfile").write_text("FROM stackwright-test/busybox:1\nRUN echo other > /g\n")
    out = box.ok("up")
    assert "| inline" in out
    assert "| other" in out


def test_a_mistake_in_the_dockerfile_is_named_before_anything_is_sent(box: Box) -> None:
    box.write("services: {web: {build: .}}")
    (box.folder / "Dockerfile").write_text("FORM busybox\n")
    assert "unknown instruction: FORM" in box.fails("build")
