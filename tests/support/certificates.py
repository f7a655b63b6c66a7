"""Certificates made on the spot: an authority, what it signed, in the folders in which docker expects them."""

from __future__ import annotations

import subprocess
from pathlib import Path


def _openssl(*words: str, folder: Path) -> None:
    subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True, timeout=60)


def authority(folder: Path) -> Path:
    """A folder with `ca.pem` and its key."""
    folder.mkdir(parents=True)
    _openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
             "-subj", "/CN=test authority", "-keyout", "ca-key.pem", "-out", "ca.pem", folder=folder)  # fmt: skip
    return folder


def signed(folder: Path, by: Path, *, name: str, extensions: str) -> Path:
    """A folder with `ca.pem`, `cert.pem` and `key.pem`. `extensions`: lines for X.509 v3."""
    folder.mkdir(parents=True)
    (folder / "ext").write_text(extensions)
    (folder / "ca.pem").write_bytes((by / "ca.pem").read_bytes())
    _openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
             "-keyout", "key.pem", "-out", "request.pem", folder=folder)  # fmt: skip
    _openssl("x509", "-req", "-in", "request.pem", "-days", "2", "-CA", str(by / "ca.pem"),
             "-CAkey", str(by / "ca-key.pem"), "-CAcreateserial", "-extfile", "ext", "-out", "cert.pem",
             folder=folder)  # fmt: skip
    return folder
