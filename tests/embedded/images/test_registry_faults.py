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
        self.slowly = 0.0
        """Seconds before each blob is sent."""
        self.at_once = self.most_at_once = 0
        """Blobs being sent, and the most of them so far."""
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
        self.at_once += blob
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await asyncio.sleep(self.slowly if blob else 0)
            return await self._pass_on(request, blob)
        finally:
            self.at_once -= blob

    async def _pass_on(self, request: web.Request, blob: bool) -> web.StreamResponse:
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


async def uploaded(session: aiohttp.ClientSession, upstream: str, blob: bytes) -> dict[str, object]:
    """Put a blob into the registry; returns its descriptor."""
    async with session.post(f"http://{upstream}/v2/app/blobs/uploads/") as answer:
        location = answer.headers["Location"]
    async with session.put(f"{location}&digest={digest(blob)}", data=blob) as answer:
        assert answer.status == 201
    return {"digest": digest(blob), "size": len(blob)}


async def put_manifest(
    session: aiohttp.ClientSession, upstream: str, document: dict[str, object], tag: str = ""
) -> dict[str, object]:
    """Put a manifest or index into the registry; returns its descriptor."""
    data = json.dumps({"schemaVersion": 2, **document}).encode()
    url = f"http://{upstream}/v2/app/manifests/{tag or digest(data)}"
    kind = str(document["mediaType"])
    async with session.put(url, data=data, headers={"Content-Type": kind}) as answer:
        assert answer.status == 201, await answer.text()
    return {"mediaType": kind, "digest": digest(data), "size": len(data)}


async def put_image(
    session: aiohttp.ClientSession,
    upstream: str,
    layers: list[tuple[bytes, str]],
    config: bytes,
    tag: str = "",
) -> dict[str, object]:
    """Put an OCI image of packed layers (with their media types' endings) into the registry."""
    described = [
        {**await uploaded(session, upstream, data), "mediaType": f"application/vnd.oci.image.layer.v1.{kind}"}
        for data, kind in layers
    ]
    about = {
        **await uploaded(session, upstream, config),
        "mediaType": "application/vnd.oci.image.config.v1+json",
    }
    document = {
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": about,
        "layers": described,
    }
    return await put_manifest(session, upstream, document, tag)


async def test_the_platform_is_chosen_from_an_index(store, other, gate):
    await published(store, gate, SMALL)
    async with aiohttp.ClientSession() as session:
        entries = []
        for architecture, variant in (("arm64", "v8"), ("amd64", ""), ("s390x", "")):
            layer = tar_of([("arch", architecture)])
            config = config_of([layer]).replace(b"amd64", architecture.encode())
            found = await put_image(session, gate.upstream, [(gzipped(layer), "tar+gzip")], config)
            platform = {"os": "linux", "architecture": architecture, "variant": variant}
            entries.append({**found, "platform": platform})
        kind = "application/vnd.oci.image.index.v1+json"
        index = await put_manifest(session, gate.upstream, {"mediaType": kind, "manifests": entries}, "multi")
    name = f"{gate.address}/app:multi"
    image = await other.pull(name, platform="linux/amd64")
    assert other.read(image.id, "/arch") == "amd64"
    assert image.repo_digests == (f"{gate.address}/app@{index['digest']}",)
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


async def test_layers_of_every_compression_are_pulled_and_pushed_on(store, other, gate, registry):
    import zstandard

    layers = [tar_of([(name, name * 50_000)]) for name in ("plain", "gzip", "zstd")]
    packed = [
        (layers[0], "tar"),
        (gzipped(layers[1]), "tar+gzip"),
        (zstandard.ZstdCompressor().compress(layers[2]), "tar+zstd"),
    ]
    async with aiohttp.ClientSession() as session:
        await put_image(session, gate.upstream, packed, config_of(layers), "mixed")
    image = await other.pull(f"{gate.address}/app:mixed")
    for name in ("plain", "gzip", "zstd"):
        assert other.read(image.id, f"/{name}") == name * 50_000
    await other.images.tag(image.id, f"{registry}/again", "1")
    await other.push(f"{registry}/again:1")
    assert (await store.pull(f"{registry}/again:1")).id == image.id
    assert store.read(image.id, "/zstd") == "zstd" * 50_000


async def test_layers_are_fetched_side_by_side(store, other, gate):
    layers = [tar_of([(f"layer{number}", "x" * 5000)]) for number in range(6)]
    name = await published(store, gate, *layers)
    gate.slowly = 0.1
    image = await other.pull(name)
    assert 3 <= gate.most_at_once <= 4
    assert [sorted(path.name for path in folder.iterdir()) for folder in other.images.lower_dirs(image)] == [
        [f"layer{number}"] for number in reversed(range(6))
    ]


async def test_one_layer_that_cannot_be_had_ends_the_others_and_leaves_no_image(store, other, gate):
    name = await published(store, gate, BIG, SMALL)
    gate.blob = lambda request, data: data[:-10] + b"\0" * 10 if len(data) > 2000 else data
    with pytest.raises(RegistryError):
        await other.pull(name)
    assert other.images.list(all_images=True) == []
    gate.blob = None
    assert (await other.pull(name)).layers


async def test_an_index_of_indexes_without_end_is_refused(store, other, gate):
    await published(store, gate, SMALL)
    kind = "application/vnd.oci.image.index.v1+json"
    async with aiohttp.ClientSession() as session:
        inner = await put_image(session, gate.upstream, [(gzipped(SMALL), "tar+gzip")], config_of([SMALL]))
        for _ in range(6):
            entry = {**inner, "platform": {"os": "linux", "architecture": "amd64"}}
            inner = await put_manifest(session, gate.upstream, {"mediaType": kind, "manifests": [entry]})
        await put_manifest(session, gate.upstream, {"mediaType": kind, "manifests": [entry]}, "deep")
    with pytest.raises(RegistryError, match="nested too deeply"):
        await other.pull(f"{gate.address}/app:deep")


@pytest.mark.parametrize(
    "document",
    [
        b"{",
        b"[]",
        b"null",
        b"[" * 100_000,
        b'{"schemaVersion": 1}',
        b'{"layers": 3, "config": {}}',
        b'{"manifests": 3}',
        b'{"manifests": [3]}',
        b'{"manifests": [{"platform": 7}]}',
        b'{"layers": [{"digest": "sha256:../../x", "size": 1}], "config": {"digest": "x", "size": 1}}',
        b'{"layers": [], "config": {"digest": "sha256:' + b"0" * 64 + b'", "size": -1}}',
        b"x" * 9_000_000,
    ],
)
async def test_manifests_that_make_no_sense_are_refused(other, document, unused_tcp_port):
    async def answer(request: web.Request) -> web.Response:
        return web.Response(body=document if "/manifests/" in request.path else b"{}")

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", unused_tcp_port).start()
    try:
        with pytest.raises((RegistryError, NotFound)):
            await other.pull(f"127.0.0.1:{unused_tcp_port}/app:1")
    finally:
        await runner.cleanup()
    assert other.images.list(all_images=True) == []
