"""The Engine API's endpoints for images: lists, registries, archives, builds."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Mapping, Sequence

from stackwright.engine.calls import JSON, Calls
from stackwright.engine.errors import ApiError, BuildFailed, NotFound, PullFailed, PushFailed
from stackwright.engine.http import Body

_UNREACHABLE = (
    "no such host", "connection refused", "i/o timeout", "timeout exceeded", "network is unreachable",
    "temporary failure in name resolution", "no route to host", "server misbehaving", "eof",
    "connection reset", "cannot connect", "cannot reach", "unreachable", "certificate",
    "name or service not known", "service unavailable", "bad gateway", "gateway", "proxyconnect", "forbidden",
    "timed out", "name resolution",
)  # fmt: skip


def image_path(reference: str) -> str:
    return f"/images/{reference}"


class ImageCalls(Calls):
    """What can be asked of an engine about images; part of `EngineClient`."""

    async def list_images(self, *, filters: JSON | None = None) -> list[JSON]:
        """ImageList."""
        return list(await self._get("/images/json", filters=filters))

    async def inspect_image(self, reference: str) -> JSON:
        """ImageInspect. Raises `NotFound`."""
        return dict(await self._get(f"{image_path(reference)}/json"))

    async def image_digest(self, reference: str) -> str:
        """The digest that the image's registry names for it (DistributionInspect)."""
        found = await self._get(f"/distribution/{reference}/json")
        return str(found["Descriptor"]["digest"])

    async def has_image(self, reference: str) -> bool:
        """Whether the engine has the image."""
        try:
            await self.inspect_image(reference)
        except NotFound:
            return False
        return True

    async def tag_image(self, reference: str, repo: str, tag: str) -> None:
        """ImageTag."""
        await self._post(f"{image_path(reference)}/tag", repo=repo, tag=tag)

    async def remove_image(self, reference: str, *, force: bool = False) -> list[JSON]:
        """ImageDelete."""
        return list(await self._delete(image_path(reference), force=force) or [])

    async def prune_images(self, filters: JSON | None = None) -> JSON:
        """ImagePrune: remove images without a name that nothing uses."""
        response = await self.transport.request("POST", "/images/prune", query={"filters": filters or {}})
        return dict(await response.json() or {})

    async def push(self, reference: str, *, auth: Mapping[str, str] | None = None) -> AsyncIterator[JSON]:
        """ImagePush to its registry: progress messages. Raises `PushFailed`."""
        name, tag = split_reference(reference)
        headers = {"X-Registry-Auth": base64.urlsafe_b64encode(json.dumps(auth or {}).encode()).decode()}
        try:
            response = await self.transport.request(
                "POST", f"{image_path(name)}/push", query={"tag": tag}, headers=headers
            )
        except ApiError as error:
            raise PushFailed(f"cannot push {reference}: {error.message}") from error
        async for message in self._messages(response):
            if "error" in message:
                raise PushFailed(f"cannot push {reference}: {_error_text(message)}")
            yield message

    async def pull(
        self, reference: str, *, platform: str | None = None, auth: Mapping[str, str] | None = None
    ) -> AsyncIterator[JSON]:
        """ImageCreate from a registry: progress messages. Raises `PullFailed`."""
        name, tag = split_reference(reference)
        headers = (
            {"X-Registry-Auth": base64.urlsafe_b64encode(json.dumps(auth).encode()).decode()} if auth else {}
        )
        query = {"fromImage": name, "tag": tag, "platform": platform or None}
        try:
            response = await self.transport.request("POST", "/images/create", query=query, headers=headers)
        except ApiError as error:
            raise _pull_failed(reference, error.message) from error
        async for message in self._messages(response):
            if "error" in message:
                raise _pull_failed(reference, _error_text(message))
            yield message

    async def import_image(
        self, stream: Body, repo: str, tag: str, *, changes: Sequence[str] = (), message: str | None = None
    ) -> AsyncIterator[JSON]:
        """ImageCreate with fromSrc=-: a root file system as a tar becomes `repo:tag`."""
        query = {"fromSrc": "-", "repo": repo, "tag": tag, "changes": list(changes), "message": message}
        response = await self.transport.request(
            "POST", "/images/create", query=query, body=stream, content_type="application/x-tar"
        )
        async for line in self._messages(response):
            if "error" in line:
                raise BuildFailed(f"importing {repo}:{tag} failed: {_error_text(line)}")
            yield line

    async def load(self, stream: Body) -> AsyncIterator[JSON]:
        """ImageLoad: images from an archive (`docker save` or OCI layout)."""
        response = await self.transport.request(
            "POST", "/images/load", query={"quiet": True}, body=stream, content_type="application/x-tar"
        )
        async for message in self._messages(response):
            if "error" in message:
                raise BuildFailed(f"loading images failed: {_error_text(message)}")
            yield message

    async def build(
        self,
        context: Body,
        *,
        tag: str | Sequence[str] | None = None,
        dockerfile: str | None = None,
        buildargs: Mapping[str, str] | None = None,
        target: str | None = None,
        labels: Mapping[str, str] | None = None,
        nocache: bool = False,
        pull: bool = False,
        network: str | None = None,
        extra_hosts: Sequence[str] = (),
        cache_from: Sequence[str] = (),
        shm_size: int | None = None,
        platform: str | None = None,
        memory: int | None = None,
        ulimits: Mapping[str, tuple[int, int]] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> AsyncIterator[JSON]:
        """ImageBuild (classic builder) from a tar: progress messages. Raises `BuildFailed`.

        `shm_size` and `memory` in bytes; `ulimits`: name → soft and hard limit. The image's id comes in a message `{"aux": {"ID": ...}}`.
        """
        query = {
            "t": [tag] if isinstance(tag, str) else list(tag or ()),
            "dockerfile": dockerfile,
            "buildargs": dict(buildargs) if buildargs else None,
            "target": target or None,
            "labels": dict(labels) if labels else None,
            "nocache": nocache,
            "pull": pull or None,
            "networkmode": network or None,
            "extrahosts": ",".join(extra_hosts) or None,
            "cachefrom": json.dumps(list(cache_from)) if cache_from else None,
            "shmsize": shm_size,
            "platform": platform or None,
            "memory": memory,
            "ulimits": _ulimits(ulimits),
            "rm": True,
            "forcerm": True,
        }
        tail: list[str] = []
        response = await self.transport.request(
            "POST", "/build", query=query, headers=headers, body=context, content_type="application/x-tar"
        )
        async for message in self._messages(response):
            if "error" in message:
                raise BuildFailed(_error_text(message), output=tuple("".join(tail).splitlines()[-20:]))
            if "stream" in message:
                tail = [*tail[-199:], str(message["stream"])]
            yield message


def _ulimits(limits: Mapping[str, tuple[int, int]] | None) -> str | None:
    found = [{"Name": name, "Soft": soft, "Hard": hard} for name, (soft, hard) in (limits or {}).items()]
    return json.dumps(found) if found else None


def split_reference(reference: str) -> tuple[str, str]:
    """`name[:tag|@digest]` as ImageCreate wants it.

    >>> split_reference("postgres:15-alpine"), split_reference("localhost:5000/app")
    (('postgres', '15-alpine'), ('localhost:5000/app', 'latest'))
    """
    name, at, digest = reference.partition("@")
    if at:
        return name, digest
    head, colon, tag = reference.rpartition(":")
    return (head, tag) if colon and "/" not in tag else (reference, "latest")


def _error_text(message: JSON) -> str:
    detail = message.get("errorDetail") or {}
    return str(detail.get("message") or message.get("error") or "unknown error").strip()


def _pull_failed(reference: str, reason: str) -> PullFailed:
    low = reason.lower()
    unreachable = any(sign in low for sign in _UNREACHABLE)
    return PullFailed(f"cannot pull {reference}: {reason}", unreachable=unreachable)
