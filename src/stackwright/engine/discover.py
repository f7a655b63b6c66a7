"""Finding an engine: the one that the user named, else one that answers, else our own.

`auto`: what `--context`, DOCKER_HOST or docker's contexts name; what CONTAINER_HOST names; a Docker Engine
that answers at its usual socket; Podman likewise; otherwise the embedded engine, started on demand. The
choice and its reason are part of the result, because `auto` must say what it did.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from stackwright.engine import contexts, daemon, podman
from stackwright.engine.address import Address, Tls
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
    tls: Tls | None = None
    found: bool = False
    """Chosen by looking around, not because somebody named it."""

    def client(self) -> EngineClient:
        """A client that is not yet connected. Raises `EngineUnavailable` for an address that is none."""
        address = Address.parse(self.address, self.tls)
        return EngineClient(address.through("podman") if self.kind == "podman" else address)

    def announcement(self) -> str:
        """What to tell a person, who did not choose: `Using the embedded engine: no Docker …`."""
        name = {"docker": "Docker Engine", "podman": "Podman", "embedded": "the embedded engine"}[self.kind]
        return f"Using {name}: {self.reason}"


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


def choose(
    wish: str | None, environ: Mapping[str, str] = os.environ, *, context: str | None = None
) -> Choice:
    """Decide which engine to use. `wish` is `--engine`; None means `STACKWRIGHT_ENGINE`, else auto.

    `context` is `--context`, which also decides where `--engine` is not given. Raises `EngineUnavailable`
    when the wish cannot be met.
    """
    wish = wish or environ.get("STACKWRIGHT_ENGINE") or "auto"
    if wish not in CHOICES:
        raise EngineUnavailable(f'unknown engine "{wish}"', hint=f"choose one of {', '.join(CHOICES)}")
    if wish == "embedded" and context:
        raise EngineUnavailable(
            "--context names another engine than --engine embedded", hint="give one of them"
        )
    return _CHOOSE[wish](environ, context)


def _docker(environ: Mapping[str, str], context: str | None) -> Choice:
    if found := contexts.named(environ, context):
        return Choice("docker", found.address, found.reason, tls=found.tls)
    return Choice("docker", f"unix://{_docker_socket(environ)}", "as asked for with --engine")


def _podman(environ: Mapping[str, str], context: str | None) -> Choice:
    if not context and (host := environ.get("CONTAINER_HOST")):
        return Choice("podman", host, "CONTAINER_HOST is set")
    # DOCKER_HOST may well be Podman's socket; the current context, which stays from other days, is no wish.
    if context or environ.get("DOCKER_HOST"):
        found = contexts.named(environ, context)
        if found is not None:
            return Choice("podman", found.address, found.reason, tls=found.tls)
    return Choice("podman", f"unix://{podman.sockets(environ)[0]}", "as asked for with --engine", spawn=True)


def _embedded(environ: Mapping[str, str], context: str | None) -> Choice:
    place = daemon.Place.of(environ)
    return Choice("embedded", f"unix://{place.socket}", "as asked for with --engine", spawn=True)


def _auto(environ: Mapping[str, str], context: str | None) -> Choice:
    if found := contexts.named(environ, context):
        return Choice("docker", found.address, found.reason, tls=found.tls)
    if host := environ.get("CONTAINER_HOST"):
        return Choice("podman", host, "CONTAINER_HOST is set")
    if answers(path := _docker_socket(environ)):
        return Choice("docker", f"unix://{path}", f"it answers at {path}", found=True)
    for path in podman.sockets(environ):
        if answers(path):
            reason = f"no Docker Engine answers on this machine, and Podman answers at {path}"
            return Choice("podman", f"unix://{path}", reason, found=True)
    place = daemon.Place.of(environ)
    reason = "no Docker Engine answers on this machine"
    return Choice("embedded", f"unix://{place.socket}", reason, spawn=True, found=True)


_CHOOSE = {"docker": _docker, "podman": _podman, "embedded": _embedded, "auto": _auto}


def _docker_socket(environ: Mapping[str, str]) -> str:
    runtime = environ.get("XDG_RUNTIME_DIR")
    rootless = f"{runtime}/docker.sock" if runtime else ""
    if rootless and not Path(DOCKER_SOCKETS[0]).exists() and Path(rootless).exists():
        return rootless
    return DOCKER_SOCKETS[0]


async def connect(
    choice: Choice, environ: Mapping[str, str] = os.environ, client: EngineClient | None = None
) -> EngineClient:
    """A connected client for the choice; starts the engine if that is ours to do and it does not answer.

    `client`: the choice's own, if it has asked ahead. Raises `EngineUnavailable` or `EngineStartFailed`.
    """
    client = client or choice.client()

    async def start() -> None:
        if choice.kind == "podman":
            await podman.start(client.address.path, environ)
        else:
            await daemon.start(daemon.Place.of(environ), environ)

    client.revive = start if choice.spawn else None
    try:
        return await client.connect()
    except EngineUnavailable as error:
        if not choice.spawn:
            raise _explained(error, choice) from error
    await start()
    return await client.connect()


def _explained(error: EngineUnavailable, choice: Choice) -> EngineUnavailable:
    """The same error, and why we looked there at all."""
    why = "" if choice.found or choice.reason.startswith("as asked") else f" ({choice.reason})"
    hint = error.hint
    if choice.kind == "podman" and choice.address.startswith("unix://"):
        hint = podman.how_to_start()
    elif choice.reason.startswith("as asked"):
        hint = hint or "is Docker Engine running? --engine embedded needs none"
    return type(error)(error.message + why, hint=hint)
