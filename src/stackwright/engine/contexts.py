"""What a user of the docker and podman commands has said about engines: variables, and docker's contexts.

The order is that of the docker command: `--context`, DOCKER_HOST, DOCKER_CONTEXT, `currentContext` of its
configuration. A context is a folder of `~/.docker/contexts` (DOCKER_CONFIG names another place than
`~/.docker`), named for the SHA-256 of its name: `meta/HASH/meta.json` and keys in `tls/HASH/docker/`.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from stackwright.engine.address import Tls
from stackwright.engine.errors import EngineUnavailable

DEFAULT = "default"
"""The context that stands for no context at all."""


class Named(Struct, frozen=True):
    """An engine that the user named: its address as written, keys, and where it was named."""

    address: str
    reason: str
    tls: Tls | None = None


def named(environ: Mapping[str, str], context: str | None = None) -> Named | None:
    """The engine that the docker command would use here, if anything but its default.

    Raises `EngineUnavailable` for a context that is not there or cannot be read.
    """
    if context:
        return _context(context, environ, f"--context {context}")
    if host := environ.get("DOCKER_HOST"):
        return Named(host, "DOCKER_HOST is set", tls_of(environ, host))
    if wanted := environ.get("DOCKER_CONTEXT"):
        return _context(wanted, environ, f"DOCKER_CONTEXT is {wanted}")
    if current := _current(environ):
        return _context(current, environ, f"{current} is docker's current context")
    return None


def tls_of(environ: Mapping[str, str], host: str) -> Tls | None:
    """Keys for an address over TCP: DOCKER_TLS_VERIFY, DOCKER_TLS (not verified), DOCKER_CERT_PATH."""
    if not host.startswith(("tcp://", "https://")):
        return None
    verify = bool(environ.get("DOCKER_TLS_VERIFY"))
    if not (verify or environ.get("DOCKER_TLS") or host.startswith("https://")):
        return None
    folder = environ.get("DOCKER_CERT_PATH")
    return Tls(Path(folder) if folder else _home(environ), verify=verify or not environ.get("DOCKER_TLS"))


def _home(environ: Mapping[str, str]) -> Path:
    if folder := environ.get("DOCKER_CONFIG"):
        return Path(folder)
    return Path(environ.get("HOME") or Path("~").expanduser()) / ".docker"


def _current(environ: Mapping[str, str]) -> str:
    path = _home(environ) / "config.json"
    try:
        text = path.read_bytes()
    except OSError:
        return ""
    return str(_parsed(text, path).get("currentContext") or "")


def _context(name: str, environ: Mapping[str, str], reason: str) -> Named | None:
    if name == DEFAULT:
        host = environ.get("DOCKER_HOST")
        return Named(host, "DOCKER_HOST is set", tls_of(environ, host)) if host else None
    digest = hashlib.sha256(name.encode()).hexdigest()
    store = _home(environ) / "contexts"
    path = store / "meta" / digest / "meta.json"
    try:
        text = path.read_bytes()
    except OSError as error:
        known = contexts(environ)
        listed = f"there are: {', '.join([DEFAULT, *known])}" if known else "there are no contexts here"
        raise EngineUnavailable(
            f'the docker context "{name}" cannot be used ({reason}): {error.strerror}',
            hint=f"{listed}; docker context create {name} makes it",
        ) from error
    endpoint = (_parsed(text, path).get("Endpoints") or {}).get("docker") or {}
    host = str(endpoint.get("Host") or "") or "unix:///var/run/docker.sock"
    keys = store / "tls" / digest / "docker"
    verify = not endpoint.get("SkipTLSVerify")
    wanted = keys.is_dir() or (host.startswith("tcp://") and not verify)
    return Named(host, reason, Tls(keys, verify=verify) if wanted else None)


def contexts(environ: Mapping[str, str]) -> list[str]:
    """The names of all contexts, sorted."""
    found = []
    for path in (_home(environ) / "contexts" / "meta").glob("*/meta.json"):
        try:
            found.append(str(json.loads(path.read_bytes())["Name"]))
        except (OSError, ValueError, KeyError, TypeError):
            continue  # another program's leftover is no reason to fail
    return sorted(found)


def _parsed(text: bytes, path: Path) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise EngineUnavailable(f"{os.fspath(path)} is not valid JSON: {error}") from error
    return value if isinstance(value, dict) else {}
