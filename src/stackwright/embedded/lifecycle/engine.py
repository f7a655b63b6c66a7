"""The engine as the routes see it: its services and the managers over them, wired once."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stackwright.embedded.lifecycle.activity import Activity
from stackwright.embedded.lifecycle.building import Building
from stackwright.embedded.lifecycle.copying import Copying
from stackwright.embedded.lifecycle.creation import Creator
from stackwright.embedded.lifecycle.execs import Execs
from stackwright.embedded.lifecycle.files import ContainerFiles
from stackwright.embedded.lifecycle.launcher import Launcher
from stackwright.embedded.lifecycle.machine import Status
from stackwright.embedded.lifecycle.manager import Manager
from stackwright.embedded.lifecycle.record import Container
from stackwright.embedded.lifecycle.services import Services
from stackwright.embedded.lifecycle.specs import hostname_of
from stackwright.embedded.lifecycle.supervisor import Supervisor
from stackwright.embedded.lifecycle.tasks import Tasks
from stackwright.embedded.lifecycle.wiring import Wiring
from stackwright.embedded.snapshots.service import SnapshotService


class Engine:
    """Everything a route needs. `stopping` is set by whoever wants the engine to end."""

    def __init__(self, services: Services, tasks: Tasks, socket: Path) -> None:
        self.services = services
        self.tasks = tasks
        self.socket = socket
        self.stopping = asyncio.Event()
        self.files = ContainerFiles(services.state_dir, services.frozen)
        self.wiring = Wiring(services, self.files)
        self.launcher = Launcher(services, self.files, self.wiring)
        self.supervisor = Supervisor(services, self.launcher, self.wiring, tasks)
        self.manager = Manager(services, self.supervisor, self.launcher, self.files)
        self.snapshots = SnapshotService(services, self.files, self.supervisor)
        self.creator = Creator(services, self.files, self.wiring, self.supervisor)
        self.building = Building(services)
        self.copying = Copying(services, self.files)
        self.execs = Execs(self.manager, self.supervisor, tasks)
        self.activity = Activity(self.anything_up)
        services.images.protect(self.images_in_use)

    def anything_up(self) -> bool:
        """Whether a container runs or is about to."""
        return any(c.up or c.status == Status.RESTARTING for c in self.services.containers)

    def images_in_use(self) -> Mapping[str, Sequence[str]]:
        """Image id → ids of its containers, running ones marked, and its snapshots (ImageService.protect)."""
        result: dict[str, list[str]] = {}
        for container in self.services.containers:
            text = f"{container.id} running" if container.up else container.id
            result.setdefault(container.image_id, []).append(text)
        for image_id, text in self.snapshots.images_in_use():
            result.setdefault(image_id, []).append(text)
        return result

    def hostname(self, container: Container) -> str:
        """What the container calls itself."""
        return hostname_of(container)

    def sizes(self, container: Container) -> dict[str, Any]:
        """`SizeRw` and `SizeRootFs`, in bytes."""
        changed = sum(map(tree_size, self.files.own_layers(container)))
        return {"SizeRw": changed, "SizeRootFs": changed + self._image_size(container)}

    def _image_size(self, container: Container) -> int:
        return self.services.images.get(container.image_id).size


def tree_size(root: Path) -> int:
    """Bytes of the files under `root`; what vanishes meanwhile counts nothing."""
    total = 0
    for folder, _, names in os.walk(root):
        for name in names:
            try:
                total += (Path(folder) / name).lstat().st_size
            except OSError:
                continue
    return total
