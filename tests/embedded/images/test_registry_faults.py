"""Registries that want tokens, cut connections, lie, or offer several platforms: a gate before a real registry."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable

import aiohttp
import pytest
from aiohttp import web
from tests.embedded.images.conftest import (
    chunks,
    config_of,
    digest,
    docker_archive,
    free_port,
    gzipped,
    tar_of,
)

from stackwright.embedded.errors import NotFound
from stackwright.embedded.images.registry import blobs
from stackwright.embedded.images.registry.errors import RegistryError, RegistryUnreachable
from stackwright.embedded.images.types import RegistryAuth

BIG = tar_of([("big", bytes(range(256)) * 8000), ("more", "x" * 300_000)])
SMALL = tar_of([("small", "1")])


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blobs, "FIRST_PAUSE", 0.01)


class Gate:
    """Passes requests on to the registry; tests put hooks in its way."""

    def __init__(self, upstream: str, port: int) -> None:
        self.upstream, self.address = upstream, f"127.0.0.1:{port}"
        self.requests: list[tuple[str, str, str]] = []
        self.blob: Callable[[web.Request, bytes], bytes] | None = None
        self.refuse: list[int] = []
        """Status codes to answer the next blob requests with."""
        self.cut_after: list[int] = []
        """For the next blob requests: bytes to send before the connection breaks."""
        self.token_for: tuple[str, str] | None = None
        """User and password that get a token; without one, everything is open."""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append((request.method, request.path, request.headers.get("Range", "")))
        if request.path == "/token":
            return self._token(request)
        if self.token_for and request.headers.get("Authorization") != "Bearer right":
            scope = "repository:app:pull"
            challenge = f'Bearer realm="http://{self.address}/token",service="gate",scope="{scope}"'
            return web.json_response(
                {"errors": [{"code": "UNAUTHORIZED", "message": "authentication required"}]},
                status=401,
                headers={"WWW-Authenticate": challenge},
            )
        blob = request.method == "GET" and "/blobs/" in request.path
        if blob and self.refuse:
            return web.Response(status=self.refuse.pop(0))
        async with aiohttp.ClientSession(auto_decompress=False) as session:
            url = f"http://{self.upstream}{request.path_qs}"
            headers = {k: v for k, v in request.headers.items() if k not in ("Host", "Authorization")}
            async with session.request(
                request.method, url, headers=headers, data=await request.read(), allow_redirects=False
            ) as answer:
                data = await answer.read()
                kept = {k: v for k, v in answer.headers.items() if k not in ("Content-Length", "Connection")}
                kept = {k: v.replace(self.upstream, self.address) for k, v in kept.items()}
                if blob and self.blob:
                    data = self.blob(request, data)
                if blob and self.cut_after and len(data) > 1000:
                    return await self._cut(request, answer.status, kept, data, self.cut_after.pop(0))
                if request.method == "HEAD":
                    kept["Content-Length"] = answer.headers.get("Content-Length", "0")
                return web.Response(status=answer.status, headers=kept, body=data)

    def _token(self, request: web.Request) -> web.StreamResponse:
        wanted = base64.b64encode(":".join(self.token_for or ("", "")).encode()).decode()
        if request.headers.get("Authorization") != f"Basic {wanted}":
            return web.json_response({"errors": [{"code": "UNAUTHORIZED", "message": "bad"}]}, status=401)
        return web.json_response({"token": "right"})

    @staticmethod
    async def _cut(
        request: web.Request, status: int, headers: dict[str, str], data: bytes, after: int
    ) -> web.StreamResponse:
        response = web.StreamResponse(status=status, headers={**headers, "Content-Length": str(len(data))})
        await response.prepare(request)
        await response.write(data[:after])
        assert request.transport is not None
        request.transport.close()
        return response


@pytest.fixture
async def gate(registry: str) -> AsyncIterator[Gate]:
    port = free_port()
    gate = Gate(registry, port)
    application = web.Application(client_max_size=1 << 30)
    application.router.add_route("*", "/{path:.*}", gate.handle)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    yield gate
    await runner.cleanup()


async def published(store, gate, *layers: bytes) -> str:
    """Push an image of these layers behind the gate; returns its name there."""
    direct = f"{gate.upstream}/app:1"
    await store.load(docker_archive(list(layers), [direct]))
    await store.push(direct)
    await store.images.remove(direct, force=True)
    return f"{gate.address}/app:1"


async def test_a_cut_connection_is_resumed_where_it_broke(store, other, gate):
    name = await published(store, gate, BIG)
    gate.cut_after = [3_000, 2_000]
    await other.pull(name)
    assert other.view(name).lookup("/big").status.st_size == 2_048_000
    ranges = [ranged for method, path, ranged in gate.requests if "/blobs/" in path and ranged]
    assert ranges == ["bytes=3000-", "bytes=5000-"]


async def test_what_was_fetched_survives_a_failed_pull_and_a_new_engine(store, other, gate):
    name = await published(store, gate, BIG)
    gate.cut_after = [4_000] + [1] * 10
    with pytest.raises(RegistryUnreachable):
        await other.pull(name)
    assert other.images.list(all_images=True) == []
    await other.images.start()
    gate.requests.clear()
    gate.cut_after = []
    await other.pull(name)
    assert any(ranged.startswith("bytes=4") for _, path, ranged in gate.requests if "/blobs/" in path)


async def test_temporary_refusals_are_tried_again(store, other, gate):
    name = await published(store, gate, SMALL)
    gate.refuse = [503, 429]
    assert (await other.pull(name)).layers


async def test_wrong_content_is_never_unpacked(store, other, gate):
    name = await published(store, gate, BIG)
    gate.blob = lambda request, data: data[:-10] + b"\0" * 10 if len(data) > 2000 else data
    with pytest.raises(RegistryError, match="verification failed for digest"):
        await other.pull(name)
    assert other.folders("layers") == []
    assert not [file for file in other.folders("blobs/sha256") if file.suffix != ".part"]


async def test_more_content_than_announced_is_not_read(store, other, gate):
    name = await published(store, gate, BIG)
    gate.blob = lambda request, data: data + b"\0" * 100_000 if len(data) > 2000 else data
    with pytest.raises(RegistryError, match="sent more than"):
        await other.pull(name)


async def test_a_wrong_configuration_is_refused(store, other, gate):
    name = await published(store, gate, SMALL)
    gate.blob = lambda request, data: data.replace(b"linux", b"Linux")
    with pytest.raises(RegistryError, match="does not match its digest"):
        await other.pull(name)


async def test_tokens_are_asked_for_with_credentials(store, other, gate):
    name = await published(store, gate, SMALL)
    gate.token_for = ("me", "secret")
    with pytest.raises(
        NotFound, match=r"pull access denied for .*/app, repository does not exist or may require"
    ):
        await other.pull(name)
    with pytest.raises(NotFound, match="pull access denied"):
        await other.pull(name, auth=RegistryAuth("me", "wrong"))
    await other.pull(name, auth=RegistryAuth("me", "secret"))
    await other.images.tag(name, f"{gate.address}/app", "2")
    await other.push(f"{gate.address}/app:2", auth=RegistryAuth("me", "secret"))


async def test_two_pulls_at_once_fetch_a_layer_once(store, other, gate):
    name = await published(store, gate, BIG, SMALL)
    await asyncio.gather(*(other.images.pull(name, progress=other.messages.append) for _ in range(3)))
    fetched = [path for method, path, _ in gate.requests if method == "GET" and "/blobs/" in path]
    layers = [path for path in fetched if fetched.count(path) == 1]
    assert len(layers) == 2
    assert len(other.folders("layers")) == 2


async def test_the_platform_is_chosen_from_an_index(store, other, gate):
    await published(store, gate, SMALL)
    async with aiohttp.ClientSession() as session:
        entries = []
        for architecture, variant in (("arm64", "v8"), ("amd64", ""), ("s390x", "")):
            layer = gzipped(tar_of([("arch", architecture)]))
            config = config_of([tar_of([("arch", architecture)])]).replace(b"amd64", architecture.encode())
            manifest = json.dumps(
                {
                    "schemaVersion": 2,
                    "mediaType": "application/vnd.oci.image.manifest.v1+json",
                    "config": {
                        "mediaType": "application/vnd.oci.image.config.v1+json",
                        "digest": digest(config),
                        "size": len(config),
                    },
                    "layers": [
                        {
                            "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
                            "digest": digest(layer),
                            "size": len(layer),
                        }
                    ],
                }
            ).encode()
            for blob in (layer, config):
                url = f"http://{gate.upstream}/v2/app/blobs/uploads/"
                async with session.post(url) as answer:
                    location = answer.headers["Location"]
                async with session.put(f"{location}&digest={digest(blob)}", data=blob) as answer:
                    assert answer.status == 201
            kind = {"Content-Type": "application/vnd.oci.image.manifest.v1+json"}
            url = f"http://{gate.upstream}/v2/app/manifests/{digest(manifest)}"
            async with session.put(url, data=manifest, headers=kind) as answer:
                assert answer.status == 201
            platform = {"os": "linux", "architecture": architecture, "variant": variant}
            entries.append(
                {
                    "mediaType": kind["Content-Type"],
                    "digest": digest(manifest),
                    "size": len(manifest),
                    "platform": platform,
                }
            )
        kind = {"Content-Type": "application/vnd.oci.image.index.v1+json"}
        index = json.dumps({"schemaVersion": 2, "mediaType": kind["Content-Type"], "manifests": entries})
        url = f"http://{gate.upstream}/v2/app/manifests/multi"
        async with session.put(url, data=index, headers=kind) as answer:
            assert answer.status == 201
    name = f"{gate.address}/app:multi"
    image = await other.pull(name, platform="linux/amd64")
    assert other.read(image.id, "/arch") == "amd64"
    assert image.repo_digests == (f"{gate.address}/app@{digest(index.encode())}",)
    arm = await other.pull(name, platform="linux/arm64")
    assert other.read(arm.id, "/arch") == "arm64"
    with pytest.raises(NotFound, match=r"no matching manifest for linux/riscv64"):
        await other.pull(name, platform="linux/riscv64")


async def test_zstd_layers_are_unpacked(store, other):
    import zstandard

    packed = zstandard.ZstdCompressor().compress(SMALL)
    text = config_of([SMALL])
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "config": {"digest": digest(text), "size": len(text)},
            "layers": [{"digest": digest(packed), "size": len(packed)}],
        }
    ).encode()
    index = {"schemaVersion": 2, "manifests": [{"digest": digest(manifest), "size": len(manifest)}]}
    members = [(f"blobs/sha256/{digest(data)[7:]}", data) for data in (packed, text, manifest)]
    archive = tar_of([*members, ("oci-layout", "{}"), ("index.json", json.dumps(index))])
    (image,) = await store.images.load(chunks(archive), store.messages.append)
    assert store.read(image.id, "/small") == "1"
