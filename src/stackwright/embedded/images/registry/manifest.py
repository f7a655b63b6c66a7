"""Manifests and indexes, Docker's and OCI's: what they name, and whether they are what was asked for."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from stackwright.embedded.errors import NotFound
from stackwright.embedded.images.registry.errors import RegistryError
from stackwright.embedded.images.types import Platform

DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
ACCEPT = ", ".join((DOCKER_MANIFEST, DOCKER_LIST, OCI_MANIFEST, OCI_INDEX))
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Descriptor:
    """One blob: where it is (by content), how long, what it is."""

    digest: str
    size: int
    media_type: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """An image manifest. ``digest``: its own."""

    digest: str
    media_type: str
    config: Descriptor
    layers: tuple[Descriptor, ...]


def digest_of(data: bytes) -> str:
    """``sha256:...``"""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def verify(data: bytes, digest: str) -> bytes:
    """``data``, when its digest is the expected one; RegistryError else."""
    actual = digest_of(data)
    if actual != digest:
        raise RegistryError(f"content does not match its digest: expected {digest}, got {actual}")
    return data


def is_index(document: dict[str, Any], media_type: str) -> bool:
    """Whether this is a list of manifests for several platforms."""
    return (document.get("mediaType") or media_type) in (DOCKER_LIST, OCI_INDEX) or "manifests" in document


def read(data: bytes) -> dict[str, Any]:
    """A JSON object; RegistryError for anything else, and for the manifests of the first Docker registries."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise RegistryError(f"the registry answered with an unreadable manifest: {error}") from None
    if not isinstance(document, dict):
        raise RegistryError("the registry answered with an unreadable manifest")
    if document.get("schemaVersion") == 1:
        raise RegistryError(
            "Docker image format v1 (schema 1) is not supported: ask the publisher to push it anew"
        )
    return document


def entries_of(index: dict[str, Any]) -> list[dict[str, Any]]:
    """The entries of an index, each with a ``platform`` object."""
    entries = index.get("manifests") or []
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise RegistryError("the registry answered with an unreadable index")
    kept = [{**entry, "platform": entry.get("platform") or {}} for entry in entries]
    if not all(isinstance(entry["platform"], dict) for entry in kept):
        raise RegistryError("the registry answered with an unreadable index")
    return kept


def read_manifest(data: bytes, media_type: str) -> Manifest:
    """An image manifest with checked descriptors."""
    document = read(data)
    try:
        return Manifest(
            digest=digest_of(data),
            media_type=document.get("mediaType") or media_type,
            config=_descriptor(document["config"]),
            layers=tuple(_descriptor(layer) for layer in document["layers"]),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise RegistryError(f"the registry answered with an unreadable manifest: {error!r}") from None


def _descriptor(document: dict[str, Any]) -> Descriptor:
    digest, size = str(document["digest"]), document["size"]
    if not _DIGEST.fullmatch(digest) or not isinstance(size, int) or size < 0:
        raise RegistryError(f"the registry answered with an unreadable descriptor: {digest[:100]}")
    return Descriptor(digest, size, str(document.get("mediaType") or ""))


def choose(entries: Sequence[dict[str, Any]], wanted: Platform, name: str) -> str:
    """The digest for a platform among :func:`entries_of`; NotFound with Docker's words when there is none for it."""
    best: tuple[int, str] | None = None
    for entry in entries:
        platform = entry["platform"]
        if platform.get("os") != wanted.os or platform.get("architecture") != wanted.architecture:
            continue
        variant = str(platform.get("variant") or "")
        if wanted.variant and variant and variant > wanted.variant:
            continue  # made for a newer processor
        rank = 2 if variant == wanted.variant else 1 if not variant else 0
        digest = str(entry.get("digest", ""))
        if _DIGEST.fullmatch(digest) and (best is None or rank > best[0]):
            best = (rank, digest)
    if best is None:
        raise NotFound(f"no matching manifest for {wanted} in the manifest list entries of {name}")
    return best[1]
