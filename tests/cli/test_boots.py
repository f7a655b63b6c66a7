"""What `up` measures is what `check` knows of the last start."""

from __future__ import annotations

from pathlib import Path

import pytest

from stackwright.cli import boots
from stackwright.cli.main import run
from stackwright.run.timeline import Span, Timeline


@pytest.fixture(autouse=True)
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "memory"))
    return tmp_path / "memory"


def _run(**services: tuple[float, float]) -> Timeline:
    """A run in which each service took (start, boot) seconds."""
    timeline = Timeline(begin=0.0)
    for name, (start, boot) in services.items():
        timeline.add(Span(f"start {name}", "start", name, 0.0, start))
        timeline.add(Span(f"ready {name}", "ready", name, start, start + boot))
    return timeline


def test_a_later_run_replaces_what_it_started_and_keeps_the_rest(tmp_path: Path) -> None:
    boots.remember(tmp_path, _run(db=(0.1, 3.0), api=(0.1, 9.0)))
    boots.remember(tmp_path, _run(db=(0.1, 2.0), api=(0.0, 0.01)))
    assert boots.recall(tmp_path) == {"db": 2.0, "api": 9.0}


def test_projects_are_remembered_apart(tmp_path: Path) -> None:
    boots.remember(tmp_path, _run(db=(0.1, 3.0)))
    assert boots.recall(tmp_path / "other") == {}


def test_a_memory_that_cannot_be_read_or_written_is_none(tmp_path: Path, memory: Path) -> None:
    memory.write_text("a file where a folder should be")
    boots.remember(tmp_path, _run(db=(0.1, 3.0)))
    assert boots.recall(tmp_path) == {}


def test_check_warns_of_a_start_period_that_the_last_start_outlasted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "compose.yaml").write_text(
        "services:\n  api:\n    image: example/api:1.4\n    healthcheck:\n      test: [CMD, check]\n"
        "      interval: 10s\n      retries: 3\n      start_period: 10s\n"
    )
    monkeypatch.chdir(tmp_path)
    run(["check"])
    assert "SW208" not in capsys.readouterr().out
    boots.remember(tmp_path, _run(api=(0.1, 72.0)))
    run(["check"])
    assert "SW208" in capsys.readouterr().out
