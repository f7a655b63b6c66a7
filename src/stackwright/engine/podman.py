"""Podman's service: where its socket is, and starting it where nobody does.

Podman has no daemon; `podman system service` answers the Engine API for as long as somebody asks. Where
systemd runs, `podman.socket` starts it on demand. Where it does not, and Podman was asked for, we do.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from stackwright.engine.errors import EngineStartFailed

START_SECONDS = 20.0
IDLE_SECONDS = 300
"""The service ends by itself after this long without a request; containers do not need it to run."""


def sockets(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Where Podman listens: this user's own, and for root the system's."""
    if os.geteuid() == 0:
        return ("/run/podman/podman.sock",)
    runtime = environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.geteuid()}"
    return (f"{runtime}/podman/podman.sock",)


def how_to_start() -> str:
    """What a person can do to have it listen."""
    from shutil import which

    if not which("podman"):
        return "Podman is not installed here"
    user = "" if os.geteuid() == 0 else "--user "
    return f"start it with: systemctl {user}enable --now podman.socket, or: podman system service --time 0"


async def start(path: str, environ: Mapping[str, str] = os.environ) -> None:
    """Start the service in the background on the socket `path` and wait until it answers.

    Raises `EngineStartFailed` with what Podman said.
    """
    from shutil import which

    from stackwright.engine.discover import answers

    if not which("podman"):
        raise EngineStartFailed(
            f"no Podman answers at {path}, and the podman command is not installed",
            hint="install podman, or choose --engine embedded",
        )
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise EngineStartFailed(
            f"Podman's socket cannot be made in {error.filename}: {error.strerror}", hint=how_to_start()
        ) from error
    words = ["podman", "system", "service", f"--time={IDLE_SECONDS}", f"unix://{path}"]
    from tempfile import TemporaryFile

    with TemporaryFile() as said:
        process = subprocess.Popen(  # noqa: ASYNC220 - returns at once; the service outlives us
            words, stdin=subprocess.DEVNULL, stdout=said, stderr=said,
            start_new_session=True, cwd="/", env=dict(environ),
        )  # fmt: skip
        deadline = time.monotonic() + START_SECONDS
        while not await asyncio.to_thread(answers, path):
            if process.poll() is not None or time.monotonic() > deadline:
                said.seek(0)
                last = said.read().decode("utf-8", "replace").strip().splitlines()[-3:]
                raise EngineStartFailed(
                    f"podman system service does not answer at {path}: {'; '.join(last) or 'it says nothing'}",
                    hint="podman info must work first",
                )
            await asyncio.sleep(0.02)
