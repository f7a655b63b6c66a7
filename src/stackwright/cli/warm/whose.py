"""Which process a person started: this one, or the client that this worker works for."""

from __future__ import annotations

import os

client: int | None = None


def command_pid() -> int:
    """The process that the shell knows."""
    return client or os.getpid()
