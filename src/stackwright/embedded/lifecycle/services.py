"""Everything a verb may need, in one value: the parts of the engine, made once by the daemon."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from stackwright.embedded.containers.runtime import RuntimeInterface
from stackwright.embedded.images.service import ImageService
from stackwright.embedded.lifecycle.events import EventBus
from stackwright.embedded.lifecycle.record import Containers
from stackwright.embedded.networks.service import NetworkService
from stackwright.embedded.snapshots.frozen import FrozenStore
from stackwright.embedded.state import Database
from stackwright.embedded.volumes.service import VolumeService


@dataclass(frozen=True, slots=True)
class Services:
    """`instance`: six hex digits that tell this engine's devices and cgroups from another's on the same
    host."""

    state_dir: Path
    instance: str
    database: Database
    containers: Containers
    images: ImageService
    networks: NetworkService
    volumes: VolumeService
    runtime: RuntimeInterface
    events: EventBus
    frozen: FrozenStore
    limitations: tuple[str, ...] = ()
    """What does not work for the ordinary user that runs this engine; empty for root."""

    @property
    def cgroup_parent(self) -> str:
        """Cgroup under which all containers of this engine live."""
        return f"stackwright/{self.instance}"
