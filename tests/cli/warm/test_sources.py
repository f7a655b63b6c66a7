"""Whether the program has changed since it was loaded: with the kernel's word, and without it."""

from __future__ import annotations

import os
import sys
import types
from collections.abc import Iterator
from pathlib import Path

import pytest

from stackwright.cli.warm import sources
from stackwright.cli.warm.sources import Sources


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module of the program."""
    path = tmp_path / "module.py"
    path.write_text("before = 1\n")
    module = types.ModuleType("stackwright_test_module")
    module.__file__ = str(path)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return path


@pytest.fixture(params=["the kernel tells", "nobody tells"])
def program(request: pytest.FixtureRequest, file: Path) -> Iterator[Sources]:
    """What is loaded now."""
    loaded = Sources()
    if request.param == "nobody tells":
        loaded.close()
    yield loaded
    loaded.close()


def test_nothing_happened(program: Sources) -> None:
    assert not program.changed()


def test_written_in_place(program: Sources, file: Path) -> None:
    file.write_text("after = 12\n")
    assert program.changed()
    assert program.changed(), "asked again"


def test_replaced(program: Sources, file: Path) -> None:
    file.with_suffix(".new").write_text("after = 12\n")
    file.with_suffix(".new").rename(file)
    assert program.changed()


def test_removed(program: Sources, file: Path) -> None:
    file.unlink()
    assert program.changed()


def test_another_file_beside_it_is_no_change(program: Sources, file: Path) -> None:
    (file.parent / "__pycache__").mkdir()
    file.with_suffix(".txt").write_text("notes")
    assert not program.changed()


def test_what_the_kernel_does_not_tell_is_seen_in_the_end(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = Sources()
    quiet = os.open(os.devnull, os.O_RDONLY)
    os.dup2(quiet, loaded.watcher)  # at its end, like a descriptor with nothing to tell
    file.write_text("after = 12\n")
    assert not loaded.changed()
    monkeypatch.setattr(sources, "LOOK_SECONDS", 0.0)
    assert loaded.changed()
    os.close(quiet)
    loaded.close()
