"""The image service: everything the engine does with images, as one object.

It owns ``<state>/images`` and the tables ``image_*`` of the engine's database. All methods are called on the
event loop; what takes long (unpacking, hashing, talking to registries) runs in threads or awaits.
Errors are :mod:`stackwright.embedded.errors` with Docker's texts.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from stackwright.embedded.images.types import Image, Platform, Progress, RegistryAuth

__all__ = ["Image", "ImageService", "Platform", "Progress", "RegistryAuth"]

Filters = Mapping[str, Iterable[str]]


class ImageService:
    """Pull, push, load, save, import, commit, look up and remove images.

    ``database`` is the engine's :class:`~stackwright.embedded.state.Database`; ``root`` the folder of the
    store.
    """

    def __init__(self, database: Any, root: Path) -> None: ...

    async def start(self) -> None:
        """Create the tables and folders and remove what interrupted work left behind. Call once, before
        anything else.
        """
        raise NotImplementedError

    async def close(self) -> None:
        """Cancel transfers under way and close connections."""
        raise NotImplementedError

    def protect(self, in_use: Callable[[], Mapping[str, Sequence[str]]]) -> None:
        """Say which images containers use: a callable giving image id → ids of its containers.

        Running containers' ids carry the suffix ``" running"`` (``"4f66ad9a1b2c running"``); removal of
        such images is
        refused, removal of images that only stopped containers use needs ``force``. None of them is ever
        pruned.
        """
        raise NotImplementedError

    def get(self, name: str) -> Image:
        """Find an image by id, unique id prefix, tag or digest reference; NotFound("No such image: ...")."""
        raise NotImplementedError

    def list(self, filters: Filters | None = None, *, all_images: bool = False) -> list[dict[str, Any]]:
        """Image summaries, newest first (Engine API ``GET /images/json``; filters: dangling, label,
        before, since, reference, until).
        """
        raise NotImplementedError

    def inspect(self, name: str) -> dict[str, Any]:
        """Engine API ``GET /images/{name}/json``."""
        raise NotImplementedError

    def history(self, name: str) -> list[dict[str, Any]]:
        """Engine API ``GET /images/{name}/history``, newest first."""
        raise NotImplementedError

    def lower_dirs(self, image: Image | str) -> tuple[Path, ...]:
        """The unpacked layers, topmost first, ready for overlayfs ``lowerdir=``. Treat them as read-only.

        Never empty: an image without layers gives one empty folder.
        """
        raise NotImplementedError

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
        raise NotImplementedError

    async def push(
        self, reference: str, *, tag: str | None = None, auth: RegistryAuth | None = None, progress: Progress
    ) -> None:
        """Push one tag, or all local tags of the repository when ``reference`` names none and ``tag`` is
        None.
        """
        raise NotImplementedError

    async def load(self, stream: AsyncIterator[bytes], progress: Progress) -> list[Image]:
        """Read a ``docker save`` or OCI-layout archive, plain or compressed (gzip, zstd, bzip2, xz)."""
        raise NotImplementedError

    def save(self, names: Sequence[str]) -> AsyncIterator[bytes]:
        """One archive that both ``docker load`` and OCI tools read. NotFound is raised at once, not while
        streaming.
        """
        raise NotImplementedError

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
        raise NotImplementedError

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
    ) -> Image:
        """Make an image of ``parent`` plus one layer (``docker commit`` and the builder's steps).

        ``upper``: an overlay upper folder, or None for a change of configuration only. Copied, unless
        ``take`` gives
        it away (a rename, when on the same filesystem). ``config``: the new image's run configuration (Env,
        Cmd, ...).
        """
        raise NotImplementedError

    async def tag(self, name: str, repository: str, tag: str = "") -> str:
        """Give an image another name; returns the familiar reference set. BadParameter for an invalid one."""
        raise NotImplementedError

    async def remove(self, name: str, *, force: bool = False, prune: bool = True) -> list[dict[str, str]]:
        """``DELETE /images/{name}``: ``[{"Untagged": ...}, {"Deleted": ...}]``; Conflict when in use."""
        raise NotImplementedError

    async def prune(self, filters: Filters | None = None) -> dict[str, Any]:
        """``POST /images/prune``: ``{"ImagesDeleted": [...], "SpaceReclaimed": bytes}`` (dangling only
        unless ``dangling=false``).
        """
        raise NotImplementedError

    async def prune_build_cache(self) -> dict[str, Any]:
        """``POST /build/prune``: forget cached steps and the folders of ``RUN --mount=type=cache``."""
        raise NotImplementedError

    def disk_usage(self) -> dict[str, Any]:
        """The image part of ``GET /system/df``: ``{"LayersSize": bytes, "Images": [...]}`` with SharedSize
        filled in.
        """
        raise NotImplementedError
