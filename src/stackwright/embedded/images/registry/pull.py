"""Pulls an image: manifest, configuration, layers side by side (Engine API, ImageCreate with
``fromImage``).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from stackwright.embedded.errors import NotFound
from stackwright.embedded.images.catalogue import Catalogue
from stackwright.embedded.images.layers import Layer, LayerStore
from stackwright.embedded.images.loading import check_config
from stackwright.embedded.images.reference import Reference
from stackwright.embedded.images.registry import manifest as manifests
from stackwright.embedded.images.registry.blobs import fetch
from stackwright.embedded.images.registry.client import RegistryClient, mirrors_of
from stackwright.embedded.images.registry.errors import (
    RegistryError,
    RegistryRefused,
    RegistryUnreachable,
    pull_denied,
)
from stackwright.embedded.images.registry.manifest import Descriptor, Manifest
from stackwright.embedded.images.types import Image, Platform, Progress, RegistryAuth

_SIDE_BY_SIDE = 4
_UNPACKED_AT_ONCE = 2
_PROGRESS_PAUSE = 0.1


class Puller:
    """Pulls into one store; several pulls of the same layer at once fetch it once."""

    def __init__(self, catalogue: Catalogue, layers: LayerStore) -> None:
        self.catalogue, self.layers = catalogue, layers
        self._downloads = asyncio.Semaphore(_SIDE_BY_SIDE)
        self._unpacking = asyncio.Semaphore(_UNPACKED_AT_ONCE)
        self._locks: dict[str, asyncio.Lock] = {}

    async def pull(
        self, reference: Reference, platform: Platform, auth: RegistryAuth | None, progress: Progress
    ) -> Image:
        """Fetch what is missing and name it; the errors are those of registry/errors and NotFound."""
        for mirror in mirrors_of(reference.domain):
            try:
                return await self._pull(reference, platform, None, progress, mirror)
            except (RegistryUnreachable, RegistryRefused, RegistryError, NotFound) as error:
                progress({"status": f"{mirror} cannot help: {error.message}"})
        try:
            return await self._pull(reference, platform, auth, progress)
        except RegistryRefused as error:
            raise pull_denied(reference.familiar_name, error.message.partition(": ")[2]) from error

    async def look(self, reference: Reference, auth: RegistryAuth | None) -> dict[str, Any]:
        """What is there under a name: descriptor and platforms (Engine API, DistributionInspect)."""
        for mirror in mirrors_of(reference.domain):
            with suppress(RegistryUnreachable, RegistryRefused, RegistryError, NotFound):
                return await self._look(reference, None, mirror)
        return await self._look(reference, auth)

    async def _look(
        self, reference: Reference, auth: RegistryAuth | None, mirror: str = ""
    ) -> dict[str, Any]:
        try:
            async with RegistryClient(reference.domain, reference.path, auth, mirror=mirror) as client:
                data, media_type = await self._named(client, reference)
                document = manifests.read(data)
                if manifests.is_index(document, media_type):
                    platforms = [entry["platform"] for entry in manifests.entries_of(document)]
                else:
                    config = manifests.read_manifest(data, media_type).config.digest
                    text, _ = await client.body(f"blobs/{config}")
                    found = manifests.read(manifests.verify(text, config))
                    keys = ("architecture", "os", "variant")
                    platforms = [{key: found[key] for key in keys if found.get(key)}]
        except RegistryRefused as error:
            raise pull_denied(reference.familiar_name, error.message.partition(": ")[2]) from error
        descriptor = {
            "mediaType": document.get("mediaType") or media_type,
            "digest": manifests.digest_of(data),
            "size": len(data),
        }
        return {"Descriptor": descriptor, "Platforms": platforms}

    async def _pull(
        self,
        reference: Reference,
        platform: Platform,
        auth: RegistryAuth | None,
        progress: Progress,
        mirror: str = "",
    ) -> Image:
        async with RegistryClient(reference.domain, reference.path, auth, mirror=mirror) as client:
            top, found = await self._manifest(client, reference, platform)
            progress({"status": f"Pulling from {reference.path}", "id": reference.tag or reference.digest})
            before = self.catalogue.named(reference)
            names = [Reference(reference.domain, reference.path, digest=top), reference]
            image_id = await self._image(client, found, names, progress)
        progress({"status": f"Digest: {top}"})
        fresh = before is None or before.id != image_id
        what = "Downloaded newer image for" if fresh else "Image is up to date for"
        progress({"status": f"Status: {what} {reference.familiar}"})
        image = self.catalogue.by_id(image_id)
        if image is None:
            raise NotFound(f"{reference.familiar} was removed while it was being pulled")
        return image

    async def _manifest(
        self, client: RegistryClient, reference: Reference, platform: Platform
    ) -> tuple[str, Manifest]:
        """The digest of what the reference names (an index, perhaps) and the manifest for the platform."""
        data, media_type = await self._named(client, reference)
        if reference.digest:
            manifests.verify(data, reference.digest)
        document = manifests.read(data)
        top = manifests.digest_of(data)
        depth = 0
        while manifests.is_index(document, media_type):
            depth += 1
            if depth > 4:
                raise RegistryError("indexes nested too deeply")
            digest = manifests.choose(manifests.entries_of(document), platform, reference.familiar)
            data, media_type = await client.body(f"manifests/{digest}", accept=manifests.ACCEPT)
            document = manifests.read(manifests.verify(data, digest))
        return top, manifests.read_manifest(data, media_type)

    @staticmethod
    async def _named(client: RegistryClient, reference: Reference) -> tuple[bytes, str]:
        try:
            return await client.body(
                f"manifests/{reference.digest or reference.tag}", accept=manifests.ACCEPT
            )
        except RegistryError as error:
            if error.status != 404:
                raise
            if error.message.startswith("name"):
                raise pull_denied(reference.familiar_name, "") from error
            raise NotFound(f"manifest for {reference.familiar} not found: {error.message}") from error

    async def _image(
        self, client: RegistryClient, found: Manifest, names: list[Reference], progress: Progress
    ) -> str:
        """Fetch and record the image, named before its layers are let go; returns its id."""
        reference = names[-1]
        text, _ = await client.body(f"blobs/{found.config.digest}")
        config = manifests.verify(text, found.config.digest)
        diff_ids = check_config(config)
        if len(diff_ids) != len(found.layers):
            raise RegistryError(
                f"the manifest names {len(found.layers)} layers, the configuration {len(diff_ids)}"
            )
        held: list[str] = []
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(self._layer(client, blob, diff_id, reference, progress, held))
                    for blob, diff_id in zip(found.layers, diff_ids, strict=True)
                ]
            size = sum(task.result().size for task in tasks)
            with self.catalogue.transaction():
                image_id = self.catalogue.add(config.decode(), size=size)
                for name in names:
                    self.catalogue.name(name, image_id)
            return image_id
        except BaseExceptionGroup as errors:
            raise _first(errors) from None
        finally:
            for diff_id in held:
                self.layers.release(diff_id)

    async def _layer(
        self,
        client: RegistryClient,
        blob: Descriptor,
        diff_id: str,
        reference: Reference,
        progress: Progress,
        held: list[str],
    ) -> Layer:
        short = blob.digest.removeprefix("sha256:")[:12]

        def tell(status: str, current: int = -1, total: int = 0) -> None:
            detail = {"current": current, "total": total} if current >= 0 else {}
            message: dict[str, object] = {"status": status, "progressDetail": detail, "id": short}
            if current >= 0:
                message["progress"] = bar(current, total)
            progress(message)

        async with self._locks.setdefault(blob.digest, asyncio.Lock()):
            layer = self.layers.get(diff_id)
            if layer is not None:
                self.layers.hold(diff_id)
                held.append(diff_id)
                tell("Already exists")
            else:
                tell("Pulling fs layer")
                target = self.layers.blob_path(blob.digest)
                async with self._downloads:
                    if not target.exists():
                        await fetch(client, blob, target, _every(_PROGRESS_PAUSE, blob.size, tell))
                tell("Download complete")
                async with self._unpacking:
                    tell("Extracting", 0, blob.size)
                    layer = await asyncio.to_thread(self._unpack, blob, diff_id)
                held.append(diff_id)
                tell("Pull complete")
            self.catalogue.seen_blob(blob.digest, diff_id, reference.name, blob.size, blob.media_type)
            return layer

    def _unpack(self, blob: Descriptor, diff_id: str) -> Layer:
        target = self.layers.blob_path(blob.digest)
        try:
            with target.open("rb", buffering=0) as raw:
                return self.layers.add_archive(
                    raw, expected=diff_id, blob=blob.digest, media_type=blob.media_type
                )
        except BaseException:
            target.unlink(missing_ok=True)
            raise


def _every(pause: float, total: int, tell: Callable[[str, int, int], None]) -> Callable[[int], None]:
    """Report bytes at most once in ``pause`` seconds."""
    last = 0.0

    def downloaded(size: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= pause or size == total:
            last = now
            tell("Downloading", size, total)

    return downloaded


def bar(current: int, total: int) -> str:
    """Docker's progress bar: ``[====>     ]  1.5MB/3MB``."""
    width = 50
    filled = width if total <= 0 else min(width, current * width // total)
    arrow = "=" * filled + (">" if filled < width else "")
    return f"[{arrow:<{width}}]  {human(current)}/{human(total)}"


def human(size: float) -> str:
    """``1.5MB``: four digits, powers of thousand."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.4g}{unit}"
        size /= 1000
    return f"{size:.4g}TB"


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    found = errors.exceptions[0]
    return _first(found) if isinstance(found, BaseExceptionGroup) else found
