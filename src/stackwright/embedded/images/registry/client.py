"""One registry: where it is, how it wants to be asked, and asking again when the network fails.

OCI distribution specification; token authentication as the distribution project documents it.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import os
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from stackwright.embedded.images.registry.errors import RegistryError, RegistryRefused, RegistryUnreachable
from stackwright.embedded.images.registry.trust import ssl_context
from stackwright.embedded.images.types import RegistryAuth

if TYPE_CHECKING:
    import aiohttp

DOCKER_HUB = "docker.io"
_HUB_HOST = "registry-1.docker.io"
ATTEMPTS = 5
_FIRST_PAUSE = 0.3
_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
_CONNECT_TIMEOUT = 15.0
_SILENCE_TIMEOUT = 60.0
_CHALLENGE = re.compile(r'([a-zA-Z]+)="([^"]*)"')
_JSON_LIMIT = 8 << 20


class RegistryClient:
    """Requests to one registry on behalf of one repository. Use as an async context manager."""

    def __init__(
        self,
        domain: str,
        repository: str,
        auth: RegistryAuth | None,
        *,
        push: bool = False,
        mirror: str = "",
    ) -> None:
        """``mirror``: ask this host in the registry's place."""
        self.domain, self.repository = mirror or domain, repository
        self._host = mirror or (_HUB_HOST if domain == DOCKER_HUB else domain)
        self._auth = auth
        self._actions = "pull,push" if push else "pull"
        self._base = ""
        self._authorization = ""
        self._session: aiohttp.ClientSession | None = None
        self._signing_in = asyncio.Lock()

    async def __aenter__(self) -> RegistryClient:
        import aiohttp

        timeout = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_TIMEOUT, sock_read=_SILENCE_TIMEOUT)
        self._session = aiohttp.ClientSession(
            timeout=timeout,
            trust_env=not is_local(self._host),
            auto_decompress=False,
            headers={"User-Agent": "stackwright"},
        )
        try:
            await self._find()
        except BaseException:
            await self._session.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def _find(self) -> None:
        """Find out how it speaks: HTTPS, or for this machine's own (and those named insecure) plain HTTP
        too.
        """
        schemes = ("https", "http") if is_insecure(self._host) else ("https",)
        for scheme in schemes:
            self._base = f"{scheme}://{self._host}"
            try:
                async with self._once("GET", f"{self._base}/v2/", {}, None) as response:
                    if response.status == 401:
                        await self._sign_in(response.headers.get("WWW-Authenticate", ""))
                    return
            except RegistryUnreachable:
                if scheme == schemes[-1]:
                    raise

    @asynccontextmanager
    async def request(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        data: Any = None,
        accept: tuple[int, ...] = (),
        attempts: int = ATTEMPTS,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """One answered request below ``/v2/<repository>/`` (or to an absolute URL that the registry gave).

        Answers from 400 on raise, except the status codes of ``accept``. Network failures and temporary
        refusals are tried again; ``data`` must be None or bytes for that, else give ``attempts=1``.
        """
        url = path if "://" in path else f"{self._base}/v2/{self.repository}/{path}"
        pause, refused = _FIRST_PAUSE, False
        for attempt in range(1, attempts + 2):
            last = attempt >= attempts
            try:
                context = self._once(method, url, dict(headers or {}), data)
                response = await context.__aenter__()
            except RegistryUnreachable:
                if last:
                    raise
            else:
                if response.status == 401 and not refused:
                    refused = True
                    challenge = response.headers.get("WWW-Authenticate", "")
                    await context.__aexit__(None, None, None)
                    await self._sign_in(challenge)
                    continue
                if response.status not in _AGAIN or last or response.status in accept:
                    try:
                        if response.status >= 400 and response.status not in accept:
                            raise await self._failure(response)
                        yield response
                    finally:
                        await context.__aexit__(None, None, None)
                    return
                await context.__aexit__(None, None, None)
            await asyncio.sleep(pause)
            pause *= 2

    async def body(self, path: str, *, accept: str = "", limit: int = _JSON_LIMIT) -> tuple[bytes, str]:
        """A small document and its media type."""
        headers = {"Accept": accept} if accept else {}
        async with self.request("GET", path, headers=headers) as response:
            data = bytearray()
            async for piece in response.content.iter_chunked(1 << 16):
                data += piece
                if len(data) > limit:
                    raise RegistryError(f"{self.domain} answered with a document of more than {limit} bytes")
            return bytes(data), response.headers.get("Content-Type", "").partition(";")[0].strip()

    @asynccontextmanager
    async def _once(
        self, method: str, url: str, headers: dict[str, str], data: Any
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        import aiohttp

        assert self._session is not None
        host = urlsplit(url).netloc
        if self._authorization and host == self._host:
            headers["Authorization"] = self._authorization
        context = ssl_context(url, insecure=is_insecure(host))
        try:
            response = await self._session.request(method, url, headers=headers, data=data, ssl=context)
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise RegistryUnreachable(self.domain, _why(error)) from error
        async with response:
            yield response

    async def _sign_in(self, challenge: str) -> None:
        scheme, _, rest = challenge.partition(" ")
        fields = dict(_CHALLENGE.findall(rest))
        async with self._signing_in:
            if scheme.lower() == "basic" and self._auth is not None and self._auth.username:
                self._authorization = _basic(self._auth)
            elif scheme.lower() == "bearer" and "realm" in fields:
                self._authorization = f"Bearer {await self._token(fields)}"

    async def _token(self, fields: Mapping[str, str]) -> str:
        auth = self._auth
        if auth is not None and auth.registry_token:
            return auth.registry_token
        own = f"repository:{self.repository}:{self._actions}" if self.repository else ""
        parameters = {"service": fields.get("service", ""), "scope": fields.get("scope") or own}
        parameters = {key: value for key, value in parameters.items() if value}
        realm = fields["realm"]
        headers: dict[str, str] = {}
        if urlsplit(realm).scheme != "https" and not is_insecure(urlsplit(realm).netloc):
            raise RegistryError(f"{self.domain} wants credentials sent unencrypted to {realm}: refused")
        if auth is not None and auth.identity_token:
            form = {**parameters, "grant_type": "refresh_token", "client_id": "stackwright"}
            form["refresh_token"] = auth.identity_token
            context = self._once("POST", realm, headers, form)
        else:
            from urllib.parse import urlencode

            if auth is not None and auth.username:
                headers["Authorization"] = _basic(auth)
            query = urlencode(parameters)
            context = self._once("GET", f"{realm}{'&' if '?' in realm else '?'}{query}", headers, None)
        async with context as response:
            if response.status >= 400:
                raise await self._failure(response)
            answer = json.loads(await response.read())
        return str(answer.get("token") or answer.get("access_token") or "")

    async def _failure(self, response: aiohttp.ClientResponse) -> RegistryError | RegistryRefused:
        raw = await response.content.read(1 << 16)
        try:
            first = (json.loads(raw).get("errors") or [{}])[0]
            code, message = str(first.get("code", "")).lower().replace("_", " "), first.get("message", "")
        except (ValueError, AttributeError, LookupError):
            code, message = "", f"{response.status} {response.reason}"
        text = f"{code}: {message}" if code and message else code or message
        if response.status in (401, 403):
            return RegistryRefused(text or "unauthorized")
        error = RegistryError(text)
        error.status = response.status if response.status in (404, 429) else 500
        return error


def _why(error: Exception) -> str:
    """The cause without the library's wrapping ("Cannot connect to host x:443 ssl:<object at 0x…> [...]")."""
    cause = getattr(error, "certificate_error", None) or getattr(error, "os_error", None) or error
    number = getattr(cause, "errno", None)
    known = os.strerror(number) if isinstance(number, int) and number > 0 else getattr(cause, "strerror", "")
    return getattr(cause, "verify_message", "") or known or str(cause) or type(error).__name__


def _basic(auth: RegistryAuth) -> str:
    import base64

    return "Basic " + base64.b64encode(f"{auth.username}:{auth.password}".encode()).decode()


def is_local(host: str) -> bool:
    """Whether a registry is on this machine: plain HTTP is fine, as Docker has it."""
    name = host.rpartition(":")[0] if re.search(r":\d+$", host) else host
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False


def mirrors_of(domain: str) -> list[str]:
    """Hosts to ask before Docker Hub: ``STACKWRIGHT_REGISTRY_MIRRORS`` (hosts with ports, or URLs, with
    commas).
    """
    if domain != DOCKER_HUB:
        return []
    named = os.environ.get("STACKWRIGHT_REGISTRY_MIRRORS", "").split(",")
    return [urlsplit(name).netloc if "://" in name else name for one in named if (name := one.strip())]


def is_insecure(host: str) -> bool:
    """Local, or named in ``STACKWRIGHT_INSECURE_REGISTRIES`` (hosts with ports, separated by commas)."""
    return is_local(host) or host in os.environ.get("STACKWRIGHT_INSECURE_REGISTRIES", "").split(",")
