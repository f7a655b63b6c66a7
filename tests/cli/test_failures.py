"""Bad input and broken services: one clear message with the place, never a traceback."""

from __future__ import annotations

import socket
import time

import pytest
from tests.cli.conftest import Box, everywhere


@everywhere
def test_a_check_that_never_passes_shows_probe_and_log(box: Box) -> None:
    box.write(
        """
        services:
          db:
            image: $IMAGE
            command: ["sh", "-c", "trap 'exit 0' TERM; echo cannot open data; sleep 1000 & wait"]
            healthcheck: {test: ["CMD-SHELL", "echo still closed; exit 1"], interval: 300ms, retries: 2}
          web:
            image: $IMAGE
            command: $SLEEP
            depends_on: {db: {condition: service_healthy}}
        """
    )
    text = box.fails("up", "-d")
    assert "service db failed" in text
    assert "still closed" in text
    assert "cannot open data" in text
    assert "compose.yaml:" in text
    assert f"Left as they are: {box.project}-db-1 running, {box.project}-web-1 created" in text
    assert box.ps()["web-1"]["State"] == "created"


def test_a_dependency_that_ends_is_reported_at_once_with_its_exit_code(box: Box) -> None:
    box.write(
        """
        services:
          db:
            image: $IMAGE
            command: ["sh", "-c", "echo out of luck; exit 3"]
            healthcheck: {test: ["CMD", "true"], interval: 60s, start_period: 60s, start_interval: 50s}
          web: {image: $IMAGE, command: $SLEEP, depends_on: {db: {condition: service_healthy}}}
        """
    )
    text = box.fails("up", "-d")
    assert "exit code 3 (error)" in text
    assert "out of luck" in text


def test_a_command_that_does_not_exist_names_the_service(box: Box) -> None:
    box.write("services: {web: {image: $IMAGE, command: [no-such-program]}}")
    text = box.fails("up", "-d")
    assert "service web cannot start" in text
    assert "no-such-program" in text


def test_an_image_that_does_not_exist_is_one_message(box: Box) -> None:
    box.write("services: {web: {image: 'stackwright-test/none:1'}}")
    text = box.fails("up", "-d")
    assert "image stackwright-test/none:1 is not here" in text
    assert "compose.yaml:1" in text


def test_never_pulling_says_so(box: Box) -> None:
    box.write("services: {web: {image: 'stackwright-test/none:1', pull_policy: never}}")
    assert "pull_policy is never" in box.fails("up", "-d")


def test_a_port_that_is_taken_is_named(box: Box) -> None:
    box.write(
        """
        services:
          first: {image: $IMAGE, command: $SLEEP, ports: ["127.0.0.1:18931:80"]}
          second:
            image: $IMAGE
            command: $SLEEP
            ports: ["127.0.0.1:18931:80"]
            depends_on: [first]
        """
    )
    text = box.fails("up", "-d")
    assert "service second cannot start: port 18931 is already taken" in text
    assert "compose.yaml:" in text


def test_a_port_of_another_program_is_taken_too(box: Box) -> None:
    if box.engine == "docker":
        pytest.skip("that engine listens in a network namespace of its own")
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        box.write(f"services: {{web: {{image: $IMAGE, command: $SLEEP, ports: ['127.0.0.1:{port}:80']}}}}")
        assert f"port {port} is already taken" in box.fails("up", "-d")


def test_an_unknown_service_gets_a_suggestion(box: Box) -> None:
    box.write("services: {backend: {image: $IMAGE}}")
    text = box.fails("up", "-d", "backnd")
    assert "no such service: backnd" in text
    assert 'did you mean "backend"?' in text


def test_an_external_network_that_is_missing_is_named(box: Box) -> None:
    box.write(
        """
        services: {web: {image: $IMAGE, command: $SLEEP, networks: [out]}}
        networks: {out: {external: true, name: sw-no-such-network}}
        """
    )
    assert "network sw-no-such-network is declared as external, but could not be found" in box.fails(
        "up", "-d"
    )


def test_a_failing_build_shows_its_last_lines(box: Box) -> None:
    box.write("services: {web: {build: .}}")
    (box.folder / "Dockerfile").write_text("FROM stackwright-test/busybox:1\nRUN echo nearly there; exit 9\n")
    text = box.fails("build")
    assert "building service web failed" in text
    assert "nearly there" in text
    assert "compose.yaml:1" in text


def test_a_dockerfile_that_is_missing_is_named(box: Box) -> None:
    box.write("services: {web: {build: .}}")
    text = box.fails("build")
    assert "Dockerfile" in text
    assert "No such file" in text


@everywhere
def test_a_name_of_somebody_elses_container_is_refused(box: Box) -> None:
    box.write("services: {web: {image: $IMAGE, command: $SLEEP, container_name: sw-taken-name}}")
    box.ok("up", "-d")
    result = box.run("-p", f"{box.project}b", "up", "-d")
    box.run("-p", f"{box.project}b", "down")
    assert result.returncode == 1
    assert 'the name "sw-taken-name" is taken' in result.stderr


def test_an_engine_that_is_not_there_is_named(box: Box) -> None:
    box.write("services: {web: {image: $IMAGE}}")
    box.address = "unix:///nowhere/docker.sock"
    text = box.fails("ps")
    assert "no engine answers at unix:///nowhere/docker.sock" in text


def test_a_service_that_ends_right_after_its_start_fails_the_wait(box: Box) -> None:
    box.write("services: {web: {image: $IMAGE, command: [sh, -c, 'echo broken; exit 2']}}")
    text = box.fails("up", "-d", "--wait")
    assert "exit code 2" in text
    assert "broken" in text


def test_who_cannot_hear_the_stop_signal_is_killed_at_once_and_the_mend_is_named(box: Box) -> None:
    box.write(
        """
        services:
          shell: {image: $IMAGE, stop_grace_period: 60s, command: [sh, -c, 'while :; do sleep 1; done']}
          plain: {image: $IMAGE, stop_grace_period: 60s, command: [sleep, '1000']}
        """
    )
    box.ok("up", "-d")
    begun = time.monotonic()
    result = box.run("stop")
    assert time.monotonic() - begun < 30
    assert result.returncode == 0
    told = {
        name: line
        for line in result.stderr.splitlines()
        for name in ("shell", "plain")
        if f"{name}-1: " in line
    }
    assert "does not listen to SIGTERM, so it was killed at once, not after 60 s" in told["shell"]
    assert "start the program with exec" in told["shell"]
    assert "init: true" in told["plain"]


def test_who_handles_the_stop_signal_gets_its_time(box: Box) -> None:
    box.write(
        """
        services:
          tidy: {image: $IMAGE, command: [sh, -c, "trap 'sleep 2; echo tidied; exit 7' TERM; sleep 1000 & wait; wait"]}
          never: {image: $IMAGE, stop_grace_period: 2s, command: [sh, -c, "trap : TERM; while :; do sleep 0.2; done"]}
        """
    )
    box.ok("up", "-d")
    text = box.run("stop").stderr
    assert box.ps()["tidy-1"]["ExitCode"] == 7
    assert "tidied" in box.ok("logs", "tidy")
    assert "tidy-1:" not in text
    assert "never-1 did not end after SIGTERM within 2 s and was killed" in text


def test_scaling_what_can_run_only_once_is_refused_before_anything_starts(box: Box) -> None:
    box.write("services: {web: {image: $IMAGE, command: $SLEEP, ports: ['127.0.0.1:18933:80']}}")
    text = box.fails("up", "-d", "--scale", "web=2")
    assert "web cannot run 2 times: each container would need the host's port 18933" in text
    assert '"18933-18934:80"' in text
    box.write("services: {web: {image: $IMAGE, command: $SLEEP, container_name: sw-only-one}}")
    assert "would all be named sw-only-one" in box.fails("up", "-d", "--scale", "web=2")
    assert box.ps() == {}


def test_a_tag_without_a_stand_in_names_the_tags_that_have_one(box: Box) -> None:
    box.write("services: {web: {image: 'python:2.7-slim'}}")
    result = box.run("--images", "recipe", "up", "-d")
    assert result.returncode == 1
    assert "python:2.7-slim" in result.stderr
    assert "There are stand-ins for python:{3.11" in result.stderr
