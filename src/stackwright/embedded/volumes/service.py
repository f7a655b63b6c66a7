"""Volumes of the embedded engine: the `local` driver, as Docker has it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from stackwright.embedded.state import Database


class Volume(msgspec.Struct, frozen=True, kw_only=True):
    """A volume; `created` is RFC 3339. `anonymous`: made without a name (label com.docker.volume.anonymous)."""

    name: str
    created: str
    mountpoint: str
    driver: str = "local"
    options: dict[str, str] = {}
    labels: dict[str, str] = {}
    anonymous: bool = False


class VolumeMount(msgspec.Struct, frozen=True, kw_only=True):
    """How a container's init mounts the volume: bind `source`, or a fresh filesystem for driver_opts type=tmpfs."""

    kind: str
    """"bind" or the filesystem type of driver_opts ("tmpfs", "nfs", …)."""
    source: str
    options: tuple[str, ...] = ()


class VolumeService:
    """All volumes of one engine. Raises the errors of `embedded.errors`."""

    def __init__(self, database: Database, root: Path, users: Callable[[str], Sequence[str]]) -> None:
        """`root`: `<state dir>/volumes`; `users(name)`: ids of the containers that mention the volume."""
        raise NotImplementedError

    async def create(
        self,
        name: str = "",
        *,
        driver: str = "local",
        driver_opts: Mapping[str, str] | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> Volume:
        """POST /volumes/create. An existing volume of that name is returned as it is; no name: an anonymous one."""
        raise NotImplementedError

    def get(self, name: str) -> Volume:
        """NotFound "get x: no such volume"."""
        raise NotImplementedError

    def list(self, filters: Mapping[str, Sequence[str]] | None = None) -> list[Volume]:
        """GET /volumes; filters: name, driver, label, dangling."""
        raise NotImplementedError

    async def remove(self, name: str, *, force: bool = False) -> None:
        """Conflict "remove x: volume is in use - [ids]"; `force` makes a missing one no error."""
        raise NotImplementedError

    async def prune(self, filters: Mapping[str, Sequence[str]] | None = None) -> tuple[list[str], int]:
        """Unused anonymous volumes (all unused ones with filter all=true): their names, bytes reclaimed."""
        raise NotImplementedError

    async def mount(self, volume: Volume) -> VolumeMount:
        """What the container has to mount. BadParameter when driver_opts name a device that is not there."""
        raise NotImplementedError

    async def populate(self, volume: Volume, layers: Sequence[Path], path: str) -> None:
        """First use: copy `path` of an image (its layers, topmost first) into an empty volume, as Docker does.

        Owner and mode of the directory are taken over too. A volume that has content, and one whose driver_opts
        name a device, stay as they are. The caller skips it for mounts with `nocopy` and for read-only mounts.
        """
        raise NotImplementedError

    def inspect(self, volume: Volume) -> dict[str, Any]:
        """Engine API `Volume`."""
        raise NotImplementedError
