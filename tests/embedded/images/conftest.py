"""A store in a temporary folder, archives to put in it, and a real registry (Debian's docker-registry)."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.support.registry import free_port, running_registry

from stackwright.embedded.images.service import ImageService
from stackwright.embedded.images.view import LayerView
from stackwright.embedded.state import Database

__all__ = ["free_port"]


async def chunks(data: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(data), 1 << 16):
        yield data[start : start + (1 << 16)]


def entry(kind: bytes, linkname: str = "", **values: Any) -> tarfile.TarInfo:
    info = tarfile.TarInfo()
    info.type, info.linkname = kind, linkname
    for key, value in values.items():
        setattr(info, key, value)
    return info


def tar_of(members: list[tuple[str, str | bytes | tarfile.TarInfo]], **options: Any) -> bytes:
    """An archive of ``(name, content or entry)``, in this order."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", **options) as archive:
        for name, content in members:
            if isinstance(content, tarfile.TarInfo):
                content.name = name
                archive.addfile(content, io.BytesIO(bytes(content.size)))
                continue
            data = content.encode() if isinstance(content, str) else content
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def config_of(layers: list[bytes], **config: Any) -> bytes:
    document = {
        "architecture": "amd64",
        "os": "linux",
        "created": "2024-01-02T03:04:05.678901234Z",
        "config": config,
        "rootfs": {"type": "layers", "diff_ids": [digest(layer) for layer in layers]},
        "history": [{"created_by": f"layer {number}"} for number in range(len(layers))],
    }
    return json.dumps(document).encode()


def docker_archive(layers: list[bytes], tags: list[str], **config: Any) -> bytes:
    """What ``docker save`` of older Docker versions looks like."""
    text = config_of(layers, **config)
    name = digest(text)[7:] + ".json"
    members: list[tuple[str, Any]] = [(name, text)]
    members += [(f"{number}/layer.tar", layer) for number, layer in enumerate(layers)]
    manifest = [{"Config": name, "RepoTags": tags, "Layers": [f"{n}/layer.tar" for n in range(len(layers))]}]
    return tar_of([*members, ("manifest.json", json.dumps(manifest))])


class Store:
    """An image service and shorthand for tests."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.images = ImageService(Database(root / "engine.db"), root / "images")
        self.messages: list[dict[str, Any]] = []

    async def load(self, archive: bytes) -> list[Any]:
        images = await self.images.load(chunks(archive), self.messages.append)
        await asyncio.sleep(0)
        return images

    async def save(self, *names: str) -> bytes:
        return b"".join([piece async for piece in self.images.save(names)])

    async def pull(self, name: str, **options: Any) -> Any:
        self.messages.clear()
        return await self.images.pull(name, progress=self.messages.append, **options)

    async def push(self, name: str, **options: Any) -> None:
        self.messages.clear()
        await self.images.push(name, progress=self.messages.append, **options)

    def statuses(self) -> list[str]:
        return [message.get("status", "") for message in self.messages]

    def view(self, name: str) -> LayerView:
        return LayerView(self.images.lower_dirs(name))

    def read(self, name: str, path: str) -> str:
        node = self.view(name).lookup(path)
        assert node is not None, f"{path} is not there"
        return Path(node.host).read_text()

    def folders(self, which: str) -> list[Path]:
        return list((self.root / "images" / which).iterdir())


@contextmanager
def opened(root: Path) -> Iterator[Store]:
    store = Store(root)
    try:
        yield store
    finally:
        store.images.database.close()


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    with opened(tmp_path / "one") as store:
        await store.images.start()
        yield store


@pytest.fixture
async def other(tmp_path: Path) -> AsyncIterator[Store]:
    with opened(tmp_path / "two") as store:
        await store.images.start()
        yield store


@pytest.fixture
async def registry(tmp_path: Path) -> AsyncIterator[str]:
    """``127.0.0.1:port`` of a registry that keeps its data in this test's folder."""
    with running_registry(tmp_path) as address:
        yield address


def gzipped(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)
