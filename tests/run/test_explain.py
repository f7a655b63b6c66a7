"""Failures in words."""

from __future__ import annotations

import pytest

from stackwright.run.errors import Findings, ServiceFailed
from stackwright.run.events import printed
from stackwright.run.explain import exit_in_words, render


@pytest.mark.parametrize(
    ("code", "oom", "words"),
    [
        (0, False, "success"),
        (1, False, "error"),
        (126, False, "its command cannot be executed"),
        (127, False, "its command was not found"),
        (137, False, "killed: SIGKILL, not for lack of memory"),
        (137, True, "killed: out of memory"),
        (139, False, "crashed: SIGSEGV"),
        (129, False, "ended by SIGHUP"),
        (255, False, "error"),
    ],
)
def test_exit_codes_have_words(code: int, oom: bool, words: str) -> None:
    assert exit_in_words(code, oom_killed=oom) == words


def test_a_failure_shows_its_last_probe_and_log_lines() -> None:
    findings = Findings(probes=["exit code 1: refused"], log=["one", "two"])
    text = render(ServiceFailed("db", "service db failed", findings))
    assert text.splitlines() == [
        "service db failed",
        "",
        "last health probe:",
        "  exit code 1: refused",
        "",
        "last log lines:",
        "  one",
        "  two",
    ]


def test_overwritten_output_is_left_out() -> None:
    assert printed("5%\r10%\r100%\r\n\nnext") == ["100%", "next"]
