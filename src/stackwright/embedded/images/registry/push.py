"""Pushes an image (Engine API, ImagePush): only what the registry lacks, as gzip layers and a Docker
manifest.
"""

from __future__ import annotations

import asyncio
import gzip
import json
from pathlib import Path
from typing import Any, BinaryIO, cast
from urllib.parse import urlencode, urljoin

from stackwright.embedded.images.archive.unpack import remove_tree
from stackwright.embedded.images.catalogue import Catalogue
from stackwright.embedded.images.layers import HashingWriter, Layer, LayerStore
from stackwright.embedded.images.reference import Reference
from stackwright.embedded.images.registry import manifest as manifests
from stackwright.embedded.images.registry.client import RegistryClient
from stackwright.embedded.images.registry.errors import RegistryError, RegistryRefused
from stackwright.embedded.images.registry.manifest import Descriptor
from stackwright.embedded.images.registry.pull import bar
from stackwright.embedded.images.saving import layer_writer
from stackwright.embedded.images.types import Image, Progress, RegistryAuth

_SIDE_BY_SIDE = 4
_GZIP_LEVEL = 5
_PIECE = 1 << 18


class Pusher:
    """Pushes from one store."""

    def __init__(self, catalogue: Catalogue, layers: LayerStore) -> None:
        self._catalogue, self._layers = catalogue, layers
        self._uploads = asyncio.Semaphore(_SIDE_BY_SIDE)

    async def push(
        self, chosen: list[tuple[Reference, Image]], auth: RegistryAuth | None, progress: Progress
    ) -> None:
        """Push these tags of one repository, each with the image that it names."""
        repository = chosen[0][0]
        progress({"status": f"The push refers to repository [{repository.name}]"})
        try:
            async with RegistryClient(repository.domain, repository.path, auth, push=True) as client:
                for reference, image in chosen:
                    await self._one(client, reference, image, progress)
        except RegistryRefused as error:
            raise RegistryRefused(
                f"denied: requested access to the resource is denied ({error.message})"
            ) from error

    async def _one(
        self, client: RegistryClient, reference: Reference, image: Image, progress: Progress
    ) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(self._layer(client, reference, diff_id, progress))
                    for diff_id in image.layers
                ]
        except BaseExceptionGroup as errors:
            raise _first(errors) from None
        config = self._catalogue.config_text(image.id).encode()
        await self._bytes(client, config, image.id)
        manifest = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": manifests.DOCKER_MANIFEST,
                "config": {"mediaType": manifests.DOCKER_CONFIG, "size": len(config), "digest": image.id},
                "layers": [
                    {
                        "mediaType": manifests.DOCKER_LAYER,
                        "size": task.result().size,
                        "digest": task.result().digest,
                    }
                    for task in tasks
                ],
            },
            indent=3,
        ).encode()
        headers = {"Content-Type": manifests.DOCKER_MANIFEST}
        async with client.request("PUT", f"manifests/{reference.tag}", headers=headers, data=manifest):
            pass
        digest = manifests.digest_of(manifest)
        self._catalogue.name(Reference(reference.domain, reference.path, digest=digest), image.id)
        progress({"status": f"{reference.tag}: digest: {digest} size: {len(manifest)}"})
        progress(
            {"progressDetail": {}, "aux": {"Tag": reference.tag, "Digest": digest, "Size": len(manifest)}}
        )

    async def _layer(
        self, client: RegistryClient, reference: Reference, diff_id: str, progress: Progress
    ) -> Descriptor:
        short = diff_id.removeprefix("sha256:")[:12]

        def tell(status: str, current: int = -1, total: int = 0) -> None:
            detail = {"current": current, "total": total} if current >= 0 else {}
            message: dict[str, Any] = {"status": status, "progressDetail": detail, "id": short}
            if current >= 0:
                message["progress"] = bar(current, total)
            progress(message)

        tell("Preparing")
        layer = self._layers.get(diff_id)
        if layer is None:
            raise RegistryError(f"layer {diff_id} is missing")
        async with self._uploads:
            known = await self._known(client, reference, layer, tell)
            if known is None:
                tell("Waiting")
                known = await self._upload_layer(client, layer, tell)
                tell("Pushed")
            self._catalogue.seen_blob(
                known.digest, diff_id, reference.name, known.size, manifests.DOCKER_LAYER
            )
            return known

    async def _known(
        self, client: RegistryClient, reference: Reference, layer: Layer, tell: Any
    ) -> Descriptor | None:
        """The layer's blob, when the registry has it already, in this repository or one it can take it
        from.
        """
        for digest, repository, size, media_type in self._catalogue.known_blobs(layer.diff_id):
            if "zstd" in media_type:
                continue
            found = Descriptor(digest, size, manifests.DOCKER_LAYER)
            async with client.request("HEAD", f"blobs/{digest}", accept=(404, 401, 403)) as response:
                if response.status == 200:
                    tell("Layer already exists")
                    return found
            domain, _, path = repository.partition("/")
            if domain != reference.domain or path == reference.path:
                continue
            query = urlencode({"mount": digest, "from": path})
            async with client.request("POST", f"blobs/uploads/?{query}", accept=(401, 403, 404)) as response:
                if response.status == 201:
                    tell(f"Mounted from {path}")
                    return found
        return None

    async def _upload_layer(self, client: RegistryClient, layer: Layer, tell: Any) -> Descriptor:
        folder = self._layers.work_folder("push")
        try:
            if layer.blob and "zstd" not in layer.media_type and "gzip" in layer.media_type:
                file, digest = self._layers.blob_path(layer.blob), layer.blob
            else:
                file = folder / "layer"
                digest = await asyncio.to_thread(_compress, layer, self._layers, file)
            size = file.stat().st_size
            await self._upload(client, file, digest, size, tell)
            return Descriptor(digest, size, manifests.DOCKER_LAYER)
        finally:
            await asyncio.to_thread(remove_tree, folder)

    async def _upload(self, client: RegistryClient, file: Path, digest: str, size: int, tell: Any) -> None:
        pause = 0.3
        for attempt in range(4):
            location = await self._begin(client)

            async def pieces() -> Any:
                sent = 0
                with file.open("rb") as source:
                    while data := source.read(_PIECE):
                        yield data
                        sent += len(data)
                        tell("Pushing", sent, size)

            headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
            try:
                async with client.request(
                    "PUT", _with_digest(location, digest), headers=headers, data=pieces(), attempts=1
                ):
                    return
            except RegistryRefused:
                raise
            except (RegistryError, OSError) as error:
                if attempt == 3 or getattr(error, "status", 500) < 500:
                    raise
            await asyncio.sleep(pause * 2**attempt)

    async def _bytes(self, client: RegistryClient, data: bytes, digest: str) -> None:
        async with client.request("HEAD", f"blobs/{digest}", accept=(404,)) as response:
            if response.status == 200:
                return
        location = await self._begin(client)
        headers = {"Content-Type": "application/octet-stream"}
        async with client.request("PUT", _with_digest(location, digest), headers=headers, data=data):
            pass

    @staticmethod
    async def _begin(client: RegistryClient) -> str:
        async with client.request("POST", "blobs/uploads/") as response:
            location = response.headers.get("Location", "")
            if not location:
                raise RegistryError("the registry did not say where to upload to")
            return urljoin(str(response.url), location)


def _with_digest(location: str, digest: str) -> str:
    return f"{location}{'&' if '?' in location else '?'}{urlencode({'digest': digest})}"


def _compress(layer: Layer, layers: LayerStore, target: Path) -> str:
    with target.open("wb") as out:
        hashed = HashingWriter(out)
        with gzip.GzipFile(
            fileobj=cast(BinaryIO, hashed), mode="wb", compresslevel=_GZIP_LEVEL, filename="", mtime=0
        ) as packed:
            layer_writer(layer, layers)(packed.write)
    return hashed.digest


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    found = errors.exceptions[0]
    return _first(found) if isinstance(found, BaseExceptionGroup) else found
