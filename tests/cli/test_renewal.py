"""Networks and volumes whose definition changed: shown in the plan, made anew by `up`, never behind anybody's back."""

from __future__ import annotations

from tests.cli.conftest import Box

COMPOSE = """
    services:
      web: {image: $IMAGE, command: $SLEEP, networks: [back], volumes: ["data:/data"]}
      db: {image: $IMAGE, command: $SLEEP, networks: [back]}
      other: {image: $IMAGE, command: $SLEEP}
    networks: {back: {labels: {a: "<n>"}}}
    volumes: {data: {labels: {a: "<n>"}}}
    """


def _write(box: Box, number: str) -> None:
    box.write(COMPOSE.replace("<n>", number))


def _states(box: Box) -> dict[str, object]:
    return {name: one["State"] for name, one in box.ps().items()}


def test_the_plan_says_what_is_made_anew_and_up_does_that(box: Box) -> None:
    _write(box, "1")
    box.ok("up", "-d")
    box.ok("exec", "-T", "db", "touch", "/mark")
    box.ok("exec", "-T", "web", "touch", "/data/mark")
    _write(box, "2")
    lines = [" ".join(line.split()) for line in box.ok("plan").splitlines()]
    assert f"~ recreate network {box.project}_back labels a changed" in lines
    assert "labels.a 1 → 2" in lines
    assert any(line.startswith(f"? ask volume {box.project}_data labels a changed: kept") for line in lines)
    assert f"~ start container {box.project}-db-1 the network {box.project}_back is made anew" in lines
    assert f"= keep container {box.project}-other-1 up to date" in lines
    lines = [" ".join(line.split()) for line in box.ok("up", "-d", "--dry-run", "--yes").splitlines()]
    assert f"~ recreate volume {box.project}_data labels a changed: its data is lost" in lines

    done = box.run("up", "-d")
    assert done.returncode == 0, done.stderr
    assert "Recreate (data will be lost)? [yN] no (use --yes)" in done.stderr
    assert f"volume {box.project}_data is used as it is, although labels a changed" in done.stderr
    box.ok("exec", "-T", "db", "ls", "/mark")
    box.ok("exec", "-T", "web", "ls", "/data/mark")
    box.ok("exec", "-T", "web", "ping", "-c", "1", "-w", "5", "db")
    box.ok("up", "-d", "--yes")
    assert box.ok("exec", "-T", "web", "ls", "/data") == ""
    assert "Nothing to do" in box.ok("plan")


def test_a_container_that_is_not_part_of_the_command_is_named_before_anything_stops(box: Box) -> None:
    _write(box, "1")
    box.ok("up", "-d")
    before = _states(box)
    _write(box, "2")
    said = box.fails("up", "-d", "web")
    assert (
        f"network {box.project}_back changed and has to be made anew, but {box.project}-db-1 uses it too"
        in said
    )
    assert _states(box) == before
    box.ok("up", "-d")


def test_run_leaves_the_services_own_containers_running_on_the_new_network(box: Box) -> None:
    _write(box, "1")
    box.ok("up", "-d", "web")
    _write(box, "2")
    box.ok("run", "--rm", "-T", "web", "true")
    assert _states(box) == {"web-1": "running"}
