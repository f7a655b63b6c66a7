"""What the engine does first: find the containers of the engine before it, running or ended, and go on
with them."""

from __future__ import annotations

import logging
import shutil
import time

from stackwright.embedded.containers.runtime import ExitStatus, Running
from stackwright.embedded.errors import EngineError
from stackwright.embedded.lifecycle.engine import Engine
from stackwright.embedded.lifecycle.machine import UP, Status
from stackwright.embedded.lifecycle.record import Container
from stackwright.embedded.lifecycle.restart import decide_at_boot
from stackwright.embedded.lifecycle.supervisor import boot_id

log = logging.getLogger("stackwright.engine")


async def recover(engine: Engine) -> None:
    """Adopt what runs, note what ended meanwhile, start what its policy wants started."""
    containers = engine.services.containers
    _finish_removals(engine)
    engine.services.volumes.sweep()
    adopted: dict[str, Running] = {}
    ended: dict[str, ExitStatus] = {}
    for container in containers:
        found = await _find(engine, container)
        if isinstance(found, ExitStatus):
            ended[container.id] = found
        elif found is not None:
            adopted[container.id] = found
    await engine.services.networks.recover({key: running.pid for key, running in adopted.items()})
    for container in containers:
        if running := adopted.get(container.id):
            _take_up(engine, container, running)
    boot = boot_id()
    for container in containers:
        if container.id not in adopted:
            await _after_absence(engine, container, ended.get(container.id), boot)


async def _find(engine: Engine, container: Container) -> Running | ExitStatus | None:
    """The container's run as the kernel knows it; None for one that was not running in the first place."""
    known_up = container.status in UP
    if container.status == Status.RESTARTING:
        return ExitStatus(code=container.exit_code, finished_at=container.finished_ns)
    spec = engine.launcher.run_of(container.id)
    if spec is None:
        return ExitStatus(code=137, error="its start was not completed") if known_up else None
    found = await engine.services.runtime.adopt(spec)
    if isinstance(found, ExitStatus) and found.error and not known_up:
        # Killed before its start had come so far that anybody was told.
        engine.launcher.forget(container.id)
        return None
    return found


def _take_up(engine: Engine, container: Container, running: Running) -> None:
    container.status = Status.PAUSED if running.paused else Status.RUNNING
    container.pid = running.pid
    container.started_ns = running.started_at
    container.boot_id = container.boot_id or boot_id()
    engine.services.containers.save(container)
    engine.supervisor.watch(container, running)


async def _after_absence(engine: Engine, container: Container, status: ExitStatus | None, boot: str) -> None:
    """A container that does not run: what ended unseen is treated as if it ended now."""
    policy = container.host_config.restart_policy.name
    rebooted = bool(container.boot_id) and container.boot_id != boot
    if status is not None and not rebooted:
        await engine.supervisor.ended(container, status, None)
        return
    was_up = status is not None
    if was_up:
        container.status, container.pid = Status.EXITED, 0
        container.exit_code = status.code if status else container.exit_code
        container.finished_ns = container.finished_ns or time.time_ns()
        engine.services.containers.save(container)
    if rebooted and decide_at_boot(
        policy, was_running=was_up, stopped_by_user=container.stopped_by_user, host_rebooted=rebooted
    ):
        engine.tasks.spawn(_start(engine, container), f"start {container.name} after boot")


async def _start(engine: Engine, container: Container) -> None:
    try:
        await engine.manager.start(container)
    except EngineError as error:
        log.warning("%s could not be started after the reboot: %s", container.name, error.message)


def _finish_removals(engine: Engine) -> None:
    """Containers whose removal was interrupted, and folders that belong to none.

    After a power loss the database may be older than the folders: one that has none was removed.
    """
    for container in engine.services.containers:
        begun = container.status in (Status.REMOVING, Status.DEAD)
        if not begun and not engine.files.directory(container.id).is_dir():
            log.warning("container %s is forgotten: its folder is not there any more", container.name)
            begun = True
        if begun:
            shutil.rmtree(engine.files.directory(container.id), ignore_errors=True)
            engine.services.containers.remove(container)
            engine.launcher.forget(container.id)
    engine.files.trash.empty()
    known = {container.id for container in engine.services.containers}
    if engine.files.root.is_dir():
        for folder in engine.files.root.iterdir():
            if folder.name not in known:
                shutil.rmtree(folder, ignore_errors=True)
