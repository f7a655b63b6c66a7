"""A real registry (Debian's docker-registry) on loopback, and a way to put a Compose application into it."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import pytest

_MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for_port(port: int, process: subprocess.Popen[bytes], seconds: float = 20) -> None:
    """Until something listens there; fails when its process ends first."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            assert process.poll() is None and time.monotonic() < deadline, "the server does not listen"
            time.sleep(0.02)


@contextmanager
def registry(folder: Path, certificate: tuple[Path, Path] | None = None) -> Iterator[str]:
    """``localhost:port`` of a registry that keeps its data in ``folder``; with HTTPS when given a certificate."""
    program = shutil.which("docker-registry")
    if program is None:
        pytest.skip("the docker-registry package is not installed")
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    http = f"addr: '127.0.0.1:{port}'"
    if certificate:
        http += f", tls: {{certificate: {certificate[0]}, key: {certificate[1]}}}"
    config = folder / "registry.yml"
    config.write_text(
        f"version: 0.1\nlog: {{level: error}}\nstorage:\n  filesystem: {{rootdirectory: {folder}/data}}\n"
        f"http: {{{http}}}\n"
    )
    process = subprocess.Popen(
        [program, "serve", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_for_port(port, process)
        yield f"localhost:{port}"
    finally:
        process.terminate()
        process.wait()


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
