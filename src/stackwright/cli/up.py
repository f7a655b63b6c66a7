"""`stackwright up`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from stackwright.cli.flags import GlobalOptions
from stackwright.cli.opening import load_project, lock_timeout, run, session
from stackwright.model.project import Project

if TYPE_CHECKING:
    from stackwright.cli.upflow import UpFlags


def parse_scale(values: tuple[str, ...]) -> dict[str, int]:
    """`--scale web=3` as a mapping. Raises `RunError`."""
    from stackwright.run.errors import RunError

    result = {}
    for text in values:
        name, equals, count = text.partition("=")
        if not equals or not count.isdigit():
            raise RunError(f'invalid scale "{text}"', hint="write SERVICE=NUMBER, such as web=3")
        result[name] = int(count)
    return result


@click.command()
@click.argument("services", nargs=-1)
@click.option("-d", "--detach", is_flag=True, help="Detached mode: Run containers in the background")
@click.option("--wait", is_flag=True, help="Wait for services to be running|healthy. Implies detached mode.")
@click.option(
    "--wait-timeout", type=int, help="Maximum duration in seconds to wait for the project to be ready"
)
@click.option("--build", "build", is_flag=True, help="Build images before starting containers")
@click.option("--no-build", is_flag=True, help="Don't build an image, even if it's policy")
@click.option("--pull", type=click.Choice(["always", "missing", "never"]), help="Pull image before running")
@click.option("--quiet-pull", is_flag=True, help="Pull without printing progress information")
@click.option("--quiet-build", is_flag=True, help="Suppress the build output")
@click.option("--scale", multiple=True, metavar="SERVICE=NUM", help="Scale SERVICE to NUM instances")
@click.option("--force-recreate", is_flag=True, help="Recreate containers even if nothing changed")
@click.option("--no-recreate", is_flag=True, help="If containers already exist, don't recreate them")
@click.option("--always-recreate-deps", is_flag=True, help="Recreate dependent containers")
@click.option("--no-deps", is_flag=True, help="Don't start linked services")
@click.option("--no-start", is_flag=True, help="Don't start the services after creating them")
@click.option("--remove-orphans", is_flag=True, help="Remove containers for services not in the Compose file")
@click.option("-V", "--renew-anon-volumes", is_flag=True, help="Recreate anonymous volumes")
@click.option("-t", "--timeout", type=int, help="Shutdown timeout in seconds")
@click.option("--timestamps", is_flag=True, help="Show timestamps")
@click.option("--no-color", is_flag=True, help="Produce monochrome output")
@click.option("--no-log-prefix", is_flag=True, help="Don't print prefix in logs")
@click.option("--attach", multiple=True, help="Restrict attaching to the specified services")
@click.option("--no-attach", multiple=True, help="Do not attach to the specified services")
@click.option("--attach-dependencies", is_flag=True, help="Automatically attach to dependent services")
@click.option("--abort-on-container-exit", is_flag=True, help="Stop all containers if any container stopped")
@click.option("--abort-on-container-failure", is_flag=True, help="Stop all if any container failed")
@click.option("--exit-code-from", help="Return the exit code of the selected service container")
@click.option(
    "-w", "--watch", is_flag=True, help="Watch source code and refresh containers when files change"
)
@click.option("--menu/--no-menu", default=None, help="Enable interactive shortcuts when running attached")
@click.option(
    "--engine-health", is_flag=True, help="Wait for the engine's own health verdict: no early probes"
)
@click.option("-y", "--yes", is_flag=True, help="Assume yes; nothing is asked")
@click.pass_obj
def up(options: GlobalOptions, /, **flags: object) -> int:
    """Create and start containers."""
    from stackwright.cli.upflow import UpFlags, foreground, in_background

    values = dict(flags)
    options.engine_health |= bool(values.pop("engine_health"))
    values["scale"] = parse_scale(values["scale"])  # type: ignore[arg-type]
    wanted = UpFlags(**values)  # type: ignore[arg-type]
    _refuse_contradictions(wanted.detach or wanted.wait, wanted)
    project = load_project(options, wanted.services)

    if options.dry_run:
        return _plan(options, project, wanted)
    attached = not (wanted.detach or wanted.wait or wanted.no_start)

    async def main() -> int:
        # In the foreground the lock is held only until everything is up: see `Foreground`.
        async with session(options, project, announce=True, change=not attached) as opened:
            if attached:
                patience = lock_timeout(options, opened.environ)
                return await foreground(
                    opened, wanted, ansi=options.ansi, draw=options.progress, patience=patience
                )
            return await in_background(opened, wanted, draw=options.progress)

    return run(main, interrupted="Interrupted: what was started stays; the same command goes on from there")


@click.command()
@click.argument("counts", nargs=-1, required=True, metavar="SERVICE=REPLICAS...")
@click.option("--no-deps", is_flag=True, help="Don't start linked services")
@click.pass_obj
def scale(options: GlobalOptions, counts: tuple[str, ...], no_deps: bool) -> int:
    """Scale services."""
    from stackwright.cli.upflow import UpFlags, in_background

    wanted = parse_scale(counts)
    project = load_project(options, tuple(wanted))
    flags = UpFlags(services=tuple(wanted), scale=wanted, no_deps=no_deps, no_recreate=True, detach=True)

    if options.dry_run:
        return _plan(options, project, flags)

    async def main() -> int:
        async with session(options, project, announce=True, change=True) as opened:
            return await in_background(opened, flags, draw="quiet")

    return run(main)


def _plan(options: GlobalOptions, project: Project, flags: UpFlags) -> int:
    from stackwright.cli.planning import show_plan

    return show_plan(options, project, flags)


def _refuse_contradictions(detached: bool, flags: object) -> None:
    def given(name: str) -> bool:
        return bool(getattr(flags, name))

    pairs = [
        ("build", "no_build"),
        ("force_recreate", "no_recreate"),
        ("always_recreate_deps", "no_recreate"),
        ("abort_on_container_exit", "abort_on_container_failure"),
    ]
    if detached:
        for name in (
            "watch",
            "menu",
            "abort_on_container_exit",
            "abort_on_container_failure",
            "exit_code_from",
            "attach",
        ):
            if given(name):
                raise click.UsageError(f"--detach and --{name.replace('_', '-')} are incompatible")
    for left, right in pairs:
        if given(left) and given(right):
            dashed = [name.replace("_", "-") for name in (left, right)]
            raise click.UsageError(f"--{dashed[0]} and --{dashed[1]} are incompatible")
