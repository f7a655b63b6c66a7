"""Steps before a service starts, and services that only have to finish."""

from __future__ import annotations

from tests.cli.conftest import Box

STEPS = """
    services:
      web:
        image: $IMAGE
        command: $SLEEP
        entrypoint: [sh, -c, 'exec "$$@"', sh]
        user: "1000"
        environment: {WHO: web, A: b}
        volumes: [data:/data]
        scale: %d
        pre_start:
          - {command: [sh, -c, "echo 1 $$WHO $$A $$(id -u) >> /data/log; chmod 777 /data"], user: root, environment: {WHO: first}}
          - {command: [sh, -c, "echo 2 $$WHO $$(pwd) >> /data/log"], user: root, working_dir: /srv}
          - {command: [sh, -c, "echo each >> /data/log"], user: root, per_replica: true}
    volumes: {data: }
    """


def log(box: Box) -> list[str]:
    return box.ok("exec", "-T", "web", "cat", "/data/log").splitlines()


def test_steps_run_in_order_once_per_service_with_its_mounts(box: Box) -> None:
    box.write(STEPS % 2)
    box.ok("up", "-d", "--wait")
    assert log(box) == ["1 first b 0", "2 web /srv", "each", "each"]
    box.ok("up", "-d")
    assert len(log(box)) == 4
    box.ok("up", "-d", "--scale", "web=3")
    assert log(box)[4:] == ["each"]
    assert set(box.ps()) == {"web-1", "web-2", "web-3"}
    box.ok("up", "-d", "--force-recreate", "--scale", "web=1")
    assert log(box)[5:] == ["1 first b 0", "2 web /srv", "each"]


def test_a_step_that_fails_keeps_the_service_and_its_dependents_down(box: Box) -> None:
    box.write(
        """
        services:
          web:
            image: $IMAGE
            command: $SLEEP
            pre_start:
              - {command: [sh, -c, "echo migration 7 is broken; exit 4"]}
              - {command: [sh, -c, "echo never"]}
          proxy: {image: $IMAGE, command: $SLEEP, depends_on: [web]}
        """
    )
    text = box.fails("up", "-d")
    assert "service web is not started: its pre_start step 1 ended with exit code 4" in text
    assert "migration 7 is broken" in text
    assert "compose.yaml:" in text
    assert {name: row["State"] for name, row in box.ps().items()} == {
        "web-1": "created",
        "proxy-1": "created",
    }


def test_a_one_shot_that_ends_well_is_a_success(box: Box) -> None:
    box.write(
        """
        services:
          job: {image: $IMAGE, command: [sh, -c, "echo done"]}
          web: {image: $IMAGE, command: $SLEEP}
        """
    )
    box.ok("up", "--wait")
    assert {name: row["State"] for name, row in box.ps().items()} == {"job-1": "exited", "web-1": "running"}


def test_a_finished_one_shot_runs_again_only_when_it_changed(box: Box) -> None:
    text = """
        services:
          job: {image: $IMAGE, command: [sh, -c, "echo ran >> /data/log"], environment: {A: "%s"}, volumes: [data:/data]}
          web:
            image: $IMAGE
            command: $SLEEP
            volumes: [data:/data]
            depends_on: {job: {condition: service_completed_successfully}}
        volumes: {data: }
        """
    box.write(text % 1)
    for _ in range(2):
        box.ok("up", "-d", "--wait")
        assert log(box) == ["ran"]
    box.write(text % 2)
    box.ok("up", "-d", "--wait")
    assert log(box) == ["ran", "ran"]
