"""`config --resolve-image-digests` and `--lock-image-digests`: images pinned by what the registry says."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from stackwright.engine.client import EngineClient, image_path
from stackwright.engine.discover import choose, connect
from stackwright.engine.errors import EngineError

if TYPE_CHECKING:
    from stackwright.cli.flags import GlobalOptions
    from stackwright.model.load import Model


class DigestError(EngineError):
    """No digest could be found for an image."""


def pin_images(model: Model, options: GlobalOptions) -> None:
    """Replace each service's image by its reference with a digest, in place.

    Raises:
        EngineError: the engine cannot be reached, or no registry knows the image.
    """
    asyncio.run(_pin(model, options))


async def _pin(model: Model, options: GlobalOptions) -> None:
    async with await connect(choose(options.engine, context=options.context)) as engine:
        services = [service for service in model.data["services"].values() if service.get("image")]
        for service in services:
            service["image"] = await _pinned(engine, service["image"])


async def _pinned(engine: EngineClient, reference: str) -> str:
    """``repository:tag@digest``: as the registry has it, else as the engine's own copy remembers."""
    if "@" in reference:
        return reference
    full = normal_reference(reference)
    try:
        found = await engine._get(f"/distribution/{image_path(full)}/json")
        return f"{full}@{found['Descriptor']['digest']}"
    except EngineError as failure:
        try:
            image = await engine.inspect_image(reference)
        except EngineError:
            raise failure from None
        repository = full.rpartition(":")[0]
        for known in image.get("RepoDigests") or ():
            name, _, digest = known.partition("@")
            if normal_reference(name).rpartition(":")[0] == repository:
                return f"{full}@{digest}"
        raise


def normal_reference(reference: str) -> str:
    """A reference with its registry and tag: ``redis`` is ``docker.io/library/redis:latest``."""
    first, slash, _ = reference.partition("/")
    if not slash:
        reference = f"docker.io/library/{reference}"
    elif not ("." in first or ":" in first or first == "localhost"):
        reference = f"docker.io/{reference}"
    return reference if ":" in reference.rpartition("/")[2] else f"{reference}:latest"
