"""`stackwright down`."""

from __future__ import annotations

import click

from stackwright.cli.flags import GlobalOptions
from stackwright.cli.opening import load_or_name, run, session
from stackwright.run.events import Note


@click.command()
@click.argument("services", nargs=-1)
@click.option("-v", "--volumes", is_flag=True, help='Remove named volumes declared in the "volumes" section')
@click.option("--rmi", type=click.Choice(["local", "all"]), help="Remove images used by services")
@click.option("--remove-orphans", is_flag=True, help="Remove containers for services not in the Compose file")
@click.option("-t", "--timeout", type=int, help="Specify a shutdown timeout in seconds")
@click.pass_obj
def down(
    options: GlobalOptions,
    services: tuple[str, ...],
    volumes: bool,
    rmi: str | None,
    remove_orphans: bool,
    timeout: int | None,
) -> int:
    """Stop and remove containers, networks."""
    project, known = load_or_name(options, services)

    async def main() -> int:
        from stackwright.run import down as runs
        from stackwright.run.session import check_services

        async with session(options, project, change=True) as opened:
            if known:
                check_services(opened, services)
            did = await runs.down(
                opened,
                services,
                remove_orphans=remove_orphans,
                volumes=volumes,
                images=rmi or "",
                timeout=timeout,
                known=known,
            )
            if not did:
                opened.emit(Note("No resource found to remove", warning=True))
        return 0

    return run(main)
