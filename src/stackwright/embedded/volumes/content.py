"""What is in a volume: filled from an image, mounted over frozen folders, and whole again after a copy cut off."""

from __future__ import annotations

import asyncio
from pathlib import Path

from stackwright.embedded.errors import BadParameter
from stackwright.embedded.images.view import LayerView, Node
from stackwright.embedded.snapshots.frozen import FrozenStore
from stackwright.embedded.volumes import layered
from stackwright.embedded.volumes import options as o
from stackwright.embedded.volumes.copy import TreeCopy, clear
from stackwright.embedded.volumes.store import VolumeStore
from stackwright.embedded.volumes.types import Volume


class Contents:
    """The files of all volumes. Whoever calls has the volume's lock."""

    def __init__(self, store: VolumeStore, frozen: FrozenStore) -> None:
        self._store = store
        self._frozen = frozen

    def mount_layers(self, volume: Volume) -> None:
        """Over its frozen folders, where it has some and is not mounted. OSError, EngineError."""
        if volume.frozen:
            layered.mount(self._store.folder(volume.name), self._frozen.folders(volume.frozen))

    def folder(self, volume: Volume) -> Path:
        """Where the files are. BadParameter for a folder of the host that is not there."""
        device = o.bound_folder(volume.options)
        folder = Path(device or volume.mountpoint)
        if device and not folder.is_dir():
            raise BadParameter(
                f"error while mounting volume '{volume.mountpoint}': failed to mount local volume: "
                f"mount {device}:{volume.mountpoint}: no such directory"
            )
        return folder

    async def settle(self, volume: Volume) -> None:
        """Empty what was being filled when an engine was killed: half of an image's folder is nothing."""
        if self._filling(volume).exists():
            await asyncio.to_thread(clear, self.folder(volume))
            self._filling(volume).unlink(missing_ok=True)

    def fill(self, volume: Volume, view: LayerView, source: Node, folder: Path) -> None:
        """Copy a folder of an image. Blocks; OSError."""
        marker = self._filling(volume)
        marker.touch()
        TreeCopy(view).into(source, str(folder))
        marker.unlink()

    def _filling(self, volume: Volume) -> Path:
        return self._store.folder(volume.name) / "filling"
