"""One changing command at a time per project: the second one waits, and says for whom.

A lock file per engine and project, held with flock, so that a killed command never blocks the
next. The file is removed by its holder; who waited checks that it locked the file that is there.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from stackwright.run.errors import RunError
from stackwright.run.events import Note, Sink


class ProjectBusy(RunError):  # noqa: N818 - says what is the matter
    """Another command is changing the same project."""

    code = "run.busy"


def folder() -> Path:
    """Where lock files are: a folder that a reboot empties."""
    if os.geteuid() == 0:
        return Path("/run/stackwright")
    return Path(os.environ.get("XDG_RUNTIME_DIR") or f"/tmp/stackwright-{os.geteuid()}") / "stackwright"


@asynccontextmanager
async def project_lock(engine: str, project: str, show: Sink) -> AsyncIterator[None]:
    """Hold the project's lock on `engine` (its address). Raises `ProjectBusy` after the time that
    STACKWRIGHT_LOCK_TIMEOUT gives, in seconds (default 300)."""
    digest = hashlib.sha256(engine.encode()).hexdigest()[:8]
    path = folder() / f"{project}-{digest}.lock"
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = await _acquire(path, show)
    except OSError:  # nowhere to put a lock: work without one rather than not at all
        yield
        return
    try:
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()} {_shown()}".encode())
        yield
    finally:
        with suppress(OSError):
            path.unlink()
        os.close(descriptor)


async def _acquire(path: Path, show: Sink) -> int:
    deadline = time.monotonic() + float(os.environ.get("STACKWRIGHT_LOCK_TIMEOUT") or 300)
    said = False
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 200, 0).decode("utf-8", "replace")
            os.close(descriptor)
            pid, _, command = holder.partition(" ")
            who = f'"{command}" (process {pid})' if command else "another command"
            if time.monotonic() > deadline:
                raise ProjectBusy(f"{who} is still changing this project") from None
            if not said:
                show(Note(f"waiting for {who} on the same project"))
                said = True
            await asyncio.sleep(0.05)
            continue
        with suppress(FileNotFoundError):
            if os.fstat(descriptor).st_ino == path.stat().st_ino:
                return descriptor
        os.close(descriptor)  # its last holder removed the file: lock the new one


def _shown() -> str:
    return " ".join(["stackwright", *sys.argv[1:]])[:150]
