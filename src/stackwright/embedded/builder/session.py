"""What the stages of one build share: options, context, results of stages, pulled images, private folders."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stackwright.dockerfile import Dockerfile, Stage
from stackwright.embedded.builder.arguments import given_arguments, platform_arguments
from stackwright.embedded.builder.cache import StepCache
from stackwright.embedded.builder.contexts import FolderContext, ImageContext, find_context
from stackwright.embedded.builder.imported import ImportedCache
from stackwright.embedded.builder.output import Emit, text
from stackwright.embedded.builder.prepare import CacheFolders
from stackwright.embedded.builder.types import BuildOptions, Given, Lender, RunStep
from stackwright.embedded.builder.watch import BuildWatch, Unwatched
from stackwright.embedded.errors import NotFound
from stackwright.embedded.images.reference import Reference
from stackwright.embedded.images.service import ImageService
from stackwright.embedded.images.types import Image, Platform
from stackwright.embedded.images.view import LayerView

_ID = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass
class Session:
    """One build. ``folder``: its private one, removed with everything in it at the end."""

    images: ImageService
    run_step: RunStep
    cache: StepCache
    caches: CacheFolders
    options: BuildOptions
    dockerfile: Dockerfile
    context: Path
    folder: Path
    watch: BuildWatch = field(default_factory=Unwatched)
    given: dict[str, str] = field(init=False)
    outer: dict[str, str] = field(init=False)
    """Values of global arguments."""
    imported: ImportedCache = field(init=False)
    lender: Lender = field(init=False)
    platform_values: dict[str, str] = field(init=False)
    _results: dict[int, asyncio.Future[Image]] = field(default_factory=dict)
    _pulls: dict[str, asyncio.Lock] = field(default_factory=dict)
    _folders: dict[str, Path] = field(default_factory=dict)
    _leased: list[str] = field(default_factory=list)
    _ca_announced: bool = False

    def __post_init__(self) -> None:
        self.lender = self.options.lender or Given(self.options)
        self.given = given_arguments(self.options.build_args)
        self.imported = ImportedCache(self.images, self.options.cache_from)
        for source in self.imported.sources:
            self.lease(source)
        platform = Platform.parse(self.options.platform) if self.options.platform else Platform.host()
        self.platform_values = platform_arguments(platform)
        self.outer = {**self.platform_values, **self.dockerfile.global_values(self.given)}

    def expect(self, stage: Stage) -> asyncio.Future[Image]:
        """The promise of a stage's image, kept by whoever builds it."""
        return self._results.setdefault(stage.index, asyncio.get_running_loop().create_future())

    async def result(self, stage: Stage) -> Image:
        """Wait for another stage."""
        return await asyncio.shield(self.expect(stage))

    async def pulled(self, name: str, emit: Emit, platform: str = "") -> Image:
        """An image by name, pulled when it is not here (or always, with ``pull``)."""
        named = find_context(self.options.contexts, name)
        if isinstance(named, ImageContext):
            if _ID.fullmatch(named.name):
                return self.images.get(named.name)
            name = named.name
        reference = Reference.parse(name)  # refuses what can't be a name before anything is asked
        async with self._pulls.setdefault(name, asyncio.Lock()):
            if not self.options.pull:
                try:
                    return self.images.get(name)
                except NotFound:
                    pass
            return await self.images.pull(
                name,
                platform=platform or self.options.platform or None,
                auth=await self.lender.credentials(reference.domain),
                progress=emit,
            )

    async def view_of(self, origin: str, stage: Stage, emit: Emit) -> LayerView:
        """The files of ``--from=``: the context for an empty name, else an earlier stage's or an image's."""
        if not origin:
            return LayerView([self.context])
        named = find_context(self.options.contexts, origin)
        if named is not None and not isinstance(named, ImageContext):
            return LayerView([await self.folder_of(origin, named)])
        earlier = self.dockerfile.earlier_stage(origin, stage.index) if named is None else None
        if earlier is None and named is None:
            self.dockerfile.check_from(origin, stage)
        image = await self.result(earlier) if earlier else await self.pulled(origin, emit)
        self.lease(image)
        return LayerView(self.images.lower_dirs(image), identity=" ".join(image.layers) or image.id)

    async def folder_of(self, name: str, context: FolderContext) -> Path:
        """The files of a named context, fetched once."""
        async with self._pulls.setdefault(f"context {name.lower()}", asyncio.Lock()):
            if name.lower() not in self._folders:
                place = self.folder / f"named-{len(self._folders)}"
                place.mkdir()
                self._folders[name.lower()] = await context.fetch(place)
            return self._folders[name.lower()]

    def lease(self, image: Image) -> None:
        """Keep an image from being pruned until the build ends."""
        self.images.leases[image.id] += 1
        self._leased.append(image.id)

    def close(self) -> None:
        """Give the leases back and remove the private folder."""
        for image_id in self._leased:
            self.images.leases[image_id] -= 1
        self._leased.clear()

    @contextmanager
    def step_folder(self) -> Iterator[Path]:
        """A folder for one step."""
        folder = self.folder / f"step-{secrets.token_hex(4)}"
        folder.mkdir()
        try:
            yield folder
        finally:
            self.images.layers.trash.throw(folder)

    def announce_host_ca(self, emit: Emit) -> None:
        """Say, once, that RUN steps trust what the host trusts."""
        if not self._ca_announced:
            self._ca_announced = True
            text(emit, "Using the host's certificate authorities for RUN steps\n")

    def quiet(self, message: dict[str, Any]) -> None:
        """For messages that nobody waits for."""
