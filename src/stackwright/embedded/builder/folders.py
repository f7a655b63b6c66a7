"""Named contexts that are folders: one of this host, and a git repository."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

from stackwright.embedded.builder.context import drop_ignored
from stackwright.embedded.builder.errors import StepFailed
from stackwright.embedded.builder.git import checkout
from stackwright.embedded.builder.upper import Ownership, UpperWriter
from stackwright.embedded.images.view import LayerView


@dataclass(frozen=True, slots=True)
class HostFolder:
    """A folder of the engine's host, less what its ``.dockerignore`` excludes; a FolderContext."""

    path: Path

    async def fetch(self, place: Path) -> Path:
        """See FolderContext. The files are root's, as those of any context."""
        if not self.path.is_dir():
            raise StepFailed(f"named context {self.path} is not a folder")

        def copy() -> None:
            view = LayerView([self.path])
            UpperWriter((), place).copy_tree(view, view.root(), "/", Ownership())
            drop_ignored(place, "")

        await asyncio.to_thread(copy)
        return place


@dataclass(frozen=True, slots=True)
class Repository:
    """A git repository that needs no key; a FolderContext."""

    url: str

    async def fetch(self, place: Path) -> Path:
        """See FolderContext."""
        return Path((await checkout(self.url, place)).view().root().host)
