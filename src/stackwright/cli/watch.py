"""`stackwright watch`: follows the files of `develop.watch`."""

from __future__ import annotations

import asyncio
import signal
from contextlib import suppress
from functools import partial

import click

from stackwright.cli.flags import GlobalOptions
from stackwright.cli.opening import load_project, lock_timeout, run, session


@click.command()
@click.argument("services", nargs=-1)
@click.option("--no-up", is_flag=True, help="Do not build & start services before watching")
@click.option("--prune/--no-prune", default=True, help="Prune dangling images on rebuild")
@click.option("--quiet", is_flag=True, help="Hide build output")
@click.pass_obj
def watch(options: GlobalOptions, services: tuple[str, ...], no_up: bool, prune: bool, quiet: bool) -> int:
    """Watch build context for service and rebuild/refresh containers when files are updated."""
    from stackwright.cli.lock import project_lock
    from stackwright.cli.upflow import UpFlags, finish_progress, in_background
    from stackwright.run.develop import Watcher
    from stackwright.run.session import check_services

    project = load_project(options, services)

    async def main() -> int:
        async with session(options, project, announce=True) as opened:
            check_services(opened, services)
            patience = lock_timeout(options, opened.environ)
            lock = partial(project_lock, str(opened.engine.address), project.name, opened.emit, patience)
            watcher = Watcher(opened, list(services or project.services), lock=lock, quiet=quiet, prune=prune)
            watcher.check(services)
            if not no_up:
                async with lock():
                    flags = UpFlags(services=services, build=True, quiet_build=quiet, detach=True)
                    await in_background(opened, flags, draw="quiet")
                finish_progress(opened)
            if opened.dry:
                return 0
            await until_interrupted(watcher)
        return 0

    return run(main)


async def until_interrupted(watcher: object) -> None:
    """Watch until Ctrl-C or SIGTERM; what runs goes on running."""
    task = asyncio.ensure_future(watcher.run())  # type: ignore[attr-defined]
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    try:
        with suppress(asyncio.CancelledError):
            await task
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
