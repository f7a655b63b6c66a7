"""Reading from an OCI registry over HTTPS (OCI Distribution Specification, Pull).

The standard library's client: a load reads a handful of small files, and only where a file asks for it.
"""

from __future__ import annotations

import base64
import json
import os
import re
import urllib.error
import urllib.parse
import urllib.request

from stackwright.model.sources import MAX_BYTES, UnreadableError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_SECONDS = 30
_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
_PARAMETER = re.compile(r'(\w+)="([^"]*)"')


class Registry:
    """One repository of a registry. HTTPS, or HTTP where a loopback address does not speak HTTPS."""

    def __init__(self, host: str, repository: str, environment: Mapping[str, str]) -> None:
        self.host = host
        self.repository = repository
        self.basic = _credentials(host, environment)
        self.authorization = f"Basic {self.basic}" if self.basic else ""
        self.scheme = "https"

    def get(self, kind: str, name: str, accept: str = "*/*") -> bytes:
        """The content of a manifest (``kind`` is ``manifests``) or a blob (``blobs``).

        Raises:
            UnreadableError: it cannot be had; the message says what the registry said.
        """
        path = f"/v2/{self.repository}/{kind}/{name}"
        try:
            return self._ask(path, accept)
        except urllib.error.HTTPError as error:
            if error.code == 401 and self._login(error.headers.get("WWW-Authenticate", "")):
                try:
                    return self._ask(path, accept)
                except urllib.error.HTTPError as refused:
                    raise self._refused(refused, name) from refused
            raise self._refused(error, name) from error

    def _ask(self, path: str, accept: str) -> bytes:
        try:
            return _read(f"{self.scheme}://{self.host}{path}", self.authorization, accept)
        except urllib.error.HTTPError:
            raise
        except OSError as error:
            if self.scheme == "https" and self.host.rpartition(":")[0] in _LOOPBACK:
                self.scheme = "http"
                return self._ask(path, accept)
            reason = getattr(error, "reason", None) or error
            said = getattr(reason, "strerror", None) or reason
            raise UnreadableError(f"registry {self.host} cannot be reached: {said}") from error

    def _login(self, challenge: str) -> bool:
        """Get the token that a Bearer challenge asks for; False when there is none to get."""
        scheme, _, rest = challenge.partition(" ")
        wanted = dict(_PARAMETER.findall(rest))
        if scheme.lower() != "bearer" or "realm" not in wanted:
            return False
        query = {"service": wanted.get("service", ""), "scope": f"repository:{self.repository}:pull"}
        address = f"{wanted['realm']}?{urllib.parse.urlencode(query)}"
        try:
            answer = json.loads(
                _read(address, f"Basic {self.basic}" if self.basic else "", "application/json")
            )
            token = answer.get("token") or answer.get("access_token")
        except (OSError, ValueError, AttributeError):
            return False
        self.authorization = f"Bearer {token}"
        return bool(token)

    def _refused(self, error: urllib.error.HTTPError, name: str) -> UnreadableError:
        what = f"{self.host}/{self.repository}"
        if error.code == 404:
            return UnreadableError(f"registry {self.host} has no {self.repository}:{name}")
        if error.code in (401, 403):
            return UnreadableError(
                f"registry {self.host} does not let you read {self.repository}: docker login?"
            )
        return UnreadableError(f"registry answers {error.code} {error.reason} for {what}:{name}")


def _read(address: str, authorization: str, accept: str) -> bytes:
    """The body behind a URL. Credentials stay with the host they are for, also when it redirects."""
    if not address.startswith(("https://", "http://")):
        raise UnreadableError(f"{address} is not a web address")
    request = urllib.request.Request(address, headers={"Accept": accept})
    if authorization:
        request.add_unredirected_header("Authorization", authorization)
    with urllib.request.urlopen(request, timeout=_SECONDS) as answer:
        body: bytes = answer.read(MAX_BYTES + 1)
    if len(body) > MAX_BYTES:
        raise UnreadableError(f"{address} is larger than {MAX_BYTES >> 20} MiB")
    return body


def _credentials(host: str, environment: Mapping[str, str]) -> str:
    """``user:password`` in base64, from `docker login`'s file; empty when there is none."""
    folder = environment.get("DOCKER_CONFIG") or os.path.join(environment.get("HOME") or "/", ".docker")
    try:
        with open(os.path.join(folder, "config.json"), "rb") as file:
            known = json.load(file).get("auths", {})
        names = (host, f"https://{host}", "https://index.docker.io/v1/" if "docker.io" in host else host)
        entry: dict[str, str] = next((known[name] for name in names if name in known), {})
        if entry.get("username"):
            return base64.b64encode(f"{entry['username']}:{entry.get('password', '')}".encode()).decode()
        return str(entry.get("auth", ""))
    except (OSError, ValueError, AttributeError):
        return ""
