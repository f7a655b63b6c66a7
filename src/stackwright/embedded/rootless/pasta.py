"""pasta(1): the way out of the user's network, with no rights of its own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from stackwright.embedded.rootless.record import is_zombie

# Nothing listens on its side (ports are ours), and the host's own loopback stays closed to containers.
_OPTIONS = ("--config-net", "--no-map-gw", "-t", "none", "-u", "none", "-T", "none", "-U", "none", "--quiet")
_SECONDS = 15

PID_FILE = "pasta.pid"
"""In the folder of the keeper."""

MISSING = "pasta is not installed (Debian package passt)"


def start(pid: int, pid_file: Path) -> str:
    """Connect the network namespace of `pid`; "" when it is, else why not. Returns once addresses and routes are there."""
    program = shutil.which("pasta")
    if program is None:
        return MISSING
    pid_file.unlink(missing_ok=True)
    command = [program, *_OPTIONS, "--pid", str(pid_file), str(pid)]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            timeout=_SECONDS,
            check=False,
            cwd="/",
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"pasta could not be run: {error}"
    if done.returncode == 0:
        return ""
    lines = [line for line in done.stderr.splitlines() if "syslog" not in line]
    reason = lines[-1] if lines else f"exit code {done.returncode}"
    if "tun" in reason:
        reason += "; every user must be able to open /dev/net/tun"
    return f"pasta: {reason}"


def running(pid_file: Path) -> int:
    """Its pid; 0 when it does not run."""
    try:
        pid = int(pid_file.read_text().strip())
        name = Path(f"/proc/{pid}/comm").read_text()
        if is_zombie(pid):
            return 0
        return (
            pid
            if name.startswith(("pasta", "passt")) and Path(f"/proc/{pid}").stat().st_uid == os.getuid()
            else 0
        )
    except (OSError, ValueError):
        return 0


def stop(pid_file: Path) -> None:
    """End it."""
    pid = running(pid_file)
    if pid:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        for _ in range(100):
            if not running(pid_file):
                break
            time.sleep(0.01)
        else:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    pid_file.unlink(missing_ok=True)
