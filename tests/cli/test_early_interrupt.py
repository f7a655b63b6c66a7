"""Ctrl-C while classes are being made: before Python 3.12 their making fails with a RuntimeError then."""

from __future__ import annotations

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
