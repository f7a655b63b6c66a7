"""`config --resolve-image-digests` and `--lock-image-digests`: images pinned by what the registry says."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from stackwright.engine.client import EngineClient
from stackwright.engine.discover import choose, connect
from stackwright.engine.errors import EngineError

if TYPE_CHECKING:
    from stackwright.cli.flags import GlobalOptions
    from stackwright.model.load import Model

_AT_ONCE = 8


class DigestError(EngineError):
    """No digest could be found for an image; the message has a line for each."""


def pin_images(model: Model, options: GlobalOptions) -> None:
    """Replace each service's image by its reference with a digest, in place.

    The engine asks the registry (Engine API, `GET /distribution/{name}/json`), as it would for a pull: its
    credentials and mirrors hold.

    Raises:
        EngineError: the engine cannot be reached.
        DigestError: no registry knows an image.
    """
    asyncio.run(_pin(model, options))


async def _pin(model: Model, options: GlobalOptions) -> None:
    services = {name: item for name, item in model.data["services"].items() if item.get("image")}
    full = {name: normal_reference(item["image"]) for name, item in services.items()}
    async with await connect(choose(options.engine, context=options.context)) as engine:
        digests = await _digests(engine, {image for image in full.values() if "@" not in image})
    failed = [
        f"no digest for {full[name]} (service {name}): {problem}"
        for name in services
        if isinstance(problem := digests.get(full[name]), EngineError)
    ]
    if failed:
        raise DigestError("\n".join(failed))
    for name, service in services.items():
        service["image"] = f"{full[name]}@{digests[full[name]]}" if full[name] in digests else full[name]


async def _digests(engine: EngineClient, images: set[str]) -> dict[str, str | EngineError]:
    """The digest that each image's registry names, or why there is none."""
    places = asyncio.Semaphore(_AT_ONCE)

    async def ask(image: str) -> str | EngineError:
        async with places:
            try:
                return await engine.image_digest(image)
            except EngineError as error:
                return error

    async with asyncio.TaskGroup() as group:
        tasks = {image: group.create_task(ask(image)) for image in images}
    return {image: task.result() for image, task in tasks.items()}


def normal_reference(reference: str) -> str:
    """A reference with its registry, and its tag or digest: ``redis`` is ``docker.io/library/redis:latest``.

    A tag beside a digest is left out: it says nothing any more.
    """
    reference, at, digest = reference.partition("@")
    first, slash, _ = reference.partition("/")
    if not slash:
        reference = f"docker.io/library/{reference}"
    elif not ("." in first or ":" in first or first == "localhost"):
        reference = f"docker.io/{reference}"
    folder, _, name = reference.rpartition("/")
    if at:
        return f"{folder}/{name.partition(':')[0]}@{digest}"
    return reference if ":" in name else f"{reference}:latest"
