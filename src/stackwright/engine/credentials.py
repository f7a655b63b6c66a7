"""What the Docker client's configuration knows about registries: passwords, tokens and credential helpers.

`~/.docker/config.json` (or `$DOCKER_CONFIG/config.json`) is written by `docker login`: `credHelpers` and
`credsStore` name programs `docker-credential-<name>` that are asked, `auths` holds what none of them keeps.
The results are the Engine API's `AuthConfig` objects, for its header `X-Registry-Auth`.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

Auth = dict[str, str]
Warn = Callable[[str], None]
HUB = "docker.io"
HUB_KEY = "https://index.docker.io/v1/"
"""Under this address the client keeps what belongs to Docker Hub."""
_HELPER_SECONDS = 30.0


def registry_of(reference: str) -> str:
    """The registry that a reference names.

    >>> registry_of("postgres:15"), registry_of("team/app"), registry_of("localhost:5000/app:1")
    ('docker.io', 'docker.io', 'localhost:5000')
    """
    first, slash, _ = reference.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return HUB if first == "index.docker.io" else first
    return HUB


class Credentials:
    """One configuration, read when it is first needed. `warn` is told, once each, of what cannot be used."""

    def __init__(self, environ: Mapping[str, str], warn: Warn) -> None:
        folder = environ.get("DOCKER_CONFIG") or str(Path(environ.get("HOME") or "~") / ".docker")
        self._file = Path(folder).expanduser() / "config.json"
        self._warn = warn
        self._config: dict[str, Any] | None = None
        self._known: dict[str, asyncio.Task[Auth | None]] = {}

    async def of(self, reference: str) -> Auth | None:
        """The `AuthConfig` for the registry of an image; None when nothing is known. Never raises."""
        registry = registry_of(reference)
        if registry not in self._known:
            self._known[registry] = asyncio.ensure_future(self._look_up(registry))
        return await asyncio.shield(self._known[registry])

    async def _look_up(self, registry: str) -> Auth | None:
        config = self._read()
        key = HUB_KEY if registry == HUB else registry
        helper = _table(config, "credHelpers").get(key) or config.get("credsStore")
        if isinstance(helper, str) and helper:
            found = await self._ask(helper, key)
            if found is not None:
                return found
        for name, entry in _table(config, "auths").items():
            if name == key or _host(name) == _host(key):
                return self._written(name, entry)
        return None

    def _read(self) -> dict[str, Any]:
        if self._config is None:
            self._config = {}
            try:
                document = json.loads(self._file.read_bytes())
                if not isinstance(document, dict):
                    raise ValueError("an object was expected")
                self._config = document
            except FileNotFoundError:
                pass
            except (OSError, ValueError, RecursionError) as error:
                self._warn(f"{self._file} cannot be used, registries are asked without a password: {error}")
        return self._config

    def _written(self, name: str, entry: Any) -> Auth | None:
        if not isinstance(entry, dict):
            return None
        wanted = ("username", "password", "identitytoken", "registrytoken")
        auth = {key: str(entry[key]) for key in wanted if entry.get(key)}
        if entry.get("auth"):
            try:
                packed = base64.b64decode(str(entry["auth"]), validate=True).decode()
                auth["username"], _, password = packed.partition(":")
                auth["password"] = password.rstrip("\0")
            except (binascii.Error, ValueError):
                self._warn(
                    f"{self._file}: auths.{name}.auth is not base64; log in again (docker login {name})"
                )
                return None
        return {**auth, "serveraddress": name} if auth else None

    async def _ask(self, helper: str, key: str) -> Auth | None:
        """Credential helper protocol, `get`: the address in, `{"Username", "Secret"}` out."""
        program = f"docker-credential-{helper}"
        try:
            process = await asyncio.create_subprocess_exec(
                program, "get", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
            )  # fmt: skip
        except OSError as error:
            self._warn(f"{program}, which {self._file} names, cannot be run: {error.strerror}")
            return None
        try:
            async with asyncio.timeout(_HELPER_SECONDS):
                said, _ = await process.communicate(key.encode() + b"\n")
        except TimeoutError:
            process.kill()
            await process.wait()
            self._warn(f"{program} did not answer within {_HELPER_SECONDS:g} s")
            return None
        text = said.decode(errors="replace").strip()
        if process.returncode:
            if "credentials not found" not in text:
                self._warn(f"{program} failed: {text or f'exit code {process.returncode}'}")
            return None
        try:
            answer = json.loads(text)
            user, secret = str(answer["Username"]), str(answer["Secret"])
        except (ValueError, KeyError, TypeError):
            self._warn(f"{program} answered with something that is no credential")
            return None
        if user == "<token>":
            return {"identitytoken": secret, "serveraddress": key}
        return {"username": user, "password": secret, "serveraddress": key}


def _table(config: dict[str, Any], name: str) -> dict[str, Any]:
    value = config.get(name)
    return value if isinstance(value, dict) else {}


def _host(address: str) -> str:
    """`https://registry.example/v1/` and `registry.example` are the same to the client."""
    return address.partition("://")[2].partition("/")[0] if "://" in address else address.partition("/")[0]
