"""Compose applications in OCI registries, as ``docker compose publish`` puts them there (OCI Image Manifest).

The artifact's layers are its files: Compose files, which follow one another as documents of ``compose.yaml``;
files that services extend and env files, each under the name in its annotation.
"""

from __future__ import annotations

import json
import os
import re
from hashlib import sha256

from stackwright.model.remote.fetch import kept
from stackwright.model.remote.registry import Registry
from stackwright.model.sources import MAX_BYTES, UnreadableError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

_ARTIFACT = "application/vnd.docker.compose.project"
_EMPTY_CONFIG = "application/vnd.docker.compose.config.empty.v1+json"
_COMPOSE_FILE = "application/vnd.docker.compose.file+yaml"
_ENV_FILE = "application/vnd.docker.compose.envfile"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_REPOSITORY = re.compile(r"[a-z0-9]+([._-]+[a-z0-9]+)*(/[a-z0-9]+([._-]+[a-z0-9]+)*)*")
_NOTE = "com.docker.compose."


def fetch_artifact(address: str, cache: str, environment: Mapping[str, str]) -> str:
    """The ``compose.yaml`` of the artifact at ``oci://registry/name:tag`` or ``…@sha256:…``.

    What a tag means is asked each time; a digest that has been fetched needs no registry any more.

    Raises:
        UnreadableError: the registry cannot be reached or refuses, or it holds something else.
    """
    name, wanted = _reference(address)
    copy = os.path.join(cache, wanted.removeprefix("sha256:"), "compose.yaml")
    if wanted.startswith("sha256:") and os.path.isfile(copy):
        return copy
    host, _, repository = name.partition("/")
    registry = Registry(host, repository, environment)
    text = registry.get("manifests", wanted, _MANIFEST)
    if wanted.startswith("sha256:"):
        _verify(text, wanted, address)
    manifest = _manifest(text, address)

    def fill(folder: str) -> None:
        for index, layer in enumerate(manifest["layers"]):
            _write(folder, index, layer, registry, address)

    kept_at = kept(cache, sha256(text).hexdigest(), fill)
    file = os.path.join(kept_at, "compose.yaml")
    if not os.path.isfile(file):
        raise UnreadableError(f"{address} holds no Compose file")
    return file


def _reference(address: str) -> tuple[str, str]:
    """``registry/repository`` and the tag or digest.

    Raises:
        UnreadableError: it is not a reference.
    """
    rest = address.removeprefix("oci://")
    name, at, digest = rest.partition("@")
    tag = ""
    if ":" in name.rpartition("/")[2]:
        name, _, tag = name.rpartition(":")
    first, slash, _ = name.partition("/")
    if not slash or not ("." in first or ":" in first or first == "localhost"):
        name = f"registry-1.docker.io/{name if slash else f'library/{name}'}"
    if not _REPOSITORY.fullmatch(name.partition("/")[2]):
        raise UnreadableError(f"{address} is no reference: oci://registry/name:tag, the name in lower case")
    return name, digest if at else tag or "latest"


def _manifest(text: bytes, address: str) -> dict[str, Any]:
    try:
        manifest = json.loads(text)
        layers = manifest["layers"]
        kind = manifest.get("artifactType") or manifest["config"]["mediaType"]
    except (ValueError, TypeError, KeyError) as error:
        raise UnreadableError(f"{address} is not a Compose application: no OCI manifest") from error
    if kind not in (_ARTIFACT, _EMPTY_CONFIG) or not isinstance(layers, list):
        raise UnreadableError(f"{address} is not a Compose application but {kind}")
    return {"layers": layers}


def _write(folder: str, index: int, layer: Any, registry: Registry, address: str) -> None:
    kind, notes = layer.get("mediaType"), layer.get("annotations") or {}
    if kind == _COMPOSE_FILE:
        extended = notes.get(_NOTE + "extends") == "true"
        name = notes.get(_NOTE + "file", "") if extended else "compose.yaml"
        start = b"\n---\n" if index else b""
    elif kind == _ENV_FILE:
        name, start = notes.get(_NOTE + "envfile", ""), b""
    else:
        return
    if not name or "/" in name or name in (".", ".."):
        raise UnreadableError(f'{address} names a file "{name}", which is not a plain file name')
    if layer.get("size", 0) > MAX_BYTES:
        raise UnreadableError(f"{address}: {name} is larger than {MAX_BYTES >> 20} MiB")
    content = registry.get("blobs", layer["digest"])
    _verify(content, layer["digest"], address)
    with open(os.path.join(folder, name), "ab") as file:
        file.write(start + content)


def _verify(content: bytes, digest: str, address: str) -> None:
    if f"sha256:{sha256(content).hexdigest()}" != digest:
        raise UnreadableError(f"{address}: what the registry sent is not {digest}")
