"""What somebody logged in with: the credentials that `docker login` keeps, for pulls and pushes of ours.

They are read where the `docker` command keeps them: `$DOCKER_CONFIG/config.json`, or the helper program that it
names (`credsStore`, `credHelpers`).
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

HUB = "https://index.docker.io/v1/"
"""The name under which credentials of Docker Hub are kept."""
_HELPER_SECONDS = 20.0


def registry(reference: str) -> str:
    """The key under which credentials for an image's registry are kept.

    >>> registry("redis:7"), registry("ghcr.io/a/b"), registry("localhost:5000/a")
    ('https://index.docker.io/v1/', 'ghcr.io', 'localhost:5000')
    """
    first, slash, _ = reference.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return HUB if first in ("docker.io", "index.docker.io") else first
    return HUB


async def credentials(reference: str, environ: Mapping[str, str] = os.environ) -> dict[str, str] | None:
    """The Engine API's AuthConfig for an image's registry, or None when nobody logged in there."""
    try:
        config = json.loads(_file(environ).read_text())
    except (OSError, ValueError):
        return None
    if not isinstance(config, dict):
        return None
    name = registry(reference)
    helper = (config.get("credHelpers") or {}).get(name) or config.get("credsStore")
    if helper:
        found = await _ask(str(helper), name)
        if found is not None:
            return found
    return _kept(config.get("auths") or {}, name)


def _file(environ: Mapping[str, str]) -> Path:
    folder = environ.get("DOCKER_CONFIG")
    return (Path(folder) if folder else Path.home() / ".docker") / "config.json"


def _kept(auths: Mapping[str, Any], name: str) -> dict[str, str] | None:
    for key in (name, f"https://{name}", f"https://{name}/v1/", f"https://{name}/v2/"):
        entry = auths.get(key)
        if not isinstance(entry, dict):
            continue
        if entry.get("identitytoken"):
            return {"identitytoken": str(entry["identitytoken"]), "serveraddress": name}
        try:
            user, _, password = base64.b64decode(str(entry.get("auth", ""))).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            continue
        if user:
            return {"username": user, "password": password.rstrip("\0"), "serveraddress": name}
    return None


async def _ask(helper: str, name: str) -> dict[str, str] | None:
    """Ask `docker-credential-<helper>`, by its protocol; None where it is missing or knows nothing."""
    try:
        process = await asyncio.create_subprocess_exec(
            f"docker-credential-{helper}",
            "get",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
    except OSError:
        return None
    try:
        async with asyncio.timeout(_HELPER_SECONDS):
            answer, _ = await process.communicate(name.encode())
        found = json.loads(answer)
    except (TimeoutError, ValueError):
        return None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode or not isinstance(found, dict) or not found.get("Secret"):
        return None
    if found.get("Username") == "<token>":
        return {"identitytoken": str(found["Secret"]), "serveraddress": name}
    return {
        "username": str(found.get("Username", "")),
        "password": str(found["Secret"]),
        "serveraddress": name,
    }
