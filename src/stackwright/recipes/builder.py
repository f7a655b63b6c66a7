"""Builds a stand-in through the Docker Engine API: base first, then the Dockerfile, cached by content."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from .catalogue import Recipe

STANDIN_LABEL = "dev.stackwright.standin"
"""On each image that we build: the recipe's name."""
STANDIN_DIGEST_LABEL = "dev.stackwright.standin.digest"
"""What it was built from; an image whose digest is still right is not built again."""

Progress = Callable[[dict[str, Any]], None]


class BuildEngine(Protocol):
    """The part of the Engine API client that building needs."""


async def build(
    recipe: Recipe, engine: BuildEngine, progress: Progress | None = None, *, force: bool = False
) -> bool:
    """Make sure that `recipe.reference` exists on the engine; True if something was built.

    `progress` gets the Engine API's build messages (`{"stream": ...}`, `{"status": ...}`).
    Raises `ToolMissing` or `RecipeBuildFailed`.
    """
    raise NotImplementedError
