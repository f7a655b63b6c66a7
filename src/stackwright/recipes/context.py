"""A recipe's folder as a build context, and the digest that tells whether its image is still right."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from . import rootfs
from .catalogue import Recipe

HOST_CA = "host-ca.crt"
"""The name in the context of the host's certificate authorities; empty when there is nothing to trust.
Only a recipe's throw-away stages look at it, so that nothing of it is left in an image."""
_CA_VARIABLES = ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")


def pack(recipe: Recipe, extra: Mapping[str, bytes]) -> bytes:
    """The folder as a tar: root's files, no times, so that layer caches hit on any machine."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, path in files(recipe.directory):
            _add(tar, name, path.read_bytes(), 0o755 if os.access(path, os.X_OK) else 0o644)
        for name, data in extra.items():
            _add(tar, name, data, 0o644)
    return buffer.getvalue()


def files(directory: Path) -> Iterator[tuple[str, Path]]:
    """Relative names and paths of a recipe's files, sorted."""
    for path in sorted(directory.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            yield str(path.relative_to(directory)), path


def digest(recipe: Recipe, below: Mapping[str, str]) -> str:
    """What an image of this recipe is made from: its files, its arguments and the digests of the
    stand-ins `below` it (by reference)."""
    hasher = hashlib.sha256()
    for name, path in files(recipe.directory):
        executable = b"x" if os.access(path, os.X_OK) else b"-"
        hasher.update(name.encode() + b"\0" + executable + hashlib.sha256(path.read_bytes()).digest())
    if recipe.kind == "rootfs":  # there our own code decides what is in it
        hasher.update(Path(rootfs.__file__).read_bytes())
    hasher.update(json.dumps([dict(recipe.args), dict(below)], sort_keys=True).encode())
    return hasher.hexdigest()


def host_ca(environ: Mapping[str, str] = os.environ) -> bytes:
    """The certificate authorities that this host was told to trust; empty when it was told nothing."""
    for name in _CA_VARIABLES:
        path = environ.get(name)
        if path:
            try:
                return Path(path).read_bytes()
            except OSError:
                continue
    return b""


def _add(tar: tarfile.TarFile, name: str, data: bytes, mode: int) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(data), mode
    tar.addfile(entry, io.BytesIO(data))
