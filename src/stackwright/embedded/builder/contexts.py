"""Named contexts (``--build-context``, Compose's ``additional_contexts``): what a name after ``FROM`` and
``--from=`` means instead of a stage or an image of that name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from stackwright.dockerfile import Dockerfile, Stage
from stackwright.embedded.errors import BadParameter
from stackwright.embedded.images.reference import Reference

IMAGE = "docker-image://"


@dataclass(frozen=True, slots=True)
class ImageContext:
    """Another image, by name or id."""

    name: str


class FolderContext(Protocol):
    """A folder of files, fetched when it is first needed."""

    async def fetch(self, place: Path) -> Path:
        """Put the files into the empty folder ``place``, or below it; where they are."""
        ...


NamedContext = ImageContext | FolderContext


def find_context(contexts: Mapping[str, NamedContext], name: str) -> NamedContext | None:
    """The context that a name means: written the same, or the same image (``alpine``, ``alpine:latest``)."""
    if not contexts or not name:
        return None
    found = contexts.get(name) or contexts.get(name.lower())
    if found is not None:
        return found
    wanted = _canonical(name)
    return next((one for key, one in contexts.items() if wanted and _canonical(key) == wanted), None)


def shadowed(file: Dockerfile, contexts: Mapping[str, NamedContext], target: str) -> Dockerfile:
    """The file without the names of stages that a context stands for."""

    def renamed(stage: Stage) -> Stage:
        hidden = stage.name and stage.name in contexts and stage.name != target.lower()
        return replace(stage, name="") if hidden else stage

    return replace(file, stages=tuple(map(renamed, file.stages)))


def _canonical(name: str) -> str:
    try:
        return Reference.parse(name).tagged().canonical
    except BadParameter:
        return ""
