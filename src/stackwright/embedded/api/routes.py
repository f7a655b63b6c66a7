"""All routes of the API, from the modules that serve them."""

from __future__ import annotations

from stackwright.embedded.api.archive import ArchiveRoutes
from stackwright.embedded.api.attach import AttachRoutes
from stackwright.embedded.api.build import BuildRoutes
from stackwright.embedded.api.buildkit import BuildKitRoutes
from stackwright.embedded.api.containers import ContainerRoutes
from stackwright.embedded.api.images import ImageRoutes
from stackwright.embedded.api.networks import NetworkRoutes
from stackwright.embedded.api.observing import ObservingRoutes
from stackwright.embedded.api.routing import Route
from stackwright.embedded.api.snapshots import SnapshotRoutes
from stackwright.embedded.api.system import SystemRoutes
from stackwright.embedded.api.volumes import VolumeRoutes
from stackwright.embedded.lifecycle.engine import Engine


def all_routes(engine: Engine) -> list[Route]:
    """In the order in which they are tried."""
    return [
        *SystemRoutes(engine).table(),
        *ContainerRoutes(engine).table(),
        *ObservingRoutes(engine).table(),
        *AttachRoutes(engine).table(),
        *ArchiveRoutes(engine).table(),
        *ImageRoutes(engine).table(),
        *BuildRoutes(engine).table(),
        *BuildKitRoutes(engine).table(),
        *NetworkRoutes(engine).table(),
        *VolumeRoutes(engine).table(),
        *SnapshotRoutes(engine).table(),
    ]
