"""The container records: found by any reference, kept across engines."""

from __future__ import annotations

from pathlib import Path

import pytest

from stackwright.embedded.errors import BadParameter, Conflict, NotFound
from stackwright.embedded.ids import new_id
from stackwright.embedded.lifecycle.config import Config, HostConfig
from stackwright.embedded.lifecycle.machine import Status
from stackwright.embedded.lifecycle.record import Container, Containers, HealthRecord, Probe
from stackwright.embedded.state import Database


def container(name: str, container_id: str = "") -> Container:
    return Container(
        id=container_id or new_id(), name=name, created_ns=1, image_id="sha256:0", image="x:1", config=Config(),
        host_config=HostConfig(),
    )  # fmt: skip


def test_found_by_id_prefix_and_name() -> None:
    containers = Containers(Database(":memory:"))
    one, two = container("one", "aa" + "0" * 62), container("two", "ab" + "0" * 62)
    for each in (one, two):
        containers.add(each)
    assert containers.get("aa") is one
    assert containers.get("/two") is two
    with pytest.raises(BadParameter, match="multiple IDs found with provided prefix: a"):
        containers.get("a")
    with pytest.raises(NotFound, match="No such container: three"):
        containers.get("three")


def test_names_are_checked_and_unique() -> None:
    containers = Containers(Database(":memory:"))
    first = container("taken")
    containers.add(first)
    with pytest.raises(Conflict) as caught:
        containers.check_name("/taken")
    assert caught.value.message.startswith(
        f'Conflict. The container name "/taken" is already in use by container "{first.id}".'
    )
    for wrong in ("", "x", "-a", "a b", "ä1", "a/b"):
        with pytest.raises(BadParameter):
            containers.check_name(wrong)
    containers.rename(first, "other")
    assert containers.check_name("taken") == "taken"


def test_the_next_engine_reads_what_was_saved(tmp_path: Path) -> None:
    database = Database(tmp_path / "x.db")
    containers = Containers(database)
    one = container("kept")
    containers.add(one)
    one.status, one.pid = Status.RUNNING, 7
    one.health = HealthRecord(
        status="healthy", failing_streak=0, log=(Probe(started_ns=1, ended_ns=2, exit_code=0, output="ok"),)
    )
    containers.save(one)
    database.close()
    assert Containers(Database(tmp_path / "x.db")).get("kept") == one
