"""`docker compose` 2.40.3 with a small project: every command that people use, against the engine's socket."""

from __future__ import annotations

import tarfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.clients.docker_compose import DockerCompose
from tests.embedded.engine_process import EngineProcess
from tests.peers import IMAGE

pytestmark = [pytest.mark.root, pytest.mark.network]

COMPOSE = """
name: small
services:
  db:
    init: true
    image: $IMAGE
    command: sh -c 'echo db is up; date +%s%N > /data/started; exec nc -ll -p 7000 -e cat'
    stop_grace_period: 1s
    volumes: [data:/data]
    healthcheck: {test: [CMD, test, -e, /data/started], interval: 1s}
  web:
    init: true
    build: {context: web, args: {GREETING: hello}}
    depends_on: {db: {condition: service_healthy}}
    stop_grace_period: 1s
    ports: ["127.0.0.1::8080"]
    environment: {COLOUR: blue}
    configs: [{source: note, target: /srv/note.txt}]
    secrets: [password]
configs:
  note: {content: "a note"}
secrets:
  password: {file: ./password}
volumes: {data: {}}
"""
DOCKERFILE = """
FROM $IMAGE
ARG GREETING
RUN echo "$GREETING" > /srv/index.html
HEALTHCHECK --interval=1s CMD wget -qO- http://127.0.0.1:8080/
CMD ["httpd", "-f", "-v", "-p", "8080", "-h", "/srv"]
"""


@pytest.fixture
def project(compose: DockerCompose) -> Iterator[DockerCompose]:
    """The project, up and healthy."""
    (compose.folder / "web").mkdir()
    (compose.folder / "compose.yaml").write_text(COMPOSE.replace("$IMAGE", IMAGE))
    (compose.folder / "web" / "Dockerfile").write_text(DOCKERFILE.replace("$IMAGE", IMAGE))
    (compose.folder / "password").write_text("open sesame")
    try:
        compose.ok("up", "--build", "-d", "--wait")
        yield compose
    finally:
        compose.ok("down", "-v", "--rmi", "local", "--remove-orphans", "-t", "1")


def page(project: DockerCompose, path: str = "index.html") -> str:
    where = project.ok("port", "web", "8080").strip()
    with urllib.request.urlopen(f"http://{where}/{path}", timeout=10) as answer:
        return str(answer.read().decode())


def test_up_builds_and_waits_and_the_lists_show_it(project: DockerCompose) -> None:
    assert {name: (row["State"], row["Health"]) for name, row in project.ps().items()} == {
        "db": ("running", "healthy"),
        "web": ("running", "healthy"),
    }
    assert page(project) == "hello\n"
    assert page(project, "note.txt") == "a note"
    assert [row["Name"] for row in project.rows("ls")] == ["small"]
    assert {row["Repository"] for row in project.rows("images")} == {"small-web", IMAGE.rpartition(":")[0]}
    assert [row["Name"] for row in project.rows("volumes")] == ["small_data"]
    assert "httpd -f" in project.ok("top", "web")
    assert {row["Name"] for row in project.rows("stats", "--no-stream")} == {"small-db-1", "small-web-1"}


def test_a_second_up_changes_nothing(project: DockerCompose) -> None:
    before = {name: row["ID"] for name, row in project.ps().items()}
    project.ok("up", "--build", "-d", "--wait")
    assert {name: row["ID"] for name, row in project.ps().items()} == before


def test_a_changed_service_alone_is_made_anew(project: DockerCompose) -> None:
    before = project.ps()
    file = project.folder / "compose.yaml"
    file.write_text(file.read_text().replace("COLOUR: blue", "COLOUR: green"))
    project.ok("up", "-d", "--wait")
    after = project.ps()
    assert after["db"]["ID"] == before["db"]["ID"]
    assert after["web"]["ID"] != before["web"]["ID"]
    assert project.ok("exec", "-T", "web", "sh", "-c", "echo $COLOUR") == "green\n"


def test_logs_of_one_and_of_all(project: DockerCompose) -> None:
    page(project)
    assert project.ok("logs", "--no-log-prefix", "db") == "db is up\n"
    everything = project.ok("logs", "--no-color", "--timestamps")
    assert "db-1" in everything and "response:200" in everything
    assert project.ok("logs", "--no-log-prefix", "--tail", "0", "db") == ""


def test_exec_carries_output_input_environment_and_exit_code(project: DockerCompose) -> None:
    assert project.ok("exec", "-T", "web", "cat", stdin="ping") == "ping"
    assert (
        project.ok("exec", "-T", "-e", "A=b", "-w", "/tmp", "web", "sh", "-c", "echo $A; pwd") == "b\n/tmp\n"
    )
    assert project.run("exec", "-T", "web", "sh", "-c", "exit 5").returncode == 5
    assert project.ok("exec", "-T", "web", "cat", "/run/secrets/password") == "open sesame"
    assert project.ok("exec", "-T", "web", "sh", "-c", "echo hi | nc db 7000") == "hi\n"


def test_cp_in_and_out(project: DockerCompose) -> None:
    folder = project.folder
    (folder / "page.html").write_text("copied")
    project.ok("cp", "page.html", "web:/srv/copied.html")
    assert page(project, "copied.html") == "copied"
    project.ok("cp", "web:/srv", "out")
    assert (folder / "out" / "copied.html").read_text() == "copied"


def test_restart_stop_start_pause_and_kill(project: DockerCompose) -> None:
    started = project.ok("exec", "-T", "db", "cat", "/data/started")
    project.ok("restart", "-t", "1")
    project.ok("up", "-d", "--wait")
    assert project.ok("exec", "-T", "db", "cat", "/data/started") != started
    project.ok("stop", "-t", "1", "web")
    assert project.ps()["web"]["State"] == "exited"
    project.ok("start", "web")
    assert project.ps()["web"]["State"] == "running"
    project.ok("pause", "db")
    assert project.ps()["db"]["State"] == "paused"
    project.ok("unpause", "db")
    project.ok("kill", "db")
    assert (project.ps()["db"]["State"], project.ps()["db"]["ExitCode"]) == ("exited", 137)


def test_run_scale_and_rm(project: DockerCompose) -> None:
    assert project.ok("run", "--rm", "-T", "--no-deps", "web", "sh", "-c", "echo $COLOUR") == "blue\n"
    project.ok("scale", "web=3")
    assert len(project.ok("ps", "-q", "web").split()) == 3
    project.ok("up", "-d", "--wait", "--scale", "web=1")
    assert len(project.ok("ps", "-q", "web").split()) == 1
    project.ok("rm", "-fs", "web")
    assert set(project.ps()) == {"db"}


def test_export_commit_and_events(project: DockerCompose, engine: EngineProcess) -> None:
    project.ok("export", "-o", "db.tar", "db")
    with tarfile.open(project.folder / "db.tar") as archive:
        assert "bin/busybox" in archive.getnames()
    project.ok("commit", "web", "small-web:kept")
    assert "small-web:kept" in engine.docker("images", "--format", "{{.Repository}}:{{.Tag}}").stdout
    engine.docker("rmi", "small-web:kept")
    # Like on Docker Engine it fails at the end of the stream, having shown what there was.
    shown = project.run("events", "--since", "5s", "--until", "0s").stdout
    assert "container create" in shown and "small-web-1" in shown


def test_a_watched_file_is_carried_into_the_container(project: DockerCompose) -> None:
    file = project.folder / "compose.yaml"
    develop = "develop: {watch: [{action: sync, path: web/live, target: /srv/live}]}"
    file.write_text(file.read_text().replace("  web:\n", f"  web:\n    {develop}\n"))
    live = project.folder / "web" / "live"
    live.mkdir()
    watching = project.start("watch", "--no-up")
    try:
        project.until(lambda: "enabled" in watching.said(), "the watch to begin", watching)
        (live / "new.html").write_text("seen")
        there = ("exec", "-T", "web", "cat", "/srv/live/new.html")
        project.until(lambda: project.run(*there).stdout == "seen", "the file to arrive", watching)
    finally:
        watching.end()


def test_up_in_the_foreground_shows_the_output_and_stops_on_interrupt(project: DockerCompose) -> None:
    project.ok("stop", "-t", "1")
    shown = project.start("up", "--no-color")
    try:
        project.until(lambda: "db-1  | db is up" in shown.said(), "the output to appear", shown)
    finally:
        shown.interrupt()
    assert {row["State"] for row in project.ps().values()} == {"exited"}


def test_down_with_volumes_and_images_leaves_nothing(project: DockerCompose, engine: EngineProcess) -> None:
    project.ok("down", "-v", "--rmi", "local", "-t", "1")
    assert engine.docker("ps", "-aq").stdout == ""
    assert engine.docker("volume", "ls", "-q").stdout == ""
    assert engine.docker("network", "ls", "--filter", "type=custom", "-q").stdout == ""
    assert "small-web:latest" not in engine.docker("images", "--format", "{{.Repository}}:{{.Tag}}").stdout


def test_a_missing_image_is_named(compose: DockerCompose) -> None:
    (compose.folder / "compose.yaml").write_text("services: {a: {image: 'localhost:1/none:1'}}\n")
    done = compose.run("up", "-d")
    assert done.returncode != 0
    assert "localhost:1" in done.stderr


@pytest.mark.parametrize("bake", [False, True])
def test_builds_use_the_results_of_other_services(
    compose: DockerCompose, buildx_plugin: Path, bake: bool
) -> None:
    if bake:
        plugins = compose.folder / ".docker-config" / "cli-plugins"
        plugins.mkdir(parents=True)
        (plugins / "docker-buildx").symlink_to(buildx_plugin)
    for name in ("one", "more"):
        (compose.folder / name).mkdir()
    (compose.folder / "more" / "file").write_text("more\n")
    (compose.folder / "compose.yaml").write_text(
        f"""
services:
  base:
    build: {{context: one, dockerfile_inline: "FROM {IMAGE}\\nRUN echo base > /base"}}
    command: ["true"]
  app:
    build:
      context: one
      additional_contexts: {{base: service:base, more: ./more}}
      ulimits: {{nofile: 1234}}
      dockerfile_inline: "FROM base\\nCOPY --from=more file /file\\nRUN ulimit -n > /limit"
    command: [cat, /base, /file, /limit]
"""
    )
    try:
        compose.ok("up", "--build", "app")
        assert compose.ok("logs", "--no-log-prefix", "app").splitlines() == ["base", "more", "1234"]
    finally:
        compose.ok("down", "--rmi", "all", "-t", "0")
