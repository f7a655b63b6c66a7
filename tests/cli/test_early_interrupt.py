"""Ctrl-C where Python makes something else of it.

While a class is being made: before Python 3.12 that fails with a RuntimeError then. In a callback that nobody can catch
an error of: it would be printed and forgotten.
"""

from __future__ import annotations

import subprocess
import sys
from typing import NoReturn

import pytest

from stackwright import handover
from stackwright.cli import failures, group, main


class Interrupting:
    """What is interrupted while it learns its name in a class."""

    def __set_name__(self, owner: type, name: str) -> None:
        raise KeyboardInterrupt


def make_class(*_: object, **__: object) -> NoReturn:
    type("Made", (), {"attribute": Interrupting()})
    raise AssertionError("nobody was interrupted")


def fail(*_: object, **__: object) -> NoReturn:
    raise RuntimeError("as planned")


def test_while_the_program_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(main, "run", make_class)
    assert handover.main(["version"]) == 130
    monkeypatch.setattr(main, "run", fail)
    with pytest.raises(RuntimeError, match="as planned"):
        handover.main(["version"])


def test_while_a_verb_imports_what_it_needs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(group.group, "main", make_class)
    assert group.run(["version"]) == 130
    assert capsys.readouterr().err == ""
    reported: list[Exception] = []
    monkeypatch.setattr(failures, "report", lambda error: reported.append(error) or 1)
    monkeypatch.setattr(group.group, "main", fail)
    assert group.run(["version"]) == 1
    assert len(reported) == 1


FORGOTTEN = """
import os, signal, sys, time, weakref
from stackwright import handover
from stackwright.cli import main

class Lock:
    pass

def run(args):
    lock = Lock()
    watched = weakref.ref(lock, lambda _: os.kill(os.getpid(), signal.SIGINT))
    del lock
    time.sleep(20)
    return 0

main.run = run
sys.argv = ["stackwright", "config"]
handover.entry()
"""


def test_in_a_callback() -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORGOTTEN], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (130, "")


def test_other_errors_of_callbacks_are_told_as_ever() -> None:
    script = FORGOTTEN.replace("os.kill(os.getpid(), signal.SIGINT)", "1 / 0").replace(
        "sleep(20)", "sleep(0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0
    assert "ZeroDivisionError" in done.stderr
