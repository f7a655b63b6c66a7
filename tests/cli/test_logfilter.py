"""Levels of log lines, whoever wrote them."""

from __future__ import annotations

import pytest

from stackwright.cli.logfilter import LEVELS, level


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ('{"level":10,"msg":"x"}', "trace"),
        ('{"level":20}', "debug"),
        ('{"level":30}', "info"),
        ('{"level":40}', "warn"),
        ('{"level":50}', "error"),
        ('{"level":60}', "fatal"),
        ('  {"severity":"WARNING","message":"x"}', "warn"),
        ('{"levelname":"CRITICAL"}', "fatal"),
        ('{"log":{"level":"error"}}', "error"),
        ('{"@l":"Information"}', "info"),
        ('{"level":true}', None),
        ('{"msg":"an ERROR in here is a message"}', None),
        ('time=1 level=warn msg="x"', "warn"),
        ('ts=1 lvl="eror"', None),
        ("2024-01-01 00:00:00 UTC [1] FATAL:  no", "fatal"),
        ("[ERROR] no", "error"),
        ("INFO:root:yes", "info"),
        ("an error that is lower case is prose", None),
        ("  at main.js:3", None),
        ('{"level":30', None),
        ("", None),
    ],
)
def test_the_level_of_a_line(line: str, name: str | None) -> None:
    assert level(line) == (None if name is None else LEVELS.index(name))
