"""Leaving a fork server behind, at the end of a command that found none."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress

from stackwright.conditions import wanted


def leave_fork_server() -> None:
    """Start one in the background, if this user wants that. It finds out by itself whether another was faster."""
    if not wanted(os.environ):
        return
    with suppress(OSError):
        subprocess.Popen(
            [sys.executable, "-m", "stackwright.cli.warm.forkserver"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
        )
