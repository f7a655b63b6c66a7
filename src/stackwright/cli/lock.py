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

from stackwright.cli.warm.whose import command_pid
from stackwright.conditions import folder
from stackwright.run.errors import RunError
from stackwright.run.events import Note, Sink


class ProjectBusy(RunError):  # noqa: N818 - says what is the matter
    """Another command is changing the same project."""

    code = "run.busy"


def held(engine: str, project: str) -> bool:
    """Whether some command changes the project just now. Only looks: nobody waits for who asks."""
    try:
        pid = _path(engine, project).read_text().partition(" ")[0]
    except OSError:
        return False
    return pid.isdigit() and Path("/proc", pid).exists()  # a killed command leaves its file


def _path(engine: str, project: str) -> Path:
    digest = hashlib.sha256(engine.encode()).hexdigest()[:8]
    return Path(folder(os.environ)) / f"{project}-{digest}.lock"


@asynccontextmanager
async def project_lock(engine: str, project: str, show: Sink, patience: float) -> AsyncIterator[bool]:
    """Hold the project's lock on `engine` (its address). Raises `ProjectBusy` after `patience` seconds.

    Yields whether the command before did not come to its end: who is killed or interrupted leaves the file.
    """
    path = _path(engine, project)
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = await _acquire(path, show, patience)
    except OSError:  # nowhere to put a lock: work without one rather than not at all
        yield False
        return
    try:
        killed = os.fstat(descriptor).st_size > 0
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{command_pid()} {_shown()}".encode())
        yield killed
    except (asyncio.CancelledError, KeyboardInterrupt):
        os.close(descriptor)
        raise
    except BaseException:
        _release(path, descriptor)
        raise
    _release(path, descriptor)


def _release(path: Path, descriptor: int) -> None:
    with suppress(OSError):
        path.unlink()
    os.close(descriptor)


async def _acquire(path: Path, show: Sink, patience: float) -> int:
    begun = time.monotonic()
    said = False
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            who = _holder(descriptor)
            os.close(descriptor)
            if time.monotonic() - begun >= patience:
                raise ProjectBusy(
                    f"{who} is still changing this project; gave up after {patience:g} s",
                    hint="wait for it, end it, or wait longer with --lock-timeout",
                ) from None
            if not said:
                show(Note(f"waiting for {who} on the same project"))
                said = True
            await asyncio.sleep(0.05)
            continue
        with suppress(FileNotFoundError):
            if os.fstat(descriptor).st_ino == path.stat().st_ino:
                return descriptor
        os.close(descriptor)  # its last holder removed the file: lock the new one


def _holder(descriptor: int) -> str:
    """Who holds the lock, in words: what it wrote into the file, and since when."""
    pid, _, command = os.pread(descriptor, 200, 0).decode("utf-8", "replace").partition(" ")
    age = max(0.0, time.time() - os.fstat(descriptor).st_mtime)
    return f'"{command}" (process {pid}, for {age:.0f} s now)' if command else "another command"


def _shown() -> str:
    return " ".join(["stackwright", *sys.argv[1:]])[:150]
