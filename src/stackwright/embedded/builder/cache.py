"""Which image a step on an image gave last time: the layer cache, keyed by content."""

from __future__ import annotations

import hashlib
import json
import time
from typing import Any

from stackwright.embedded.images.service import ImageService
from stackwright.embedded.images.types import Image
from stackwright.embedded.state import Database

_SCHEMA = [
    "CREATE TABLE build_step (key TEXT PRIMARY KEY, image TEXT NOT NULL, used REAL NOT NULL)",
    "CREATE INDEX build_step_image ON build_step (image)",
]


def cache_key(parent: str, *parts: Any) -> str:
    """A key from the parent's id and everything the step's result depends on."""
    return hashlib.sha256(json.dumps([parent, *parts], sort_keys=True).encode()).hexdigest()


class StepCache:
    """Keys to images. An image that was removed takes its cache entries out of use."""

    def __init__(self, database: Database, images: ImageService) -> None:
        self._database, self._images = database, images

    def open(self) -> None:
        """Create the table, and drop rows whose image is gone."""
        self._database.migrate("builder", _SCHEMA)
        self._database.execute("DELETE FROM build_step WHERE image NOT IN (SELECT id FROM image)")

    def find(self, key: str) -> Image | None:
        """The image of a key, when it is still here."""
        row = self._database.execute("SELECT image FROM build_step WHERE key = ?", (key,)).fetchone()
        image = self._images.catalogue.by_id(row["image"]) if row else None
        if image is not None:
            self._database.execute("UPDATE build_step SET used = ? WHERE key = ?", (time.time(), key))
        return image

    def remember(self, key: str, image: Image) -> None:
        """Record a result."""
        self._database.execute(
            "INSERT OR REPLACE INTO build_step VALUES (?, ?, ?)", (key, image.id, time.time())
        )

    def forget(self) -> None:
        """Empty the cache; the images stay."""
        self._database.execute("DELETE FROM build_step")
