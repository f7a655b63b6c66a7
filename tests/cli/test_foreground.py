"""`up` without -d: output, interrupts, exit codes."""

from __future__ import annotations

import signal
import time

from tests.cli.conftest import Box, everywhere, read_until


@everywhere
def test_output_of_every_service_is_shown_with_its_name(box: Box) -> None:
    box.write(
        """
        services:
          a: {image: $IMAGE, command: [sh, -c, "echo one; sleep 0.2; echo two"]}
          long-name: {image: $IMAGE, command: [echo, hello]}
        """
    )
    result = box.run("up")
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert "a-1          | one" in lines
    assert "a-1          | two" in lines
    assert "long-name-1  | hello" in lines
    assert "a-1 exited with code 0" in lines


@everywhere
def test_ctrl_c_stops_gracefully(box: Box) -> None:
    box.write(
        """
        services:
          web: {image: $IMAGE, command: [sh, -c, "trap 'echo bye; exit 0' TERM; echo up; sleep 1000 & wait"]}
        """
    )
    process = box.start("up")
    read_until(process, "| up")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "| bye" in out
    assert "press Ctrl+C again" in err
    assert box.ps()["web-1"]["State"] == "exited"


def test_a_second_ctrl_c_kills(box: Box) -> None:
    box.write(
        "services: {web: {image: $IMAGE, stop_grace_period: 60s, command: [sh, -c, 'trap : TERM; echo up; while :; do sleep 1; done']}}"
    )
    process = box.start("up")
    read_until(process, "| up")
    process.send_signal(signal.SIGINT)
    time.sleep(0.7)
    begun = time.monotonic()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert time.monotonic() - begun < 8
    assert process.returncode == 130
    assert box.ps()["web-1"]["State"] == "exited"


@everywhere
def test_the_first_to_end_ends_all_and_gives_its_code(box: Box) -> None:
    box.write(
        """
        services:
          web: {image: $IMAGE, command: $SLEEP}
          test: {image: $IMAGE, command: [sh, -c, "sleep 0.3; exit 4"]}
        """
    )
    assert box.run("up", "--abort-on-container-exit").returncode == 4
    assert {value["State"] for value in box.ps().values()} == {"exited"}


def test_the_exit_code_can_come_from_one_service(box: Box) -> None:
    box.write(
        """
        services:
          web: {image: $IMAGE, command: $SLEEP}
          test: {image: $IMAGE, command: [sh, -c, "sleep 0.3; exit 6"]}
        """
    )
    assert box.run("up", "--exit-code-from", "test").returncode == 6


def test_an_interrupt_while_waiting_for_a_dependency_leaves_nothing_running(box: Box) -> None:
    box.write(
        """
        services:
          db: {image: $IMAGE, command: $SLEEP, healthcheck: {test: [CMD, "false"], interval: 60s}}
          web: {image: $IMAGE, command: $SLEEP, depends_on: {db: {condition: service_healthy}}}
        """
    )
    process = box.start("up")
    time.sleep(2.5)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 130
    assert "running" not in {value["State"] for value in box.ps().values()}


def test_a_short_run_of_an_existing_container_is_shown_whole_and_once(box: Box) -> None:
    box.write("services: {web: {image: $IMAGE, command: [echo, hello]}}")
    box.ok("create")
    for _ in range(4):
        assert box.ok("up") == "web-1  | hello\nweb-1 exited with code 0\n"
