"""The embedded engine as a process: where it lives, starting it on demand, its last words.

We only ever start it (`python -m stackwright.embedded serve`) and talk to its socket; nothing of
it is imported here. Two commands may start it at once: a lock file makes the second one wait.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from stackwright.engine.errors import EngineStartFailed, EngineUnavailable

START_SECONDS = 30.0


class Place(Struct, frozen=True):
    """Where an embedded engine keeps its state, listens and logs."""

    state: Path
    socket: Path

    @property
    def log(self) -> Path:
        """What the engine prints."""
        return self.state / "engine.log"

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Place:
        """The defaults for this user, or STACKWRIGHT_STATE_DIR and STACKWRIGHT_SOCKET."""
        if os.geteuid() == 0:
            state, sock = Path("/var/lib/stackwright"), Path("/run/stackwright/engine.sock")
        else:
            home = Path(environ.get("HOME") or Path("~").expanduser())
            data = Path(environ.get("XDG_DATA_HOME") or home / ".local/share")
            runtime = Path(environ.get("XDG_RUNTIME_DIR") or f"/tmp/stackwright-{os.geteuid()}")
            state, sock = data / "stackwright", runtime / "stackwright/engine.sock"
        wanted = environ.get("STACKWRIGHT_STATE_DIR")
        if wanted:
            state = Path(wanted).absolute()
            sock = state / "engine.sock"
        if named := environ.get("STACKWRIGHT_SOCKET"):
            sock = Path(named).absolute()
        return cls(state, sock)


def command(place: Place, idle_seconds: str | None = None) -> list[str]:
    """The command line that serves an engine at `place`."""
    words = [sys.executable, "-m", "stackwright.embedded", "serve"]
    words += ["--state-dir", str(place.state), "--socket", str(place.socket)]
    return words + (["--idle-seconds", idle_seconds] if idle_seconds is not None else [])


async def start(place: Place, environ: Mapping[str, str] = os.environ) -> None:
    """Start the engine in the background and wait until it answers.

    Raises `EngineStartFailed` with the last lines of its log when it ends or stays silent.
    """
    try:
        place.state.mkdir(parents=True, exist_ok=True)
        place.socket.parent.mkdir(parents=True, exist_ok=True, mode=0o755 if os.geteuid() == 0 else 0o700)
        _check_owner(place.socket.parent)
        lock = (place.state / "start.lock").open("w")
    except OSError as error:
        raise EngineStartFailed(
            f"the embedded engine cannot use {error.filename}: {error.strerror}",
            hint="set STACKWRIGHT_STATE_DIR and STACKWRIGHT_SOCKET to places that you may write",
        ) from error
    with lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                await asyncio.sleep(0.01)
        if _answers(place.socket):
            return
        begun = place.log.stat().st_size if place.log.exists() else 0
        with place.log.open("ab") as log:
            process = subprocess.Popen(  # noqa: ASYNC220 - returns at once; the engine outlives us
                command(place, environ.get("STACKWRIGHT_IDLE_SECONDS")),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd="/",
                env=dict(environ),
            )
        deadline = time.monotonic() + START_SECONDS
        pause = 0.002
        while not _answers(place.socket):
            if process.poll() is not None:
                raise EngineStartFailed(
                    f"the embedded engine ended at once ({_ended(process.returncode)})"
                    + _last_words(place, begun),
                    hint=f"its whole log is {place.log}",
                )
            if time.monotonic() > deadline:
                raise EngineStartFailed(
                    f"the embedded engine did not answer within {START_SECONDS:g} s"
                    + _last_words(place, begun),
                    hint=f"its whole log is {place.log}",
                )
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, 0.05)


def _check_owner(folder: Path) -> None:
    """Below /tmp anybody could have made the folder first, and answered there in our engine's place."""
    for place in (folder, folder.parent):
        if place.name.startswith("stackwright") and place.stat().st_uid not in (0, os.geteuid()):
            raise EngineStartFailed(
                f"{place} belongs to another user", hint="set XDG_RUNTIME_DIR or STACKWRIGHT_SOCKET"
            )


async def stop(place: Place, timeout: float = 15.0) -> bool:
    """Ask a running engine to end (SIGTERM) and wait for it; False when none runs."""
    pid = pid_of(place)
    if pid is None:
        return False
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + timeout
    while _alive(pid):
        if time.monotonic() > deadline:
            raise EngineUnavailable(
                f"the embedded engine (process {pid}) does not end", hint=f"see {place.log}"
            )
        await asyncio.sleep(0.02)
    return True


def pid_of(place: Place) -> int | None:
    """The process that listens on the engine's socket, as the kernel knows it; None: nobody."""
    try:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(2)
            client.connect(str(place.socket))
            raw = client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
            return int(struct.unpack("3i", raw)[0]) or None
    except OSError:
        return None


def _answers(path: Path) -> bool:
    from stackwright.engine.discover import answers

    return answers(str(path))


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (OSError, IndexError):
        return False


def _ended(code: int) -> str:
    return f"killed by signal {-code}" if code < 0 else f"exit code {code}"


def _last_words(place: Place, begun: int) -> str:
    with suppress(OSError), place.log.open("rb") as log:
        log.seek(max(begun, place.log.stat().st_size - 4096))
        lines = log.read().decode("utf-8", "replace").rstrip().splitlines()[-8:]
        if lines:
            return "; its last lines:\n" + "\n".join(f"  {line}" for line in lines)
    return ""
