"""The image service: everything the engine does with images, as one object.

It owns ``<state>/images`` and the tables ``image_*`` of the engine's database. All methods are called on the
event loop; what takes long (unpacking, hashing, talking to registries) runs in threads or awaits.
Errors are :mod:`stackwright.embedded.errors` with Docker's texts.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stackwright.embedded.errors import BadParameter, NotFound
from stackwright.embedded.images import listing, views
from stackwright.embedded.images.catalogue import Catalogue
from stackwright.embedded.images.changes import apply_changes
from stackwright.embedded.images.document import child_document, continued
from stackwright.embedded.images.layers import LayerStore
from stackwright.embedded.images.loading import load_archive
from stackwright.embedded.images.reference import Reference
from stackwright.embedded.images.removal import RUNNING, Removal
from stackwright.embedded.images.saving import write_archive
from stackwright.embedded.images.streams import from_thread, full_disk_explained, produced_by, spool
from stackwright.embedded.images.types import Image, Platform, Progress, RegistryAuth
from stackwright.embedded.state import Database

if TYPE_CHECKING:
    from stackwright.embedded.images.registry.pull import Puller

log = logging.getLogger("stackwright.engine")

__all__ = ["Image", "ImageService", "Platform", "Progress", "RegistryAuth"]

MAX_LAYERS = 480
"""Overlayfs stacks 500; a container and a build step need some for themselves."""

Filters = Mapping[str, Iterable[str]]
Documents = list[dict[str, Any]]
Images = list[Image]
Report = list[dict[str, str]]
Named = list[tuple[Image, Reference | None]]
Chosen = list[tuple[Image, list[Reference]]]


class ImageService:
    """Pull, push, load, save, import, commit, look up and remove images.

    ``database`` is the engine's :class:`~stackwright.embedded.state.Database`; ``root`` the folder of the
    store.
    """

    def __init__(self, database: Database, root: Path) -> None:
        self.database = database
        self.catalogue = Catalogue(database)
        self.layers = LayerStore(database, root)
        self._in_use: Callable[[], Mapping[str, Sequence[str]]] = dict
        self._protected = False
        self._puller: Puller | None = None
        self.leases: Counter[str] = Counter()
        """Image ids that work under way (a build) needs, however few names they have."""
        self._forgetters: list[Callable[[], int]] = []

    async def start(self) -> None:
        """Create the tables and folders and remove what interrupted work left behind.

        Call once, before anything else.
        """
        self.catalogue.open()
        await asyncio.to_thread(self.layers.open)
        for image in self.catalogue.incomplete():
            log.warning("image %s is forgotten: layers of it are lost", " ".join(image.repo_tags) or image.id)
            self.catalogue.delete(image.id)
        await self._collect()

    async def close(self) -> None:
        """Finish deleting what was removed. Transfers end with the requests they belong to."""
        await self.layers.trash.settle()

    def protect(self, in_use: Callable[[], Mapping[str, Sequence[str]]]) -> None:
        """Say which images containers use: a callable giving image id → ids of its containers.

        Running containers' ids carry the suffix ``" running"`` (``"4f66ad9a1b2c running"``); removal of such
        images is refused, removal of images that only stopped containers use needs ``force``. None of them is
        ever pruned, and their layers stay as long as the containers do.
        """
        self._in_use, self._protected = in_use, True

    @contextmanager
    def leased(self, *image_ids: str) -> Iterator[None]:
        """Keep images from being removed while work that needs them is under way."""
        self.leases.update(image_ids)
        try:
            yield
        finally:
            self.leases.subtract(image_ids)

    def get(self, name: str) -> Image:
        """Find an image by id, unique id prefix, tag or digest reference; NotFound("No such image: ...")."""
        return self.catalogue.find(name)

    def list(self, filters: Filters | None = None, *, all_images: bool = False) -> Documents:
        """Image summaries, newest first (Engine API ``GET /images/json``).

        Filters: dangling, label, before, since, reference, until.
        """
        return listing.summaries(self.catalogue, filters, all_images=all_images)

    def inspect(self, name: str) -> dict[str, Any]:
        """Engine API ``GET /images/{name}/json``."""
        return views.inspect(self.get(name), self.catalogue, self.layers)

    def history(self, name: str) -> Documents:
        """Engine API ``GET /images/{name}/history``, newest first."""
        return views.history(self.get(name), self.catalogue, self.layers)

    def lower_dirs(self, image: Image | str) -> tuple[Path, ...]:
        """The unpacked layers, topmost first, ready for overlayfs ``lowerdir=``. Treat them as read-only.

        Never empty: an image without layers gives one empty folder.
        """
        if isinstance(image, str):
            image = self.get(image)
        folders = []
        # The same layer twice (two steps that changed nothing) is refused by overlayfs, and the lower one is
        # hidden by its twin entirely.
        for diff_id in dict.fromkeys(reversed(image.layers)):
            layer = self.layers.get(diff_id)
            if layer is None:
                raise NotFound(f"layer {diff_id} of image {image.id} is missing")
            folders.append(layer.folder)
        return tuple(folders) or (self.layers.empty,)

    async def pull(
        self,
        reference: str,
        *,
        platform: str | None = None,
        auth: RegistryAuth | None = None,
        progress: Progress,
    ) -> Image:
        """Pull one tag or digest (``:latest`` when none is given) with Docker's progress messages.

        Raises NotFound (no such repository or tag, or access denied), or RegistryUnreachable
        (images/registry/errors) when the registry could not be talked to at all.
        """
        wanted = Reference.parse(reference).tagged()
        try:
            where = Platform.parse(platform) if platform else Platform.host()
        except ValueError as error:
            raise BadParameter(str(error)) from None
        with full_disk_explained():
            return await self._pulls().pull(wanted, where, auth, progress)

    async def distribution(self, reference: str, *, auth: RegistryAuth | None = None) -> dict[str, Any]:
        """What a registry has under a name (``GET /distribution/{name}/json``), without pulling it.

        ``{"Descriptor": {mediaType, digest, size}, "Platforms": [...]}``; errors as :meth:`pull`.
        """
        return await self._pulls().look(Reference.parse(reference).tagged(), auth)

    async def push(
        self, reference: str, *, tag: str | None = None, auth: RegistryAuth | None = None, progress: Progress
    ) -> None:
        """Push one tag, or all local tags of the repository when ``reference`` has none and ``tag`` is
        None.
        """
        from stackwright.embedded.images.registry.push import Pusher

        wanted = Reference.parse(reference)
        if tag:
            wanted = wanted.tagged(tag)
        references = [wanted] if wanted.tag else self.catalogue.tags_of(wanted)
        chosen = [(one, image) for one in references if (image := self.catalogue.named(one))]
        if not chosen:
            raise NotFound(f"An image does not exist locally with the tag: {wanted.familiar_name}")
        with full_disk_explained(), self.leased(*(image.id for _, image in chosen)):
            await Pusher(self.catalogue, self.layers).push(chosen, auth, progress)

    async def load(self, stream: AsyncIterator[bytes], progress: Progress) -> Images:
        """Read a ``docker save`` or OCI-layout archive, plain or compressed (gzip, zstd, bzip2, xz)."""
        folder = self.layers.work_folder("body")
        try:
            with full_disk_explained():
                await spool(stream, folder / "archive")
                tell = from_thread(progress)
                loaded = await asyncio.to_thread(
                    load_archive, folder / "archive", folder / "unpacked", self.catalogue, self.layers, tell
                )
        finally:
            self.layers.trash.throw(folder)
        return [image for image_id, _ in loaded if (image := self.catalogue.by_id(image_id))]

    def save(self, names: Sequence[str]) -> AsyncIterator[bytes]:
        """One archive that both ``docker load`` and OCI tools read.

        ``names``: ids, tags, digests, or bare repositories for all their tags. NotFound is raised at once,
        not while streaming.
        """
        chosen: dict[str, tuple[Image, list[Reference]]] = {}
        for name in names:
            for image, reference in self._named(name):
                references = chosen.setdefault(image.id, (image, []))[1]
                if reference is not None and reference not in references:
                    references.append(reference)
        return self._written(list(chosen.values()))

    async def _written(self, chosen: Chosen) -> AsyncIterator[bytes]:
        with self.leased(*(image.id for image, _ in chosen)):
            async for piece in produced_by(
                lambda write: write_archive(chosen, self.catalogue, self.layers, write)
            ):
                yield piece

    def _named(self, name: str) -> Named:
        """The images that one name of ``save`` means, with the tags they are saved under."""
        try:
            reference = Reference.parse(name)
        except BadParameter:
            return [(self.get(name), None)]
        if not reference.tag and not reference.digest:
            tags = [(self.catalogue.named(tag), tag) for tag in self.catalogue.tags_of(reference)]
            found: Named = [(image, tag) for image, tag in tags if image]
            if found:
                return found
        image = self.get(name)
        tagged = reference.tag and self.catalogue.named(reference) is not None
        return [(image, reference if tagged and not reference.digest else None)]

    async def import_(
        self,
        stream: AsyncIterator[bytes],
        reference: str = "",
        *,
        changes: Sequence[str] = (),
        message: str = "",
        platform: str | None = None,
        progress: Progress | None = None,
    ) -> Image:
        """Make a one-layer image of a root filesystem archive (``POST /images/create?fromSrc=-``)."""
        name = Reference.parse(reference).tagged() if reference else None
        config = apply_changes({}, changes)
        wanted = Platform.parse(platform) if platform else None
        folder = self.layers.work_folder("body")
        try:
            with full_disk_explained():
                await spool(stream, folder / "archive")
                layer = await asyncio.to_thread(self.layers.import_archive, folder / "archive")
        finally:
            self.layers.trash.throw(folder)
        try:
            document = child_document(
                None,
                config,
                diff_id=layer.diff_id,
                created_by="",
                comment=message or "Imported from -",
                platform=wanted,
            )
            image_id = self.catalogue.add(document, size=layer.size)
        finally:
            self.layers.release(layer.diff_id)
        if name is not None:
            self.catalogue.name(name, image_id)
        if progress:
            progress({"status": image_id})
        return self.get(image_id)

    async def commit(
        self,
        upper: Path | None,
        *,
        parent: Image | str | None,
        config: dict[str, Any],
        created_by: str,
        comment: str = "",
        author: str = "",
        references: Sequence[str] = (),
        take: bool = False,
        without: Sequence[str] = (),
    ) -> Image:
        """Make an image of ``parent`` plus one layer (``docker commit`` and the builder's steps).

        ``upper``: an overlay upper folder, or None for a change of configuration only. Copied, unless
        ``take``
        gives it away (a rename, when on the same filesystem). ``config``: the new image's run configuration
        (Env, Cmd, ...). ``without``: paths of ``upper`` that are not of the layer.
        """
        names = [Reference.parse(reference).tagged() for reference in references]
        base = self.get(parent) if isinstance(parent, str) else parent
        if upper is not None and base is not None and len(base.layers) >= MAX_LAYERS:
            raise BadParameter(f"max depth exceeded: an image can have {MAX_LAYERS} layers")
        size = base.size if base else 0
        diff_id = None
        if upper is not None:
            with full_disk_explained(), self.leased(*([base.id] if base else [])):
                layer = await asyncio.to_thread(self.layers.add_folder, upper, take=take, without=without)
            diff_id, size = layer.diff_id, size + layer.size
        try:
            document = child_document(
                base, config, diff_id=diff_id, created_by=created_by, comment=comment, author=author
            )
            image_id = self.catalogue.add(document, size=size, parent=base.id if base else "")
        finally:
            if diff_id:
                self.layers.release(diff_id)
        for name in names:
            self.catalogue.name(name, image_id)
        return self.get(image_id)

    def restored(
        self, parent: Image | None, config: dict[str, Any], entry: dict[str, Any], diff_id: str | None
    ) -> Image:
        """The image that a step gave once, from its history entry and its layer, which is here."""
        layer = self.layers.get(diff_id) if diff_id else None
        size = (parent.size if parent else 0) + (layer.size if layer else 0)
        document = continued(parent, config, entry, diff_id=diff_id)
        return self.get(self.catalogue.add(document, size=size, parent=parent.id if parent else ""))

    async def tag(self, name: str, repository: str, tag: str = "") -> str:
        """Give an image another name; returns the familiar reference set. BadParameter for an invalid one."""
        image = self.get(name)
        reference = Reference.parse(repository)
        if reference.digest:
            raise BadParameter("refusing to create a tag with a digest reference")
        reference = reference.tagged(tag)
        self.catalogue.name(reference, image.id)
        return reference.familiar

    async def remove(self, name: str, *, force: bool = False, prune: bool = True) -> Report:
        """``DELETE /images/{name}``: ``[{"Untagged": ...}, {"Deleted": ...}]``; Conflict when in use."""
        removal = Removal(self.catalogue, self._users)
        # Whole: a load under way in a thread names its image before or after.
        report = self.database.removal(lambda: removal.remove(name, force=force, prune=prune))
        await self._collect()
        return report

    async def prune(self, filters: Filters | None = None) -> dict[str, Any]:
        """``POST /images/prune``: ``{"ImagesDeleted": [...], "SpaceReclaimed": bytes}``.

        Only dangling images unless the filter ``dangling=false``; ``until``, ``label``, ``label!`` narrow it.
        """
        rest = {key: list(values) for key, values in (filters or {}).items()}
        dangling = rest.pop("dangling", ["true"])
        wanted = listing.matcher(self.catalogue, rest, ("until", "label", "label!"))
        dangling_only = dangling[0].lower() not in ("0", "false")
        removal = Removal(self.catalogue, self._users)
        report = self.database.removal(lambda: removal.prune(wanted, dangling_only=dangling_only))
        freed = await self._collect()
        return {"ImagesDeleted": report or None, "SpaceReclaimed": freed}

    def on_prune_build_cache(self, forget: Callable[[], int]) -> None:
        """Register what :meth:`prune_build_cache` calls; returns the bytes given back. Used by the builder."""
        self._forgetters.append(forget)

    async def prune_build_cache(self) -> dict[str, Any]:
        """``POST /build/prune``: forget cached steps and the folders of ``RUN --mount=type=cache``."""
        freed = 0
        for forget in self._forgetters:
            freed += await asyncio.to_thread(forget)
        return {"CachesDeleted": None, "SpaceReclaimed": freed}

    def disk_usage(self) -> dict[str, Any]:
        """The image part of ``GET /system/df``: ``{"LayersSize": bytes, "Images": [...]}`` with SharedSize."""
        return views.disk_usage(self.catalogue, self.layers, self._in_use())

    def _pulls(self) -> Puller:
        if self._puller is None:
            from stackwright.embedded.images.registry.pull import Puller

            self._puller = Puller(self.catalogue, self.layers)
        return self._puller

    def _users(self) -> Mapping[str, Sequence[str]]:
        leased = {
            image_id: ("of work under way" + RUNNING,) for image_id, count in self.leases.items() if count > 0
        }
        containers = self._in_use()
        return {**leased, **{image_id: ids for image_id, ids in containers.items() if ids}}

    async def _collect(self) -> int:
        """Remove layers that nothing needs any more; returns the bytes given back."""
        if self._protected:
            Removal(self.catalogue, self._users).purge()
        freed, thrown = await asyncio.to_thread(self.layers.collect, self.catalogue.layers_in_use)
        self.layers.trash.discard(*thrown)
        return freed
