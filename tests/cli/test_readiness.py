"""A dependent starts when its dependency is ready, not when somebody looks again; the engine's verdict counts."""

from __future__ import annotations

import time

from tests.cli.conftest import Box

WAITING = """
    services:
      db:
        image: $IMAGE
        command: $SLEEP
        healthcheck: {test: [CMD, "true"], interval: %s}
      web: {image: $IMAGE, command: $SLEEP, depends_on: {db: {condition: service_healthy}}}
    """


def timed(box: Box, *arguments: str) -> float:
    begun = time.monotonic()
    box.ok(*arguments)
    return time.monotonic() - begun


def test_nobody_waits_for_the_interval(box: Box) -> None:
    box.write(WAITING % "60s")
    assert timed(box, "up", "-d", "--wait") < 20


def test_with_engine_health_only_the_engines_own_probe_counts(box: Box) -> None:
    box.write(WAITING % "4s")
    took = timed(box, "up", "-d", "--engine-health")
    if box.engine == "docker":  # which looks first after a whole interval
        assert took > 4
    assert {value["State"] for value in box.ps().values()} == {"running"}


def test_the_check_of_an_image_is_probed_as_well(box: Box) -> None:
    (box.folder / "Dockerfile").write_text(
        "FROM stackwright-test/busybox:1\nHEALTHCHECK --interval=60s CMD touch /tmp/mine\n"
    )
    box.write(
        """
        services:
          db: {build: ., command: $SLEEP}
          web: {image: $IMAGE, command: $SLEEP, depends_on: {db: {condition: service_healthy}}}
        """
    )
    assert timed(box, "up", "-d") < 40
    assert box.ok("exec", "-T", "db", "ls", "/tmp/mine") == "/tmp/mine\n"
    box.ok("down", "--rmi", "local")


def test_a_check_that_is_switched_off_can_never_pass(box: Box) -> None:
    (box.folder / "Dockerfile").write_text(
        "FROM stackwright-test/busybox:1\nHEALTHCHECK --interval=60s CMD false\n"
    )
    box.write(
        """
        services:
          db: {build: ., command: $SLEEP, healthcheck: {disable: true}}
          web: {image: $IMAGE, command: $SLEEP, depends_on: {db: {condition: service_healthy}}}
        """
    )
    assert "it has no health check, so it can never be healthy" in box.fails("up", "-d")
    box.write("services: {db: {build: ., command: $SLEEP, healthcheck: {test: [NONE]}}}")
    box.ok("up", "-d", "--wait")
    box.ok("down", "--rmi", "local")


def test_a_later_verdict_of_the_engine_counts(box: Box) -> None:
    box.write(
        """
        services:
          fickle:
            image: $IMAGE
            command: $SLEEP
            healthcheck:
              test: [CMD-SHELL, "if [ -f /tmp/seen ]; then echo lost it; exit 1; fi; touch /tmp/seen"]
              interval: 500ms
              retries: 1
          slow:
            image: $IMAGE
            command: [sh, -c, "trap 'exit 0' TERM; sleep 3; touch /tmp/ok; sleep 1000 & wait"]
            healthcheck: {test: [CMD, test, -f, /tmp/ok], interval: 200ms, retries: 60}
        """
    )
    text = box.fails("up", "-d", "--wait")
    assert "service fickle failed" in text
    assert "lost it" in text
