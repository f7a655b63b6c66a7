"""Debian's docker-registry, open, with passwords, or with a token server that signs what it grants."""

from __future__ import annotations

import base64
import json
import secrets
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

HTPASSWD = "me:$2b$05$kPOWNGcFf6ey9QeTWYGaTeUPkUFXJJZTpPsWuSuY1z5/mIOsLgRJC"
"""User `me` with the password `secret`."""


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody has."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


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
def running_registry(
    folder: Path, auth: str = "", certificate: tuple[Path, Path] | None = None
) -> Iterator[str]:
    """`127.0.0.1:port` of a registry with its data in `folder`; `auth` is that part of its configuration.

    With a certificate and its key it speaks HTTPS.
    """
    program = shutil.which("docker-registry")
    if program is None:
        pytest.skip("the docker-registry package is not installed")
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    tls = f", tls: {{certificate: {certificate[0]}, key: {certificate[1]}}}" if certificate else ""
    config = folder / "registry.yml"
    config.write_text(
        f"version: 0.1\nlog: {{level: error}}\nstorage:\n  filesystem: {{rootdirectory: {folder}/registry}}\n"
        f"  delete: {{enabled: true}}\nhttp: {{addr: '127.0.0.1:{port}'{tls}}}\n{auth}"
    )
    with (folder / "registry.log").open("wb") as log:
        process = subprocess.Popen([program, "serve", str(config)], stdout=log, stderr=log)
    try:
        wait_for_port(port, process)
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def password_auth(folder: Path) -> str:
    """Configuration for basic authentication: `me` with `secret`."""
    (folder / "htpasswd").write_text(HTPASSWD + "\n")
    return f"auth:\n  htpasswd: {{realm: test, path: {folder}/htpasswd}}\n"


class TokenServer:
    """The distribution project's token authentication: who may do what with which repository, as a signed token.

    `users` are passwords, `grants` what each user ("" is whoever gives no name) may do by repository; `refresh`
    are identity tokens. `lifetime`: seconds that a token is good for; the registry itself forgives 60 more.
    """

    ISSUER, SERVICE = "test-issuer", "test-registry"

    def __init__(self, folder: Path) -> None:
        if shutil.which("openssl") is None:
            pytest.skip("openssl is not installed")
        self._folder = folder
        self.users = {"reader": "r-secret", "writer": "w-secret"}
        self.refresh = {"identity-of-writer": "writer"}
        self.grants = {
            "": {"public": {"pull"}},
            "reader": {"public": {"pull"}, "private": {"pull"}},
            "writer": {"public": {"pull", "push"}, "private": {"pull", "push"}},
        }
        self.lifetime = 300.0
        self.asked: list[dict[str, str]] = []
        """Each request's fields, with `user`."""
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=test", "-days", "2",
             "-keyout", str(folder / "token.key"), "-out", str(folder / "token.pem")],
            check=True, capture_output=True,
        )  # fmt: skip
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.address = f"127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    def __enter__(self) -> TokenServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def registry_auth(self) -> str:
        """That part of the registry's configuration."""
        return (
            f"auth:\n  token:\n    realm: http://{self.address}/token\n    service: {self.SERVICE}\n"
            f"    issuer: {self.ISSUER}\n    rootcertbundle: {self._folder}/token.pem\n"
        )

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                fields = parse_qs(urlsplit(self.path).query)
                header = self.headers.get("Authorization", "")
                user, _, password = base64.b64decode(header.removeprefix("Basic ")).decode().partition(":")
                known = not user or owner.users.get(user) == password
                self._answer(owner.grant(fields, user) if known else None, "token")

            def do_POST(self) -> None:
                fields = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
                name = owner.refresh.get(fields.get("refresh_token", [""])[0])
                right = fields.get("grant_type") == ["refresh_token"] and name is not None
                self._answer(owner.grant(fields, name or "") if right else None, "access_token")

            def _answer(self, token: str | None, key: str) -> None:
                body = (
                    {key: token}
                    if token
                    else {"errors": [{"code": "UNAUTHORIZED", "message": "wrong password"}]}
                )
                data = json.dumps(body).encode()
                self.send_response(200 if token else 401)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                """Nothing to be said."""

        return Handler

    def grant(self, fields: dict[str, list[str]], user: str) -> str:
        """A token for what of the wish is granted, which may be nothing."""
        self.asked.append({"user": user, **{key: " ".join(values) for key, values in fields.items()}})
        access = []
        for scope in " ".join(fields.get("scope", [])).split():
            kind, _, rest = scope.partition(":")
            name, _, actions = rest.rpartition(":")
            allowed = self.grants.get(user, {}).get(name, set()) & set(actions.split(","))
            access.append({"type": kind, "name": name, "actions": sorted(allowed)})
        now = time.time()
        claims = {
            "iss": self.ISSUER, "sub": user, "aud": self.SERVICE, "jti": secrets.token_hex(8), "access": access,
            "iat": int(now) - 100, "nbf": int(now) - 100, "exp": int(now + self.lifetime),
        }  # fmt: skip
        return self._signed(claims)

    def _signed(self, claims: dict[str, object]) -> str:
        """A JSON Web Token, RS256, with the certificate in its head."""
        pem = (self._folder / "token.pem").read_text()
        certificate = "".join(line for line in pem.splitlines() if "CERTIFICATE" not in line)
        parts = [{"typ": "JWT", "alg": "RS256", "x5c": [certificate]}, claims]
        text = ".".join(_packed(json.dumps(part).encode()) for part in parts)
        signed = subprocess.run(
            ["openssl", "dgst", "-sha256", "-sign", str(self._folder / "token.key")],
            input=text.encode(), capture_output=True, check=True,
        )  # fmt: skip
        return f"{text}.{_packed(signed.stdout)}"


def _packed(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
