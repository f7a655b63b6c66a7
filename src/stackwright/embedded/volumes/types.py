"""What a volume is, and how it is mounted."""

from __future__ import annotations

import msgspec


class Volume(msgspec.Struct, frozen=True, kw_only=True):
    """A volume; `created` is RFC 3339. `anonymous`: made without a name (label com.docker.volume.anonymous)."""

    name: str
    created: str
    mountpoint: str
    driver: str = "local"
    options: dict[str, str] = {}
    labels: dict[str, str] = {}
    anonymous: bool = False
    frozen: tuple[str, ...] = ()
    """Frozen folders below its own content, topmost first."""
    snapshot: str = ""
    """What it was created from."""
    pending: bool = False
    """Made without a name for a container that is just being created, or removed with it: a kill takes it along."""


class VolumeMount(msgspec.Struct, frozen=True, kw_only=True):
    """How a container's init mounts the volume: bind `source`, or a fresh filesystem for driver_opts type=tmpfs."""

    kind: str
    """"bind" or "tmpfs"."""
    source: str
    options: tuple[str, ...] = ()
