"""Who hears a signal, read from the kernel's own words about a process."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from stackwright.run.stopping import drops

PROGRAMS = {
    "nothing": "pass",
    "handler": "signal.signal(signal.SIGTERM, lambda *_: None)",
    "ignored": "signal.signal(signal.SIGTERM, signal.SIG_IGN)",
    "blocked": "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])",
}


@pytest.mark.parametrize(
    ("program", "dropped"), [("nothing", True), ("handler", False), ("ignored", True), ("blocked", False)]
)
def test_a_signal_without_a_handler_is_dropped_by_the_first_process(program: str, dropped: bool) -> None:
    script = f"import signal, sys\n{PROGRAMS[program]}\nprint('ready', flush=True)\nsys.stdin.read()"
    process = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        status = Path(f"/proc/{process.pid}/status").read_text()
    finally:
        process.kill()
        process.communicate()
    assert drops(status, signal.SIGTERM) is dropped


def test_what_is_no_status_says_nothing() -> None:
    assert drops("", signal.SIGTERM) is None
    assert drops("cat: not found", signal.SIGTERM) is None
