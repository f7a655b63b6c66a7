"""The builder: a Dockerfile and a context become an image (Engine API ``POST /build``, the classic builder).

It never starts a container itself: ``RUN`` goes through a :class:`RunStep`, which the engine implements on its own
runtime. Everything else writes straight into the new layer's folder.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from stackwright.embedded.builder.types import BuildOptions, RunStep, StepMount, StepSpec
from stackwright.embedded.images.service import ImageService

__all__ = ["BuildOptions", "Builder", "RunStep", "StepMount", "StepSpec"]


class Builder:
    """Builds images. ``root``: a folder of its own on the same filesystem as the image store."""

    def __init__(self, images: ImageService, run_step: RunStep, root: Path) -> None: ...

    async def start(self) -> None:
        """Create the folders and remove what interrupted builds left behind."""
        raise NotImplementedError

    async def build(
        self, context: AsyncIterator[bytes], options: BuildOptions, emit: Callable[[dict[str, Any]], None]
    ) -> str:
        """Build and tag; returns the image id. Everything a person should see goes through ``emit``.

        ``emit`` gets the messages of the Engine API's stream: ``{"stream": "Step 1/5 : FROM debian\\n"}``,
        ``{"aux": {"ID": "sha256:..."}}``, and on failure, last, ``{"errorDetail": {"code", "message"}, "error": ...}``.
        Raises BadParameter before anything was emitted (a Dockerfile that can't be read: HTTP 400) and
        BuildFailed (builder/errors) after the error was emitted (the response is already under way).
        Cancelling the task stops the build and removes its work.
        """
        raise NotImplementedError
