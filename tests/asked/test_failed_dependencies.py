"""A dependency that fails is named with who waits for it, its last probe and its probe budget."""

from __future__ import annotations

import re
import time

from tests.cli.conftest import Box

WAITING = "web: {image: $IMAGE, command: $SLEEP, depends_on: {db: {condition: service_healthy}}}"


def test_probes_that_time_out_are_counted_and_the_budget_is_said(box: Box) -> None:
    box.write(
        f"""
        services:
          db:
            image: $IMAGE
            command: $SLEEP
            healthcheck: {{test: [CMD, sleep, "30"], interval: 1s, timeout: 1s, retries: 2}}
          {WAITING}
        """
    )
    text = box.fails("up", "-d")
    assert "service db failed" in text
    assert re.search(
        r"(2 probes of 1 s, both|3 probes of 1 s, all) timed out; the budget ended after [2-9](\.\d+)? s",
        text,
    ), text
    assert "Health check exceeded timeout (1s)" in text
    assert "web waits for db: service_healthy (compose.yaml:" in text


def test_the_last_probe_is_shown_with_its_exit_code(box: Box) -> None:
    box.write(
        f"""
        services:
          db:
            image: $IMAGE
            command: $SLEEP
            healthcheck: {{test: [CMD-SHELL, "echo no route to disk; exit 1"], interval: 200ms, retries: 3}}
          {WAITING}
        """
    )
    text = box.fails("up", "-d")
    assert re.search(r"3 probes of 30 s, all ended with exit code 1; the budget ended after", text), text
    assert "no route to disk" in text


def test_a_dependency_that_exits_ends_the_wait_at_once(box: Box) -> None:
    box.write(
        f"""
        services:
          db:
            image: $IMAGE
            command: [sh, -c, "sleep 0.5; echo disk full; exit 7"]
            healthcheck: {{test: [CMD, "false"], interval: 60s, start_period: 60s}}
          {WAITING}
        """
    )
    begun = time.monotonic()
    text = box.fails("up", "-d")
    assert time.monotonic() - begun < 20
    assert "it ended with exit code 7" in text
    assert "disk full" in text
    assert "web waits for db" in text


def test_a_one_shot_that_fails_is_named_with_its_relation(box: Box) -> None:
    box.write(
        """
        services:
          job: {image: $IMAGE, command: [sh, -c, "echo cannot migrate; exit 2"]}
          web: {image: $IMAGE, command: $SLEEP, depends_on: {job: {condition: service_completed_successfully}}}
        """
    )
    text = box.fails("up", "-d")
    assert "it did not complete successfully with exit code 2" in text
    assert "cannot migrate" in text
    assert "web waits for job: service_completed_successfully" in text
