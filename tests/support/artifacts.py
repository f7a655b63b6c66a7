"""Artifacts in a registry: a way to put a Compose application there, and a certificate for its server."""

from __future__ import annotations

import json
import subprocess
import urllib.request
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

_MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def self_signed(folder: Path) -> tuple[Path, Path]:
    """A certificate for localhost, and its key."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=localhost",
    ]
    command += [
        "-addext",
        "subjectAltName=DNS:localhost,IP:127.0.0.1",
        "-keyout",
        str(key),
        "-out",
        str(certificate),
    ]
    subprocess.run(command, check=True, capture_output=True)
    return certificate, key


def publish(host: str, name: str, layers: list[tuple[str, Mapping[str, str], str]], kind: str) -> str:
    """Put an artifact there, over HTTP; returns its digest.

    Args:
        host: ``localhost:port``.
        name: ``repository:tag``.
        layers: media type, annotations and content of each.
        kind: ``artifactType``.
    """
    repository, _, tag = name.partition(":")
    base = f"http://{host}/v2/{repository}"
    described = [
        {**_upload(base, content.encode()), "mediaType": media, "annotations": dict(notes)}
        for media, notes, content in layers
    ]
    manifest = {
        "schemaVersion": 2,
        "mediaType": _MANIFEST,
        "artifactType": kind,
        "config": {**_upload(base, b"{}"), "mediaType": "application/vnd.oci.empty.v1+json"},
        "layers": described,
    }
    text = json.dumps(manifest).encode()
    _send("PUT", f"{base}/manifests/{tag}", text, _MANIFEST)
    return f"sha256:{sha256(text).hexdigest()}"


def _upload(base: str, content: bytes) -> dict[str, object]:
    digest = f"sha256:{sha256(content).hexdigest()}"
    where = _send("POST", f"{base}/blobs/uploads/", b"", "application/octet-stream")
    _send("PUT", f"{where}&digest={digest}", content, "application/octet-stream")
    return {"digest": digest, "size": len(content)}


def _send(method: str, address: str, body: bytes, kind: str) -> str:
    """The ``Location`` of the answer."""
    request = urllib.request.Request(address, body, {"Content-Type": kind}, method=method)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return str(answer.headers.get("Location", ""))
