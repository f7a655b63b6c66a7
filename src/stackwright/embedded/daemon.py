"""The engine process: puts the services together, serves the API, ends when asked or when idle."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from stackwright.embedded.api.call import Bodies
from stackwright.embedded.api.routes import all_routes
from stackwright.embedded.api.routing import Router
from stackwright.embedded.api.server import Dispatcher, http_server
from stackwright.embedded.containers.runtime import Runtime
from stackwright.embedded.containers.starter import StarterHandle
from stackwright.embedded.images.service import ImageService
from stackwright.embedded.kernel.attributes import has_unrelated_folders
from stackwright.embedded.lifecycle.engine import Engine
from stackwright.embedded.lifecycle.events import EventBus
from stackwright.embedded.lifecycle.instance import BACKLOG, StateLock, instance_of, listen
from stackwright.embedded.lifecycle.record import Containers
from stackwright.embedded.lifecycle.recovery import recover
from stackwright.embedded.lifecycle.services import Services
from stackwright.embedded.lifecycle.tasks import Tasks
from stackwright.embedded.networks.service import NetworkService
from stackwright.embedded.snapshots.frozen import FrozenStore
from stackwright.embedded.state import Database
from stackwright.embedded.volumes.service import VolumeService

log = logging.getLogger("stackwright.engine")
_SHUTDOWN_GRACE = 2.0


@dataclass(frozen=True, slots=True)
class Options:
    """`idle_seconds`: end after so long without request and running container; 0 never. `body_seconds`: for a request's
    body (api/call.py)."""

    state_dir: Path
    socket: Path
    idle_seconds: float
    body_seconds: float
    limitations: tuple[str, ...] = ()
    """What does not work for the ordinary user that runs it."""


def run(options: Options, starter: StarterHandle) -> None:
    """Serve until told to end. Raises AlreadyServed."""
    with StateLock(options.state_dir, options.socket):
        sock = listen(options.socket)
        try:
            asyncio.run(_serve(options, sock, starter))
        finally:
            sock.close()
            options.socket.unlink(missing_ok=True)


def keep_private(state_dir: Path) -> None:
    """Other users may pass through to what is theirs (bind mounts), and see nothing, whatever the umask is."""
    for folder in (state_dir, state_dir / "containers", state_dir / "networks"):
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o711)
    has_unrelated_folders(state_dir / "containers")


async def _serve(options: Options, sock: socket.socket, starter: StarterHandle) -> None:
    keep_private(options.state_dir)
    database = Database(options.state_dir / "engine.db")
    instance = instance_of(options.state_dir)
    containers = Containers(database)

    def users_of(volume: str) -> Sequence[str]:
        return [c.id for c in containers if any(m.name == volume for m in c.mounts)]

    frozen = FrozenStore(options.state_dir / "frozen")
    services = Services(
        state_dir=options.state_dir,
        instance=instance,
        database=database,
        containers=containers,
        images=ImageService(database, options.state_dir / "images"),
        networks=NetworkService(database, options.state_dir / "networks", instance),
        volumes=VolumeService(database, options.state_dir / "volumes", users_of, frozen),
        runtime=Runtime(starter),
        events=EventBus(),
        frozen=frozen,
        limitations=options.limitations,
    )
    try:
        async with Tasks() as tasks:
            engine = Engine(services, tasks, options.socket)
            engine.snapshots.recover()
            engine.copying.sweep()
            await services.images.start()
            await services.networks.start()
            await engine.building.sweep()
            await recover(engine)
            await frozen.collect()
            try:
                await _listen(engine, sock, options)
            finally:
                await engine.files.trash.settle()
    finally:
        anything_up = any(c.up for c in containers)
        services.volumes.close(keep_mounts=anything_up)
        await services.networks.close(keep_devices=anything_up)
        await frozen.close()
        await services.images.close()
        await services.runtime.close()
        database.close()


async def _listen(engine: Engine, sock: socket.socket, options: Options) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, engine.stopping.set)
    bodies = Bodies(options.body_seconds)
    dispatcher = Dispatcher(Router(all_routes(engine)), engine.tasks, engine.activity, bodies)
    runner = web.ServerRunner(http_server(dispatcher), shutdown_timeout=_SHUTDOWN_GRACE)
    await runner.setup()
    try:
        await web.SockSite(runner, sock, backlog=BACKLOG).start()
        log.info("serving on %s", engine.socket)
        waits = [asyncio.ensure_future(engine.stopping.wait())]
        if options.idle_seconds > 0:
            waits.append(asyncio.ensure_future(engine.activity.until_idle(options.idle_seconds)))  # type: ignore[arg-type]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        log.info("ending")
    finally:
        engine.services.events.close()
        with suppress(TimeoutError):
            await runner.cleanup()
