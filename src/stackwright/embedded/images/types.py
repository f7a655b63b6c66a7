"""The values the image service hands out and takes in; nothing here does any work."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Progress = Callable[[dict[str, Any]], None]
"""Called with one message of the Engine API's progress stream, e.g. ``{"status": "Pulling fs layer", "id":
"abc"}``.
"""


@dataclass(frozen=True, slots=True)
class Image:
    """One image of the local store.

    ``config`` is the whole OCI image configuration document ("OCI image spec, config.md"): ``architecture``,
    ``os``, ``config`` (what a container inherits: Env, Cmd, Entrypoint, ...), ``rootfs``, ``history``.
    """

    id: str
    """``sha256:`` and 64 hex digits: the digest of the configuration document."""
    config: dict[str, Any]
    repo_tags: tuple[str, ...]
    """Familiar names: ``debian:bookworm-slim``, ``localhost:5000/app:1``."""
    repo_digests: tuple[str, ...]
    """Familiar names with the digest of the manifest they were pulled or pushed as."""
    size: int
    """Bytes of all layers, unpacked."""
    created: str
    """RFC 3339, as in the configuration; empty when the image does not say."""
    layers: tuple[str, ...]
    """Diff ids (``sha256:...`` of the uncompressed layer), lowest layer first."""
    parent: str = ""
    """The image this one was built on by the builder or by commit, else empty."""

    @property
    def run_config(self) -> dict[str, Any]:
        """What containers of this image inherit (``Env``, ``Cmd``, ``Entrypoint``, ``User``, ...); may be
        empty.
        """
        return self.config.get("config") or {}

    @property
    def short_id(self) -> str:
        """The first 12 hex digits, as people see it."""
        return self.id.removeprefix("sha256:")[:12]


@dataclass(frozen=True, slots=True)
class Platform:
    """``linux/amd64`` or ``linux/arm64/v8`` (OCI image index, ``platform``)."""

    os: str
    architecture: str
    variant: str = ""

    @classmethod
    def parse(cls, text: str) -> Platform:
        """Read ``os[/arch[/variant]]``; raises ValueError for anything else."""
        parts = text.lower().split("/")
        if not 1 <= len(parts) <= 3 or not all(parts):
            raise ValueError(f'"{text}" is not a platform: expected os/architecture, e.g. linux/amd64')
        here = cls.host()
        if len(parts) == 1:
            if parts[0] == "linux":
                return here
            return cls("linux", _ARCHITECTURES.get(parts[0], parts[0]))
        architecture = _ARCHITECTURES.get(parts[1], parts[1])
        return cls(parts[0], architecture, parts[2] if len(parts) == 3 else "")

    @classmethod
    def host(cls) -> Platform:
        """The platform of this machine."""
        import platform

        machine = platform.machine().lower()
        architecture = _ARCHITECTURES.get(machine, machine)
        return cls("linux", architecture, "v7" if architecture == "arm" else "")

    def __str__(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)


_ARCHITECTURES = {
    "x86_64": "amd64",
    "x86-64": "amd64",
    "aarch64": "arm64",
    "armv7l": "arm",
    "armhf": "arm",
    "i386": "386",
    "i686": "386",
}


@dataclass(frozen=True, slots=True)
class RegistryAuth:
    """Credentials for one registry, as the client sends them (Engine API, ``X-Registry-Auth``)."""

    username: str = ""
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)
    registry_token: str = field(default="", repr=False)
    server_address: str = ""

    @classmethod
    def from_header(cls, value: str | None) -> RegistryAuth | None:
        """Read the base64 JSON of ``X-Registry-Auth``; None when absent or empty, ValueError when broken."""
        if not value:
            return None
        try:
            document = json.loads(base64.urlsafe_b64decode(value + "=" * (-len(value) % 4)))
        except (binascii.Error, ValueError) as error:
            raise ValueError(f"invalid X-Registry-Auth header: {error}") from error
        return cls.from_json(document)

    @classmethod
    def from_json(cls, document: Any) -> RegistryAuth | None:
        """Read one Docker ``AuthConfig`` object; None when it holds no credentials."""
        if not isinstance(document, dict):
            return None
        username, password = str(document.get("username") or ""), str(document.get("password") or "")
        packed = document.get("auth")
        if packed and not username:
            try:
                username, _, password = base64.b64decode(packed).decode().partition(":")
            except (binascii.Error, ValueError) as error:
                raise ValueError(f"invalid registry credentials: {error}") from error
        auth = cls(
            username=username,
            password=password,
            identity_token=str(document.get("identitytoken") or ""),
            registry_token=str(document.get("registrytoken") or ""),
            server_address=str(document.get("serveraddress") or ""),
        )
        return auth if auth.username or auth.identity_token or auth.registry_token else None
