"""Files by which a container is known on disk: monitor.sock, running.json, exit.json, monitor.log.

`running.json` says which process is init; `exit.json` that (and how) it ended. They are renamed
into place, so that a reader sees a whole one or none.
"""

from __future__ import annotations

import _socket
import json
import os
import sys
import time
from contextlib import suppress

from stackwright.embedded.kernel.process import kill_exactly

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any

RUNNING = "running.json"
EXIT = "exit.json"
SOCKET = "monitor.sock"
ERRORS = "monitor.log"


def clear(directory: str) -> None:
    """Remove what an earlier run left."""
    for name in (RUNNING, EXIT, SOCKET):
        with suppress(FileNotFoundError):
            os.unlink(f"{directory}/{name}")


def listen(directory: str) -> _socket.socket:
    """The control socket. Bound through a directory descriptor: socket paths end at 108 bytes, ours may not."""
    server = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    fd = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        server.bind(f"/proc/self/fd/{fd}/{SOCKET}")
    finally:
        os.close(fd)
    os.chmod(f"{directory}/{SOCKET}", 0o600)
    server.listen(64)
    server.setblocking(False)
    return server


def write_running(directory: str, pid: int, ticks: int) -> None:
    """Which process is the container's init (with its start time: pids come back)."""
    _write(directory, RUNNING, {"pid": pid, "start_ticks": ticks})


def exit_record(status: int, oom_killed: bool, started_at: int) -> dict[str, Any]:
    """What exit.json holds, from a wait status; see runtime.ExitStatus."""
    code = os.waitstatus_to_exitcode(status)
    return {
        "code": code if code >= 0 else 128 - code,
        "signal": max(0, -code),
        "oom_killed": oom_killed,
        "started_at": started_at,
        "finished_at": time.time_ns(),
        "error": "",
    }


def write_exit(directory: str, record: dict[str, Any]) -> None:
    """The container has ended; the control socket goes with it."""
    _write(directory, EXIT, record)
    with suppress(FileNotFoundError):
        os.unlink(f"{directory}/{SOCKET}")


def forget_running(directory: str) -> None:
    """RUNNING goes, too: EXIT says more, so whoever is waiting for that need not wait for this."""
    with suppress(FileNotFoundError):
        os.unlink(f"{directory}/{RUNNING}")


def read(directory: str, name: str) -> dict[str, Any] | None:
    """RUNNING or EXIT as it was written; None when there is none."""
    try:
        fd = os.open(f"{directory}/{name}", os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        found = json.loads(os.read(fd, 65536))
    except ValueError:
        return None
    finally:
        os.close(fd)
    return found if isinstance(found, dict) else None


def kill_init(known: dict[str, Any]) -> bool:
    """SIGKILL the init that RUNNING names, if it still is that process; whether it was."""
    return kill_exactly(int(known.get("pid", 0)), int(known.get("start_ticks", 0)))


def redirect_errors(directory: str) -> None:
    """Tracebacks of this process go to monitor.log: nobody reads its stderr."""

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        import traceback  # a page of modules that a healthy monitor never needs

        text = "".join(traceback.format_exception(kind, error, trace))
        with suppress(OSError):
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
            fd = os.open(f"{directory}/{ERRORS}", flags, 0o600)
            os.write(fd, text.encode())
            os.close(fd)

    sys.excepthook = hook


def _write(directory: str, name: str, record: dict[str, Any]) -> None:
    """Full disks must not keep a container from ending: the failure shows as a missing file."""
    temporary = f"{directory}/.{name}"
    with suppress(OSError):
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            os.write(fd, json.dumps(record).encode())
        finally:
            os.close(fd)
        os.rename(temporary, f"{directory}/{name}")
