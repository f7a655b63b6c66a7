"""`build` and what `up` builds by itself."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import pytest
from tests.cli.conftest import Box
from tests.support.ssh import agent_with_key, make_key, program_files, public_key

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


def test_build_secrets_reach_the_step_and_nothing_else(box: Box) -> None:
    box.write(
        """
        services:
          web:
            build: {context: ., secrets: [token, {source: bundle, target: ca}]}
            command: [cat, /made]
        secrets:
          token: {environment: BUILD_TOKEN}
          bundle: {file: ./bundle.pem}
        """
    )
    (box.folder / "bundle.pem").write_text(
        "certificate\n" * 20_000
    )  # as long as a real bundle of authorities
    (box.folder / "Dockerfile").write_text(
        "FROM stackwright-test/busybox:1\n"
        "RUN --mount=type=secret,id=token,required=true --mount=type=secret,id=ca,required=true "
        "wc -c < /run/secrets/ca > /made && wc -c < /run/secrets/token >> /made\n"
    )
    os.environ["BUILD_TOKEN"] = "seven-7"
    try:
        if box.engine != "embedded":
            assert "build.secrets is not passed on to the engine's builder" in box.fails("build")
            return
        assert "| 240000" in (shown := box.ok("up", "--no-color")) and "| 7" in shown
        (box.folder / "bundle.pem").write_text("x" * 600_000)
        assert "the build's secrets have 600007 bytes" in box.fails("build")
        (box.folder / "bundle.pem").unlink()
        assert "build secret bundle" in box.fails("build")
    finally:
        del os.environ["BUILD_TOKEN"]


def test_ssh_agents_and_keys_are_lent_to_steps(box: Box) -> None:
    if box.engine != "embedded":
        pytest.skip("this engine's builder has no place for agents")
    box.write(
        """
        services:
          web:
            build: {context: ., ssh: ["default", "deploy=./key"]}
            command: [cat, /keys]
        """
    )
    (box.folder / "other").mkdir()
    make_key(box.folder)
    for name, content in program_files("ssh-add").items():
        (box.folder / f"ssh{name}").parent.mkdir(parents=True, exist_ok=True)
        (box.folder / f"ssh{name}").write_bytes(content)
    (box.folder / "Dockerfile").write_text(
        "FROM stackwright-test/busybox:1\nCOPY --chmod=755 ssh /\nUSER user\n"
        "RUN --mount=type=ssh,required=true,uid=1000 --mount=type=ssh,id=deploy,required=true,uid=1000,target=/tmp/d "
        "ssh-add -L > /tmp/keys && SSH_AUTH_SOCK=/tmp/d ssh-add -L >> /tmp/keys\n"
        "USER root\nRUN mv /tmp/keys /keys\n"
    )
    before = agents()
    with agent_with_key(box.folder / "other") as sock:
        os.environ["SSH_AUTH_SOCK"] = str(sock)
        try:
            out = box.ok("up", "--no-color")
        finally:
            del os.environ["SSH_AUTH_SOCK"]
    assert public_key(box.folder) in out and public_key(box.folder / "other") in out
    assert "build.ssh default: no SSH agent runs here" in box.fails("build")
    (box.folder / "compose.yaml").write_text(
        (box.folder / "compose.yaml").read_text().replace('"default", ', "")
    )
    make_key(box.folder, passphrase="locked")
    assert (
        "build.ssh deploy" in (said := box.fails("build", "--no-cache")) and "cannot be used as a key" in said
    )
    assert agents() <= before


def agents() -> set[str]:
    """The ssh-agents of this machine whose socket is one that the command made."""
    found = set()
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if b"ssh-agent" in (line := file.read_bytes()) and b"sw-ssh-" in line:
                found.add(str(file))
    return found


def test_named_contexts_are_folders_images_and_services(box: Box) -> None:
    box.write(
        """
        services:
          app:
            build:
              context: app
              additional_contexts: {files: ./files, base: service:lib, tools: docker-image://stackwright-test/busybox:1}
              ulimits: {nofile: 1234}
              dockerfile_inline: |
                FROM base
                COPY --from=files . /files
                RUN --mount=from=tools,source=/bin,target=/tools ls /tools/busybox > /tool && ulimit -n > /limit
            command: [cat, /lib, /files/kept, /tool, /limit]
          lib:
            build: {context: app, dockerfile_inline: "FROM stackwright-test/busybox:1\\nRUN echo of-lib > /lib"}
            command: ["true"]
        """
    )
    for folder in ("app", "files"):
        (box.folder / folder).mkdir()
    for name, text in {"kept": "kept\n", "left": "left\n", ".dockerignore": "left\n"}.items():
        (box.folder / "files" / name).write_text(text)
    if box.engine != "embedded":
        assert "build.additional_contexts is not passed on to the engine's builder" in box.fails(
            "build", "app"
        )
        return
    said = box.ok("up", "--no-color", "app")
    assert [line for line in ("of-lib", "kept", "/tools/busybox", "1234") if f"| {line}" not in said] == []
    (box.folder / "files" / "kept").write_text("changed\n")
    assert "| changed" in box.ok("up", "--build", "--no-color", "app")
    (box.folder / "files" / "left").unlink()
    for file in (box.folder / "files").iterdir():
        file.unlink()
    (box.folder / "files").rmdir()
    assert "build context files: " in box.fails("build", "app")


def test_services_whose_contexts_go_in_a_circle_are_named(box: Box) -> None:
    if box.engine != "embedded":
        pytest.skip("only the embedded engine takes named contexts")
    build = "build: {{context: ., additional_contexts: {{x: 'service:{}'}}, dockerfile_inline: FROM x}}"
    box.write(f"services: {{a: {{{build.format('b')}}}, b: {{{build.format('a')}}}}}")
    assert "which needs its own" in box.fails("build")


def test_a_project_s_name_that_no_image_can_have_is_named(box: Box) -> None:
    box.write('services: {web: {build: {dockerfile_inline: "FROM $IMAGE"}}}')
    said = box.fails("-p", "ends_", "build")
    assert "compose.yaml:1" in said
    assert "ends_-web, which cannot be one" in said


def test_a_tag_that_no_image_can_have_is_not_the_project_s_fault(box: Box) -> None:
    box.write('services: {web: {build: {dockerfile_inline: "FROM $IMAGE", tags: [ends_-tag]}}}')
    assert "which cannot be one" not in box.fails("build")
