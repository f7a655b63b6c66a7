"""Which image references we have a stand-in for: `recipes/*/recipe.toml` as values.

A recipe file:

    description = "PostgreSQL 15 from Debian 12"
    images = ["postgres"]                  # repository names, as one writes them
    kind = "dockerfile"                    # or "rootfs": a base system made on the host
    available = "15, 15-alpine, 15-bookworm"   # shown when another tag is asked for

    [[tags]]
    match = '15(\\.\\d+)?(-alpine)?'         # the whole tag; named groups fill {placeholders}
    base = "debian:bookworm-slim"          # built first when missing; ARG BASE in the Dockerfile
    needs = ["python:3.11-slim"]           # optional: built first too, for COPY --from
    args = { PG_MAJOR = "15" }
    note = "Debian inside, not Alpine: `apk` is not there"   # optional, shown to the user

Reading is pure but for the files; nothing here talks to an engine.
"""

from __future__ import annotations

import difflib
import functools
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from .errors import RecipeInvalid

Kind = Literal["dockerfile", "rootfs"]

_DEFAULT_REGISTRIES = ("docker.io/", "index.docker.io/", "registry-1.docker.io/")


@dataclass(frozen=True, slots=True)
class Recipe:
    """A stand-in for one image reference, ready to be built."""

    name: str
    """The recipe's folder, e.g. `postgres`."""
    reference: str
    """The familiar reference that it will be tagged with, e.g. `postgres:15-alpine`."""
    description: str
    kind: Kind
    directory: Path
    """Holds the Dockerfile and what it copies."""
    base: str | None
    """The image it is built FROM, itself a recipe; None for a base system."""
    needs: tuple[str, ...] = ()
    """Other images that its Dockerfile copies from, themselves recipes."""
    args: Mapping[str, str] = field(default_factory=dict)
    """Build arguments (for a base system: `SUITE` and the like)."""
    note: str = ""
    """In what it differs from the official image, if a user may notice."""


@dataclass(frozen=True, slots=True)
class _TagRule:
    match: re.Pattern[str]
    base: str | None
    needs: tuple[str, ...]
    args: Mapping[str, str]
    note: str


@dataclass(frozen=True, slots=True)
class _Entry:
    name: str
    description: str
    images: tuple[str, ...]
    kind: Kind
    available: str
    directory: Path
    tags: tuple[_TagRule, ...]


def find(reference: str, root: Path | None = None) -> Recipe | None:
    """The recipe that stands for an image reference, or None.

    `reference` is what a Compose file or a `FROM` line says (`postgres:15-alpine`,
    `docker.io/library/python:3.11-slim`). References by digest name one exact image and so never
    have a stand-in. `root` is the folder of recipes, for tests.
    """
    split = familiar(reference)
    if split is None:
        return None
    name, tag = split
    entry = _by_image(root or data_directory()).get(name)
    if entry is None:
        return None
    for rule in entry.tags:
        matched = rule.match.fullmatch(tag)
        if matched is None:
            continue
        groups = {key: value or "" for key, value in matched.groupdict().items()}
        return Recipe(
            name=entry.name,
            reference=f"{name}:{tag}",
            description=entry.description.format_map(groups),
            kind=entry.kind,
            directory=entry.directory,
            base=rule.base.format_map(groups) if rule.base else None,
            needs=tuple(needed.format_map(groups) for needed in rule.needs),
            args={key: value.format_map(groups) for key, value in rule.args.items()},
            note=rule.note.format_map(groups),
        )
    return None


def suggest(reference: str, root: Path | None = None) -> str | None:
    """One line on what there is instead, for a reference that `find` does not know; None if nothing is near."""
    split = familiar(reference)
    if split is None:
        return "A reference by digest names one exact image: no stand-in can take its place."
    name, tag = split
    entries = _by_image(root or data_directory())
    entry = entries.get(name)
    if entry is not None:
        return f"There are stand-ins for {name}:{{{entry.available}}}, but not for the tag '{tag}'."
    near = difflib.get_close_matches(name, entries, n=2, cutoff=0.7)
    if not near:
        near = [known for known in entries if known.rpartition("/")[2] == name.rpartition("/")[2]][:2]
    if near:
        return f"There is no stand-in for '{name}'. Did you mean {' or '.join(near)}?"
    return None


def names(root: Path | None = None) -> list[str]:
    """The repository names that have a stand-in, sorted."""
    return sorted(_by_image(root or data_directory()))


def familiar(reference: str) -> tuple[str, str] | None:
    """`(name, tag)` as people write them, without Docker Hub's prefixes; None for a digest reference.

    >>> familiar("docker.io/library/postgres:15-alpine")
    ('postgres', '15-alpine')
    """
    if "@" in reference:
        return None
    name = reference.strip()
    tag = "latest"
    head, colon, last = name.rpartition(":")
    if colon and "/" not in last:
        name, tag = head, last
    for prefix in _DEFAULT_REGISTRIES:
        name = name.removeprefix(prefix)
    return name.removeprefix("library/"), tag


def data_directory() -> Path:
    """The folder of recipes: inside an installed wheel, or the repository's own `recipes/`."""
    packaged = Path(__file__).parent / "data"
    if packaged.is_dir():
        return packaged
    return Path(__file__).resolve().parents[3] / "recipes"


@functools.cache
def _by_image(root: Path) -> dict[str, _Entry]:
    entries: dict[str, _Entry] = {}
    for path in sorted(root.glob("*/recipe.toml")):
        entry = _read(path)
        for image in entry.images:
            if image in entries:
                raise RecipeInvalid(f"{path}: '{image}' is already the recipe '{entries[image].name}'")
            entries[image] = entry
    return entries


def _read(path: Path) -> _Entry:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
        kind = document["kind"]
        if kind not in ("dockerfile", "rootfs"):
            raise RecipeInvalid(f"{path}: kind must be 'dockerfile' or 'rootfs', not '{kind}'")
        return _Entry(
            name=path.parent.name,
            description=document["description"],
            images=tuple(document["images"]),
            kind=kind,
            available=document["available"],
            directory=path.parent,
            tags=tuple(_tag_rule(row) for row in document["tags"]),
        )
    except (tomllib.TOMLDecodeError, KeyError, re.error) as error:
        raise RecipeInvalid(f"{path}: {type(error).__name__}: {error}") from error


def _tag_rule(row: Mapping[str, Any]) -> _TagRule:
    return _TagRule(
        match=re.compile(row["match"]),
        base=row.get("base"),
        needs=tuple(row.get("needs", ())),
        args=dict(row.get("args", {})),
        note=row.get("note", ""),
    )
