"""``cache_from``: steps whose results other images hold already (Engine API, ImageBuild ``cachefrom``).

An image that was loaded or pulled has no steps in the cache, but its history says what each of its layers came
from. As long as a build repeats that history from its beginning, the layers are its own. As Docker has it, a
build that names such images takes nothing from the cache that did not go into one of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stackwright.embedded.errors import EngineError
from stackwright.embedded.images.service import ImageService
from stackwright.embedded.images.types import Image


class ImportedCache:
    """The images that one build may take steps from. ``asked``: whether it named any, found or not."""

    def __init__(self, images: ImageService, names: Sequence[str]) -> None:
        self._images = images
        self.asked = bool(names)
        self.sources = [image for name in names if (image := _found(images, name)) is not None]

    def allows(self, image: Image) -> bool:
        """Whether a result of the engine's own cache may be used."""
        return not self.asked or any(self._is_ancestor(image.id, source) for source in self.sources)

    def find(
        self, parent: Image | None, config: dict[str, Any], created_by: str, author: str
    ) -> Image | None:
        """The image that a step on ``parent`` gave when one of the sources was built; None when none says."""
        for source in self.sources:
            entry = _next_entry(source, parent)
            if (
                entry is None
                or entry.get("created_by", "") != created_by
                or entry.get("author", "") != author
            ):
                continue
            self.sources = [source]  # a build that jumped between histories would be nobody's
            if len(_history(source)) == len(_history(parent)) + 1:
                self._images.catalogue.adopt(source.id, parent.id if parent else "")
                return self._images.catalogue.by_id(source.id)
            diff_id = None if entry.get("empty_layer") else source.layers[len(parent.layers) if parent else 0]
            return self._images.restored(parent, config, entry, diff_id)
        return None

    def _is_ancestor(self, image_id: str, source: Image) -> bool:
        at: Image | None = source
        while at is not None and at.id != image_id:
            at = self._images.catalogue.by_id(at.parent) if at.parent else None
        return at is not None


def _found(images: ImageService, name: str) -> Image | None:
    try:
        return images.get(name)
    except EngineError:
        return None


def _history(image: Image | None) -> list[dict[str, Any]]:
    return list(image.config.get("history") or ()) if image else []


def _next_entry(source: Image, parent: Image | None) -> dict[str, Any] | None:
    """What ``source``'s history says came after ``parent``; None when it does not continue ``parent``."""
    history, before = _history(source), _history(parent)
    layers = parent.layers if parent else ()
    if len(before) >= len(history) or history[: len(before)] != before:
        return None
    if source.layers[: len(layers)] != layers:
        return None
    entry = history[len(before)]
    if not entry.get("empty_layer") and len(source.layers) <= len(layers):
        return None  # a history that names more layers than there are
    return entry
