"""`stackwright start|stop|restart|kill|rm|pause|unpause|create`: existing containers, and making them."""

from __future__ import annotations

import sys
from functools import partial

import click

from stackwright.cli.flags import GlobalOptions
from stackwright.cli.opening import load_or_name, load_project, run, session


@click.command()
@click.argument("services", nargs=-1)
@click.option("-t", "--timeout", type=int, help="Specify a shutdown timeout in seconds")
@click.pass_obj
def stop(options: GlobalOptions, services: tuple[str, ...], timeout: int | None) -> int:
    """Stop services."""
    from stackwright.run import lifecycle as runs

    project, known = load_or_name(options, services)

    async def main() -> int:
        async with session(options, project, change=True) as opened:
            await runs.stop(opened, services, timeout=timeout, known=known)
        return 0

    return run(main)


@click.command()
@click.argument("services", nargs=-1)
@click.option("--wait", is_flag=True, help="Wait for services to be running|healthy")
@click.option("--wait-timeout", type=int, help="Maximum duration in seconds to wait")
@click.pass_obj
def start(options: GlobalOptions, services: tuple[str, ...], wait: bool, wait_timeout: int | None) -> int:
    """Start services."""
    from stackwright.run import lifecycle as runs

    project, known = load_or_name(options, services)

    async def main() -> int:
        async with session(options, project, change=True) as opened:
            await runs.start(opened, services, wait=wait, wait_timeout=wait_timeout, known=known)
        return 0

    return run(main)


@click.command()
@click.argument("services", nargs=-1)
@click.option("--no-deps", is_flag=True, help="Don't restart dependent services")
@click.option("-t", "--timeout", type=int, help="Specify a shutdown timeout in seconds")
@click.pass_obj
def restart(options: GlobalOptions, services: tuple[str, ...], no_deps: bool, timeout: int | None) -> int:
    """Restart service containers."""
    from stackwright.run import lifecycle as runs

    project, known = load_or_name(options, services)

    async def main() -> int:
        async with session(options, project, change=True) as opened:
            await runs.restart(opened, services, timeout=timeout, no_deps=no_deps, known=known)
        return 0

    return run(main)


@click.command()
@click.argument("services", nargs=-1)
@click.option("--remove-orphans", is_flag=True, help="Remove containers for services not in the Compose file")
@click.option("-s", "--signal", "name", default="SIGKILL", help="SIGNAL to send to the container")
@click.pass_obj
def kill(options: GlobalOptions, services: tuple[str, ...], remove_orphans: bool, name: str) -> int:
    """Force stop service containers."""
    from stackwright.run import lifecycle as runs

    project, known = load_or_name(options, services)

    async def main() -> int:
        async with session(options, project, change=True) as opened:
            await runs.kill(opened, services, name, known=known, remove_orphans=remove_orphans)
        return 0

    return run(main)


@click.command()
@click.argument("services", nargs=-1)
@click.option("-f", "--force", is_flag=True, help="Don't ask to confirm removal")
@click.option(
    "-s", "--stop", "stop_first", is_flag=True, help="Stop the containers, if required, before removing"
)
@click.option("-v", "--volumes", is_flag=True, help="Remove any anonymous volumes attached to containers")
@click.pass_obj
def rm(
    options: GlobalOptions, services: tuple[str, ...], force: bool, stop_first: bool, volumes: bool
) -> int:
    """Remove stopped service containers."""
    from stackwright.cli.asking import agreed
    from stackwright.run import lifecycle as runs
    from stackwright.run.containers import remove
    from stackwright.run.executor import together

    project, known = load_or_name(options, services)

    async def main() -> int:
        async with session(options, project, change=True) as opened:
            if stop_first:
                await runs.stop(opened, services, timeout=None, known=known)
            members = await runs.members(opened, services, known=known)
            stopped = [one for one in members if not one.running or (stop_first and opened.dry)]
            if not stopped:
                sys.stderr.write("No stopped containers\n")
                return 0
            names = ", ".join(one.name for one in stopped)
            if force or opened.dry:
                sys.stdout.write(f"Going to remove {names}\n")
            elif not agreed(f"Going to remove {names}\nAre you sure?", "--force"):
                return 0
            await together(
                [partial(remove, opened, one, volumes=volumes, force=False) for one in stopped],
                limit=opened.parallel,
            )
        return 0

    return run(main)


@click.command()
@click.argument("services", nargs=-1)
@click.pass_obj
def pause(options: GlobalOptions, services: tuple[str, ...]) -> int:
    """Pause services."""
    return _freeze(options, services, frozen=True)


@click.command()
@click.argument("services", nargs=-1)
@click.pass_obj
def unpause(options: GlobalOptions, services: tuple[str, ...]) -> int:
    """Unpause services."""
    return _freeze(options, services, frozen=False)


def _freeze(options: GlobalOptions, services: tuple[str, ...], *, frozen: bool) -> int:
    from stackwright.run import lifecycle as runs

    project, known = load_or_name(options, services)

    async def main() -> int:
        async with session(options, project, change=True) as opened:
            await runs.freeze(opened, services, frozen=frozen, known=known)
        return 0

    return run(main)


@click.command()
@click.argument("services", nargs=-1)
@click.option("--build", is_flag=True, help="Build images before starting containers")
@click.option("--no-build", is_flag=True, help="Don't build an image, even if it's policy")
@click.option(
    "--pull", type=click.Choice(["always", "missing", "never", "build"]), help="Pull image before running"
)
@click.option("--quiet-pull", is_flag=True, help="Pull without printing progress information")
@click.option("--force-recreate", is_flag=True, help="Recreate containers even if nothing changed")
@click.option("--no-recreate", is_flag=True, help="If containers already exist, don't recreate them")
@click.option("--remove-orphans", is_flag=True, help="Remove containers for services not in the Compose file")
@click.option("--scale", multiple=True, metavar="SERVICE=NUM", help="Scale SERVICE to NUM instances")
@click.option("-y", "--yes", is_flag=True, help="Assume yes; nothing is asked")
@click.pass_obj
def create(
    options: GlobalOptions,
    services: tuple[str, ...],
    build: bool,
    no_build: bool,
    pull: str | None,
    quiet_pull: bool,
    force_recreate: bool,
    no_recreate: bool,
    remove_orphans: bool,
    scale: tuple[str, ...],
    yes: bool,
) -> int:
    """Create containers for a service."""
    from stackwright.cli.up import parse_scale
    from stackwright.cli.upflow import UpFlags, in_background

    project = load_project(options, services)
    flags = UpFlags(
        services=services,
        build=build or pull == "build",
        no_build=no_build,
        pull=None if pull == "build" else pull,
        quiet_pull=quiet_pull,
        force_recreate=force_recreate,
        no_recreate=no_recreate,
        remove_orphans=remove_orphans,
        scale=parse_scale(scale),
        no_start=True,
        yes=yes,
    )
    if options.dry_run:
        from stackwright.cli.planning import show_plan

        return show_plan(options, project, flags)

    async def main() -> int:
        async with session(options, project, announce=True, change=True) as opened:
            return await in_background(opened, flags, draw="quiet")

    return run(main)
