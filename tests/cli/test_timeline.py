"""The last runs of `up`: remembered, listed, drawn, compared."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.cli.conftest import Box

from stackwright.cli.history import Slower, slower
from stackwright.cli.runlog import KEPT, Run, recall, remember
from stackwright.run.timeline import Span, Timeline


def run(seconds: float, engine: str = "docker", **boots: float) -> Run:
    """A run in which each service started at once and booted for so long."""
    spans = [Span(f"start:{name}", "start", name, 0.0, 0.1) for name in boots]
    spans += [
        Span(f"ready:{name}", "ready", name, 0.1, 0.1 + took, (f"start:{name}",))
        for name, took in boots.items()
    ]
    return Run(0.0, seconds, engine, started=tuple(boots), spans=tuple(spans))


def test_what_took_much_longer_than_usual_is_named() -> None:
    earlier = [
        run(1, api=1.0, db=0.2),
        run(1, api=1.2, db=0.3),
        run(1, api=9.0),
        run(1, engine="podman", api=30.0),
    ]
    assert slower([run(3, api=2.5, db=0.5), *earlier]) == [Slower("api", 1.2, 2.5)]
    assert slower([run(3, api=1.3), *earlier]) == []
    assert slower([run(3, fresh=9.0), *earlier]) == []
    assert slower([]) == []


def test_only_so_many_runs_are_kept_newest_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    for number in range(KEPT + 3):
        line = Timeline(begin=10.0)
        line.add(Span("start:web", "start", "web", 10.0, 10.5))
        line.end = 11.0 + number
        remember(tmp_path, "demo", line, ["web"], engine="docker")
    found = recall(tmp_path, "demo")
    assert len(found) == KEPT
    assert found[0].seconds == pytest.approx(1.0 + KEPT + 2)
    assert found[0].timeline().spans["start:web"].seconds == pytest.approx(0.5)
    assert recall(tmp_path, "other") == []


def test_a_run_that_did_nothing_is_not_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    remember(tmp_path, "demo", Timeline(), [], engine="docker")
    assert recall(tmp_path, "demo") == []
    remember(tmp_path, "demo", Timeline(), [], engine="docker", failed="service db failed")
    assert recall(tmp_path, "demo")[0].failed == "service db failed"


def test_runs_are_listed_and_one_is_drawn(box: Box) -> None:
    box.write(
        """
        services:
          db: {image: $IMAGE, command: $SLEEP, healthcheck: {test: [CMD, "true"], interval: 1s}}
          web: {image: $IMAGE, command: $SLEEP, depends_on: {db: {condition: service_healthy}}}
        """
    )
    assert "No run of project" in box.ok("timeline")
    box.ok("up", "-d", "--wait")
    box.ok("up", "-d")  # nothing to do: nothing to remember
    box.ok("down", "-t", "0")
    box.ok("up", "-d", "--wait")
    lines = box.ok("timeline").splitlines()
    assert lines[0].split() == [
        "RUN",
        "WHEN",
        "ENGINE",
        "TOOK",
        "STARTED",
        "BOOT",
        "IMAGES",
        "OURS",
        "LONGEST",
        "BOOT",
    ]
    assert [line.split()[0] for line in lines[1:3]] == ["1", "2"]
    assert box.engine in lines[1]
    drawn = box.ok("timeline", "2")
    assert "Where the time went" in drawn
    assert "Critical path" in drawn
    value = json.loads(box.ok("timeline", "--json"))
    assert [one["run"] for one in value["runs"]] == [1, 2]
    assert value["runs"][0]["started"] == ["db", "web"]
    assert set(value["runs"][0]["boot_seconds_by_service"]) == {"db", "web"}
    assert "there is no run 9: 2 of project" in box.fails("timeline", "9")
    box.write("services: {web: {image: $IMAGE, command: [sh, -c, 'exit 3']}}")
    box.fails("up", "-d", "--wait")
    assert "failed" in box.ok("timeline").splitlines()[1]
