"""What images there are and what they are called: the image tables of the engine's database.

Tables: ``image`` (one row an image; ``config`` is the exact document whose digest is the id),
``image_name`` (tags and
digests), ``image_layer`` (unpacked layers by diff id), ``image_blob`` (which compressed blob is which
layer, and where it is known to exist).
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

from stackwright.embedded.errors import BadParameter, NotFound
from stackwright.embedded.ids import is_id_prefix
from stackwright.embedded.images.reference import Reference
from stackwright.embedded.images.types import Image
from stackwright.embedded.state import Database

_SCHEMA = [
    """CREATE TABLE image (
        id TEXT PRIMARY KEY, config TEXT NOT NULL, layers TEXT NOT NULL, size INTEGER NOT NULL,
        parent TEXT NOT NULL DEFAULT '', created REAL NOT NULL, tagged REAL NOT NULL DEFAULT 0,
        deleted INTEGER NOT NULL DEFAULT 0)""",
    "CREATE INDEX image_parent ON image (parent)",
    """CREATE TABLE image_name (
        name TEXT PRIMARY KEY, image TEXT NOT NULL REFERENCES image (id) ON DELETE CASCADE, digest INTEGER
        NOT NULL)""",
    "CREATE INDEX image_name_image ON image_name (image)",
    """CREATE TABLE image_layer (
        diff_id TEXT PRIMARY KEY, folder TEXT NOT NULL UNIQUE, size INTEGER NOT NULL,
        blob TEXT NOT NULL DEFAULT '', media_type TEXT NOT NULL DEFAULT '')""",
    """CREATE TABLE image_blob (
        digest TEXT NOT NULL, diff_id TEXT NOT NULL, repository TEXT NOT NULL, size INTEGER NOT NULL,
        media_type TEXT NOT NULL, PRIMARY KEY (digest, repository))""",
    "CREATE INDEX image_blob_diff ON image_blob (diff_id)",
]
_FULL_ID = re.compile(r"(?:sha256:)?[0-9a-f]{64}")


class Catalogue:
    """Look-ups and changes, each a short transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def open(self) -> None:
        """Create the tables."""
        self._database.migrate("images", _SCHEMA)

    def transaction(self) -> AbstractContextManager[None]:
        """All or nothing for several changes; nobody else changes anything meanwhile."""
        return self._database.transaction()

    def find(self, name: str) -> Image:
        """By full id, tag or digest reference, or unique id prefix, in Docker's order."""
        bare = name.removeprefix("sha256:")
        if _FULL_ID.fullmatch(name):
            row = self._row(f"sha256:{bare}")
            if row is not None:
                return self._image(row)
            raise NotFound(f"No such image: {name}")
        try:
            reference = Reference.parse(name).tagged()
        except BadParameter:
            reference = None
            if not is_id_prefix(bare):
                raise
        if reference is not None:
            found = self.named(reference)
            if found is not None:
                return found
        if is_id_prefix(bare):
            rows = self._database.execute(
                "SELECT * FROM image WHERE id >= ? AND id < ? AND deleted = 0 LIMIT 2",
                (f"sha256:{bare}", f"sha256:{bare}g"),
            ).fetchall()
            if len(rows) == 1:
                return self._image(rows[0])
            if rows:
                raise BadParameter(f"image {name} is ambiguous: more than one image id begins so")
        raise NotFound(f"No such image: {reference.familiar if reference else name}")

    def named(self, reference: Reference) -> Image | None:
        """The image of a tag or digest."""
        row = self._database.execute(
            "SELECT image.* FROM image JOIN image_name ON image.id = image_name.image "
            "WHERE image_name.name = ?",
            (reference.canonical,),
        ).fetchone()
        return self._image(row) if row else None

    def by_id(self, image_id: str) -> Image | None:
        """By full ``sha256:`` id; None also for one that is only kept for its containers."""
        row = self._row(image_id)
        return self._image(row) if row and not row["deleted"] else None

    def all(self, *, deleted: bool = False) -> Iterator[Image]:
        """Every image, newest first; ``deleted`` gives those kept only for the containers that use them."""
        names: dict[str, tuple[list[str], list[str]]] = {}
        for row in self._database.execute("SELECT name, image, digest FROM image_name ORDER BY name"):
            names.setdefault(row["image"], ([], []))[row["digest"]].append(row["name"])
        rows = self._database.execute(
            "SELECT * FROM image WHERE deleted = ? ORDER BY created DESC, rowid DESC", (int(deleted),)
        ).fetchall()
        for row in rows:
            yield self._image(row, names.get(row["id"], ([], [])))

    def config_text(self, image_id: str) -> str:
        """The exact configuration document."""
        row = self._row(image_id)
        if row is None:
            raise NotFound(f"No such image: {image_id}")
        return str(row["config"])

    def add(self, config_text: str, *, size: int, parent: str = "") -> str:
        """Record an image whose layers are all there; returns its id. Adding it again changes nothing."""
        image_id = "sha256:" + hashlib.sha256(config_text.encode()).hexdigest()
        config = json.loads(config_text)
        layers = json.dumps(config["rootfs"]["diff_ids"])
        self._database.execute(
            "INSERT INTO image (id, config, layers, size, parent, created) VALUES (?, ?, ?, ?, ?, ?) "
            "ON CONFLICT (id) DO UPDATE SET deleted = 0",
            (image_id, config_text, layers, size, parent, seconds_of(config.get("created"))),
        )
        return image_id

    def adopt(self, image_id: str, parent: str) -> None:
        """Record what an image that came from elsewhere was built on, unless that is known."""
        self._database.execute("UPDATE image SET parent = ? WHERE id = ? AND parent = ''", (parent, image_id))

    def name(self, reference: Reference, image_id: str) -> str:
        """Point a tag or digest at an image; returns the id it pointed at before, or an empty string."""
        with self._database.transaction():
            row = self._database.execute(
                "SELECT image FROM image_name WHERE name = ?", (reference.canonical,)
            ).fetchone()
            self._database.execute(
                "INSERT OR REPLACE INTO image_name VALUES (?, ?, ?)",
                (reference.canonical, image_id, int(bool(reference.digest))),
            )
            self._database.execute(
                "UPDATE image SET tagged = ?, deleted = 0 WHERE id = ?", (time.time(), image_id)
            )
        return str(row["image"]) if row else ""

    def tags_of(self, repository: Reference) -> list[Reference]:
        """All local tags of a repository."""
        rows = self._database.execute(
            "SELECT name FROM image_name WHERE digest = 0 AND name LIKE ? ORDER BY name",
            (f"{repository.name}:%",),
        )
        found = [Reference.parse(row["name"]) for row in rows]
        return [reference for reference in found if reference.name == repository.name]

    def unname(self, reference: Reference) -> bool:
        """Forget a tag or digest; false when there is none such."""
        return (
            self._database.execute("DELETE FROM image_name WHERE name = ?", (reference.canonical,)).rowcount
            > 0
        )

    def delete(self, image_id: str, *, keep_layers: bool = False) -> None:
        """Forget an image with its names; ``keep_layers``: only hide it, containers still run on it."""

        def forget() -> None:
            self._database.execute("DELETE FROM image_name WHERE image = ?", (image_id,))
            if keep_layers:
                self._database.execute("UPDATE image SET deleted = 1 WHERE id = ?", (image_id,))
            else:
                self._database.execute("DELETE FROM image WHERE id = ?", (image_id,))

        self._database.removal(forget)

    def children(self, image_id: str) -> list[str]:
        """Ids of the images built directly on this one."""
        rows = self._database.execute("SELECT id FROM image WHERE parent = ? AND deleted = 0", (image_id,))
        return [row["id"] for row in rows]

    def parents_in_use(self) -> set[str]:
        """Ids of all images that others were built on: hidden from ``docker images`` when they have no
        name.
        """
        rows = self._database.execute("SELECT DISTINCT parent FROM image WHERE deleted = 0")
        return {row["parent"] for row in rows}

    def tagged_at(self, image_id: str) -> float:
        """Seconds since 1970 of the last time it was given a name; 0 for never."""
        row = self._row(image_id)
        return float(row["tagged"]) if row else 0.0

    def seen_blob(self, digest: str, diff_id: str, repository: str, size: int, media_type: str) -> None:
        """Remember that a repository (``docker.io/library/x``) has this blob, and which layer it is."""
        self._database.execute(
            "INSERT OR REPLACE INTO image_blob VALUES (?, ?, ?, ?, ?)",
            (digest, diff_id, repository, size, media_type),
        )

    def known_blobs(self, diff_id: str) -> list[tuple[str, str, int, str]]:
        """``(digest, repository, size, media type)`` of the blobs known to hold a layer."""
        rows = self._database.execute("SELECT * FROM image_blob WHERE diff_id = ?", (diff_id,))
        return [(row["digest"], row["repository"], row["size"], row["media_type"]) for row in rows]

    def layers_in_use(self) -> set[str]:
        """Diff ids of all layers of all images, hidden ones included."""
        found: set[str] = set()
        for row in self._database.execute("SELECT layers FROM image"):
            found.update(json.loads(row["layers"]))
        return found

    def incomplete(self) -> list[Image]:
        """Images of which a layer is missing: after a power loss the database can be older than the folders."""
        there = {row["diff_id"] for row in self._database.execute("SELECT diff_id FROM image_layer")}
        rows = self._database.execute("SELECT * FROM image").fetchall()
        return [self._image(row) for row in rows if not there.issuperset(json.loads(row["layers"]))]

    def _row(self, image_id: str) -> Any:
        return self._database.execute("SELECT * FROM image WHERE id = ?", (image_id,)).fetchone()

    def _image(self, row: Any, names: tuple[list[str], list[str]] | None = None) -> Image:
        if names is None:
            names = ([], [])
            found = self._database.execute(
                "SELECT name, digest FROM image_name WHERE image = ? ORDER BY name", (row["id"],)
            )
            for name in found:
                names[name["digest"]].append(name["name"])
        config = json.loads(row["config"])
        return Image(
            id=row["id"],
            config=config,
            repo_tags=tuple(Reference.parse(name).familiar for name in names[0]),
            repo_digests=tuple(Reference.parse(name).familiar for name in names[1]),
            size=row["size"],
            created=config.get("created") or "",
            layers=tuple(json.loads(row["layers"])),
            parent=row["parent"],
        )


def seconds_of(created: str | None) -> float:
    """RFC 3339 (with nanoseconds, as Go writes it) → seconds since 1970; 0 when absent or unreadable."""
    from datetime import datetime

    if not created:
        return 0.0
    text = re.sub(r"(\.\d{1,6})\d*", r"\1", created).replace("Z", "+00:00")
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError):
        return 0.0
