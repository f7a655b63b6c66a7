"""A container that the kernel ends because its memory limit is reached: told as such, not as some 137."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.cli.conftest import Box

CGROUPS = Path("/sys/fs/cgroup")
# A line that never ends is kept in memory, all of it. Docker loses the news of an end that comes at the same moment.
GREEDY = """
    services:
      db:
        image: $IMAGE
        command: [sh, -c, "tail /dev/zero; code=$$?; sleep 0.5; exit $$code"]
        mem_limit: 16m
        memswap_limit: 16m
        <more>
      web: {image: $IMAGE, command: $SLEEP, depends_on: {db: {condition: <condition>}}}
    """


def _why_no_limits() -> str | None:
    if (CGROUPS / "memory/memory.limit_in_bytes").exists():
        return None
    try:
        known = (CGROUPS / "cgroup.controllers").read_text().split()
    except OSError:
        known = []
    return None if "memory" in known else "this machine has no memory controller"


pytestmark = pytest.mark.skipif(_why_no_limits() is not None, reason=_why_no_limits() or "")


def _greedy(box: Box, condition: str, more: str = "") -> None:
    box.write(GREEDY.replace("<condition>", condition).replace("<more>", more))


def test_a_dependency_that_runs_out_of_memory_is_named_with_the_reason(box: Box) -> None:
    _greedy(box, "service_healthy", 'healthcheck: {test: [CMD, "false"], interval: 5s, retries: 50}')
    said = box.fails("up", "-d", "--wait")
    assert "exit code 137 (killed: out of memory" in said
    assert "mem_limit" in said
    assert "web waits for db: service_healthy" in said


def test_a_job_that_runs_out_of_memory_is_no_success(box: Box) -> None:
    _greedy(box, "service_completed_successfully")
    said = box.fails("up", "-d")
    assert "exit code 137 (killed: out of memory" in said
    assert {one["ExitCode"] for one in box.ps().values()} >= {137}
