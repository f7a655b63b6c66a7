"""Builds a stand-in through the Docker Engine API: what it stands on first, then itself.

Nothing is built that is there already: an image carries the digest of all that went into it, and one
look at it tells. Builds of one reference side by side wait for each other and share the result.
"""

from __future__ import annotations

import asyncio
import tempfile
import weakref
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from stackwright.engine.client import EngineClient
from stackwright.engine.errors import BuildFailed, NotFound

from . import context, rootfs
from .catalogue import Recipe, find
from .errors import RecipeBuildFailed, RecipeInvalid

STANDIN_LABEL = "dev.stackwright.standin"
"""On each image that we build: the recipe's name."""
STANDIN_DIGEST_LABEL = "dev.stackwright.standin.digest"
"""What it was built from; an image whose digest is still right is not built again."""

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_CHUNK = 1 << 18
_AWAKE_SECONDS = 5.0

Progress = Callable[[dict[str, Any]], None]
_locks: weakref.WeakKeyDictionary[EngineClient, dict[str, asyncio.Lock]] = weakref.WeakKeyDictionary()


async def build(
    recipe: Recipe,
    engine: EngineClient,
    progress: Progress | None = None,
    *,
    force: bool = False,
    network: str | None = None,
) -> bool:
    """Make sure that `recipe.reference` exists on the engine; True if something was built.

    `progress` gets messages in the Engine API's form, `{"stream": "..."}`. `force` builds even what
    is there. `network` is the network mode of RUN steps. Raises `ToolMissing`, `RecipeBuildFailed`
    or `RecipeInvalid`, or an engine error.
    """
    say = progress or (lambda message: None)
    built = False
    for reference in below(recipe):
        needed = find(reference)
        if needed is None:
            raise RecipeInvalid(f"The recipe '{recipe.name}' needs '{reference}', which has no recipe.")
        built |= await build(needed, engine, progress, network=network)
    locks = _locks.setdefault(engine, {})
    async with locks.setdefault(recipe.reference, asyncio.Lock()):
        digest = full_digest(recipe)
        there = await _digest_on(engine, recipe.reference)
        if not force and there == digest:
            say({"stream": f"{recipe.reference}: the stand-in is up to date\n"})
            return built
        if not force and there == "":
            say({"stream": f"{recipe.reference}: already there, and no stand-in; left as it is\n"})
            return built
        say({"stream": f"{recipe.reference}: building a stand-in ({recipe.description})\n"})
        labels = {STANDIN_LABEL: recipe.name, STANDIN_DIGEST_LABEL: digest}
        make = _import_rootfs if recipe.kind == "rootfs" else _build_dockerfile
        try:
            await make(recipe, engine, labels, say, force, network)
        except BuildFailed as error:
            raise RecipeBuildFailed(
                f"The stand-in for {recipe.reference} could not be built: {error.message}",
                output=error.output,
            ) from error
        return True


def below(recipe: Recipe) -> tuple[str, ...]:
    """The references that a recipe stands on, in the order in which they are built."""
    return tuple(dict.fromkeys([*([recipe.base] if recipe.base else []), *recipe.needs]))


def full_digest(recipe: Recipe) -> str:
    """The digest of a recipe and of everything under it."""
    digests = {}
    for reference in below(recipe):
        needed = find(reference)
        digests[reference] = full_digest(needed) if needed else ""
    return context.digest(recipe, digests)


async def _digest_on(engine: EngineClient, reference: str) -> str | None:
    """None when there is no such image, empty when it is not ours (pulled, loaded, or built by the user)."""
    try:
        image = await engine.inspect_image(reference)
    except NotFound:
        return None
    labels = (image.get("Config") or {}).get("Labels") or {}
    return str(labels.get(STANDIN_DIGEST_LABEL, ""))


async def _import_rootfs(
    recipe: Recipe, engine: EngineClient, labels: Mapping[str, str], say: Progress,
    force: bool, network: str | None,
) -> None:  # fmt: skip
    repository, _, tag = recipe.reference.rpartition(":")
    with tempfile.TemporaryDirectory(prefix="stackwright-rootfs-") as folder:
        # mmdebstrap may drop to another user id, which must be able to pass through.
        Path(folder).chmod(0o755)
        archive = Path(folder) / "rootfs.tar"
        async with _awake(engine):
            await rootfs.make(recipe.args, archive, lambda line: say({"stream": f"{line}\n"}))
        changes = [f"ENV PATH={_PATH}", 'CMD ["bash"]']
        changes += [f'LABEL {key}="{value}"' for key, value in labels.items()]
        async for message in engine.import_image(
            _stream(archive), repository, tag, changes=changes, message=recipe.description
        ):
            say(message)


async def _build_dockerfile(
    recipe: Recipe, engine: EngineClient, labels: Mapping[str, str], say: Progress,
    force: bool, network: str | None,
) -> None:  # fmt: skip
    arguments = dict(recipe.args)
    if recipe.base:
        arguments["BASE"] = recipe.base
    # The embedded engine lends a step the host's authorities by itself; others can't.
    authorities = b"" if engine.kind == "embedded" else context.host_ca()
    tar = context.pack(recipe, {context.HOST_CA: authorities})
    async for message in engine.build(
        tar, tag=recipe.reference, buildargs=arguments, labels=labels, nocache=force, network=network
    ):
        say(message)


@asynccontextmanager
async def _awake(engine: EngineClient) -> AsyncIterator[None]:
    """Work on the host can take longer than the embedded engine waits for a request before it ends."""

    async def ask() -> None:
        while True:
            await asyncio.sleep(_AWAKE_SECONDS)
            await engine.ping()

    asking = asyncio.create_task(ask())
    try:
        yield
    finally:
        asking.cancel()
        # An engine that is gone is found, and said, by the next call.
        await asyncio.gather(asking, return_exceptions=True)


async def _stream(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        while data := await asyncio.to_thread(file.read, _CHUNK):
            yield data
