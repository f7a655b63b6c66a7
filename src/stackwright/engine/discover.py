"""Finding an engine: the one that the user named, else one that answers, else our own.

`auto`: DOCKER_HOST if set; the Docker socket if it answers; otherwise the embedded engine, started
on demand. The choice and its reason are part of the result, because `auto` must say what it did.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from stackwright.engine import daemon
from stackwright.engine.client import EngineClient
from stackwright.engine.errors import EngineUnavailable

CHOICES = ("auto", "docker", "podman", "embedded")
DOCKER_SOCKETS = ("/var/run/docker.sock",)


class Choice(Struct, frozen=True):
    """Which engine was chosen and why; `spawn` tells that it is ours and may have to be started."""

    kind: str
    address: str
    reason: str
    spawn: bool = False


def answers(path: str, timeout: float = 2.0) -> bool:
    """Whether something speaks the Engine API on a Unix socket (one `/_ping`, no asyncio)."""
    try:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(timeout)
            client.connect(path)
            client.sendall(b"GET /_ping HTTP/1.1\r\nHost: engine\r\nConnection: close\r\n\r\n")
            return b" 200 " in client.recv(256).split(b"\r\n")[0]
    except OSError:
        return False


def choose(wish: str | None, environ: Mapping[str, str] = os.environ) -> Choice:
    """Decide which engine to use. `wish` is `--engine`; None means `STACKWRIGHT_ENGINE`, else auto.

    Raises `EngineUnavailable` when the wish cannot be met.
    """
    wish = wish or environ.get("STACKWRIGHT_ENGINE") or "auto"
    if wish not in CHOICES:
        raise EngineUnavailable(f'unknown engine "{wish}"', hint=f"choose one of {', '.join(CHOICES)}")
    host = environ.get("DOCKER_HOST", "")
    if host and environ.get("DOCKER_TLS_VERIFY") and host.startswith("tcp://"):
        host = "https://" + host.removeprefix("tcp://")
    if wish == "docker":
        return Choice("docker", host or f"unix://{_docker_socket(environ)}", "as asked for with --engine")
    if wish == "podman":
        return Choice("podman", host or f"unix://{_podman_socket(environ)}", "as asked for with --engine")
    if wish == "auto":
        if host:
            return Choice("docker", host, "DOCKER_HOST is set")
        for path in (_docker_socket(environ),):
            if answers(path):
                return Choice("docker", f"unix://{path}", f"it answers at {path}")
    place = daemon.Place.of(environ)
    reason = (
        "as asked for with --engine" if wish == "embedded" else "no Docker Engine answers on this machine"
    )
    return Choice("embedded", f"unix://{place.socket}", reason, spawn=True)


def _docker_socket(environ: Mapping[str, str]) -> str:
    runtime = environ.get("XDG_RUNTIME_DIR")
    rootless = f"{runtime}/docker.sock" if runtime else ""
    if rootless and not Path(DOCKER_SOCKETS[0]).exists() and Path(rootless).exists():
        return rootless
    return DOCKER_SOCKETS[0]


def _podman_socket(environ: Mapping[str, str]) -> str:
    if os.geteuid() == 0:
        return "/run/podman/podman.sock"
    return f"{environ.get('XDG_RUNTIME_DIR', f'/run/user/{os.geteuid()}')}/podman/podman.sock"


async def connect(choice: Choice, environ: Mapping[str, str] = os.environ) -> EngineClient:
    """A connected client for the choice; starts the embedded engine if it does not answer.

    Raises `EngineUnavailable` or `EngineStartFailed`.
    """
    client = EngineClient(choice.address)
    if not choice.spawn:
        return await client.connect()
    try:
        return await client.connect()
    except EngineUnavailable:
        await daemon.start(daemon.Place.of(environ), environ)
        return await client.connect()
