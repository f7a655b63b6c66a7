"""`stackwright cp`: files between a service's containers and the local file system."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator

import click

from stackwright.cli.flags import GlobalOptions
from stackwright.cli.opening import load_or_name, run, session


def split_path(text: str) -> tuple[str, str]:
    """`SERVICE:PATH` as (service, path); the service is empty for a local path.

    >>> split_path("web:/etc"), split_path("./a:b"), split_path("-"), split_path("/tmp/x")
    (('web', '/etc'), ('', './a:b'), ('', '-'), ('', '/tmp/x'))
    """
    if text.startswith((".", "/")) or ":" not in text:
        return "", text
    service, _, path = text.partition(":")
    return service, path


@click.command()
@click.argument("source", metavar="SERVICE:SRC_PATH|SRC_PATH|-")
@click.argument("target", metavar="DEST_PATH|-|SERVICE:DEST_PATH")
@click.option("--all", "everything", is_flag=True, help="Include containers created by the run command")
@click.option("-a", "--archive", is_flag=True, help="Archive mode (copy all uid/gid information)")
@click.option("-L", "--follow-link", is_flag=True, help="Always follow symbol link in SRC_PATH")
@click.option("--index", type=int, default=0, help="Index of the container if service has multiple replicas")
@click.pass_obj
def cp(
    options: GlobalOptions,
    source: str,
    target: str,
    everything: bool,
    archive: bool,
    follow_link: bool,
    index: int,
) -> int:
    """Copy files/folders between a service container and the local filesystem."""
    from stackwright.run import copying

    (giver, path), (taker, place) = split_path(source), split_path(target)
    if giver and taker:
        raise click.ClickException(
            "copying between services is not supported: copy to a local folder first, then from there"
        )
    if not giver and not taker:
        raise click.ClickException("unknown copy direction: write SERVICE:PATH for one of both")
    project, _ = load_or_name(options, (giver or taker,))
    choice = copying.Choice(index, everything, archive, follow_link)

    async def main() -> int:
        async with session(options, project) as opened:
            if giver and place == "-":
                async for piece in copying.tar_out(opened, giver, path, choice):
                    sys.stdout.buffer.write(piece)
                sys.stdout.buffer.flush()
            elif giver:
                await copying.out(opened, giver, path, place, choice)
            elif path == "-":
                await copying.tar_into(opened, _standard_input(), taker, place, choice)
            else:
                await copying.into(opened, path, taker, place, choice)
        return 0

    return run(main)


async def _standard_input() -> AsyncIterator[bytes]:
    while data := await asyncio.to_thread(sys.stdin.buffer.read, 1 << 18):
        yield data
