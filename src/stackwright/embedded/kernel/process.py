"""What /proc says about a process, and signals to it by descriptor."""

from __future__ import annotations

import os
import signal


def start_ticks(pid: int) -> int:
    """Start time in clock ticks since boot: with the pid it names one process for good.

    ProcessLookupError when there is none.
    """
    return int(stat_fields(pid)[19])


def stat_fields(pid: int) -> list[str]:
    """/proc/<pid>/stat from the state (field 3) on."""
    try:
        fd = os.open(f"/proc/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
        try:
            return os.read(fd, 4096).decode(errors="replace").rpartition(")")[2].split()
        finally:
            os.close(fd)
    except (FileNotFoundError, ProcessLookupError):
        raise ProcessLookupError(f"no process {pid}") from None


def kill_exactly(pid: int, ticks: int, number: int = signal.SIGKILL) -> bool:
    """Signal `pid` if it is still the process that started at `ticks`; whether it was."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    try:
        if start_ticks(pid) != ticks:
            return False
        signal.pidfd_send_signal(fd, number)
    except ProcessLookupError:
        return False
    finally:
        os.close(fd)
    return True
