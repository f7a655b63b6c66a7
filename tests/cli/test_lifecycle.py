"""Existing containers: stop, start, restart, kill, pause, rm, and what lists them."""

from __future__ import annotations

import json

from tests.cli.conftest import Box

TWO = """
    services:
      db: {image: $IMAGE, command: $SLEEP, ports: ["127.0.0.1::80"]}
      web: {image: $IMAGE, command: $SLEEP, depends_on: [db]}
    volumes: {data: {}}
    """


def states(box: Box) -> dict[str, object]:
    return {name: value["State"] for name, value in box.ps().items()}


def test_a_project_stops_and_starts_again(box: Box) -> None:
    box.write(TWO)
    box.ok("up", "-d")
    box.ok("stop", "web")
    assert states(box) == {"db-1": "running", "web-1": "exited"}
    box.ok("start")
    assert states(box) == {"db-1": "running", "web-1": "running"}
    box.ok("pause", "db")
    assert states(box)["db-1"] == "paused"
    box.ok("unpause")
    box.ok("kill", "-s", "KILL")
    assert set(states(box).values()) == {"exited"}
    assert box.ps()["web-1"]["ExitCode"] == 137
    box.ok("rm", "-f")
    assert states(box) == {}


def test_starting_what_was_never_made_is_refused(box: Box) -> None:
    box.write(TWO)
    assert 'service "web" has no container to start' in box.fails("start", "web")


def test_create_makes_containers_without_starting_them(box: Box) -> None:
    box.write(TWO)
    box.ok("create")
    assert set(states(box).values()) == {"created"}


def test_the_lists_are_those_of_docker_compose(box: Box) -> None:
    box.write(TWO)
    box.ok("up", "-d")
    heads = box.ok("ps").splitlines()[0].split()
    assert heads == ["NAME", "IMAGE", "COMMAND", "SERVICE", "CREATED", "STATUS", "PORTS"]
    assert box.ok("ps", "--services") == "db\nweb\n"
    assert len(box.ok("ps", "-q").split()) == 2
    assert box.ok("ps", "--format", "{{.Service}}={{.State}}") == "db=running\nweb=running\n"
    assert box.ok("ps", "--status", "exited", "-q") == ""
    (project,) = [one for one in json.loads(box.ok("ls", "--format", "json")) if one["Name"] == box.project]
    assert project["Status"] == "running(2)"
    assert project["ConfigFiles"] == str(box.folder / "compose.yaml")
    assert box.ok("port", "db", "80").startswith("127.0.0.1:")
    assert "sleep 1000" in box.ok("top", "web")
    assert box.ok("images", "-q").strip()


def test_a_project_is_found_by_its_name_without_its_file(box: Box) -> None:
    box.write(TWO)
    box.ok("up", "-d")
    (box.folder / "compose.yaml").unlink()
    assert set(box.ps()) == {"db-1", "web-1"}
    box.ok("down")
    assert box.ps() == {}


def test_down_says_when_there_is_nothing_to_do(box: Box) -> None:
    box.write(TWO)
    result = box.run("down")
    assert result.returncode == 0
    assert "No resource found to remove" in result.stderr


def test_down_removes_volumes_only_when_asked_to(box: Box) -> None:
    box.write(
        "services: {web: {image: $IMAGE, command: $SLEEP, volumes: ['data:/d']}}\nvolumes: {data: {}}\n"
    )
    box.ok("up", "-d")
    box.ok("exec", "-T", "web", "sh", "-c", "echo kept > /d/f")
    box.ok("down")
    box.ok("up", "-d")
    assert box.ok("exec", "-T", "web", "cat", "/d/f") == "kept\n"
    box.ok("down", "-v")
    box.ok("up", "-d")
    assert box.run("exec", "-T", "web", "cat", "/d/f").returncode == 1


def test_progress_can_be_json_or_silent(box: Box) -> None:
    box.write(TWO)
    lines = box.run("--progress", "json", "up", "-d").stderr.splitlines()
    values = [json.loads(line) for line in lines]
    assert any(value.get("id") == f"Container {box.project}-db-1" for value in values)
    assert values[-1]["timeline"]["critical_path"]
    assert box.run("--progress", "quiet", "down").stderr == ""


def test_scale_wait_and_volumes(box: Box) -> None:
    box.write(
        """
        services:
          web: {image: $IMAGE, command: $SLEEP, volumes: ["data:/d"]}
          job: {image: $IMAGE, command: [sh, -c, "sleep 0.5; exit 3"]}
        volumes: {data: {}}
        """
    )
    box.ok("up", "-d")
    box.ok("scale", "web=2")
    assert {"web-1", "web-2"} < set(box.ps())
    assert box.ok("volumes", "-q") == f"{box.project}_data\n"
    job = box.ok("ps", "-aq", "--no-trunc", "job").strip()
    result = box.run("wait", "job")
    assert result.returncode == 3
    assert result.stdout == f'container "{job}" exited with status code 3\n'
    assert "web-2" in box.ok("stats", "--no-stream")
    assert '"service":"job"' in box.run("events", "--json", "--since", "5m", "--until", "0s").stdout
