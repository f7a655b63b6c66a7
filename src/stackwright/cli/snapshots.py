"""`stackwright commit` and `export`: a container's file system as an image or a tar."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import click

from stackwright.cli.flags import GlobalOptions
from stackwright.cli.opening import load_or_name, run, session


@click.command()
@click.argument("service")
@click.argument("reference", required=False, default="", metavar="[REPOSITORY[:TAG]]")
@click.option("-a", "--author", default="", help='Author (e.g., "Ada Lovelace <ada@example.org>")')
@click.option(
    "-c", "--change", "changes", multiple=True, help="Apply Dockerfile instruction to the created image"
)
@click.option("--index", type=int, default=0, help="Index of the container if service has multiple replicas")
@click.option("-m", "--message", default="", help="Commit message")
@click.option("-p", "--pause/--no-pause", default=True, help="Pause container during commit")
@click.pass_obj
def commit(
    options: GlobalOptions,
    service: str,
    reference: str,
    author: str,
    changes: tuple[str, ...],
    index: int,
    message: str,
    pause: bool,
) -> int:
    """Create a new image from a service container's changes."""
    from stackwright.engine.image_calls import split_reference
    from stackwright.run.events import Progress
    from stackwright.run.oneoff import service_containers

    project, _ = load_or_name(options, (service,))
    repository, tag = split_reference(reference) if reference else ("", "")

    async def main() -> int:
        async with session(options, project) as opened:
            one = (await service_containers(opened, service, index))[0]
            subject = f"{one.name} {reference or '(no name)'}"
            opened.emit(Progress(subject, "Committing"))
            made = await opened.engine.commit(
                one.id,
                repo=repository,
                tag=tag,
                author=author,
                comment=message,
                changes=changes,
                pause=pause,
            )
            opened.emit(Progress(subject, f"Committed as {made}", "done"))
        return 0

    return run(main)


@click.command()
@click.argument("service")
@click.option("--index", type=int, default=0, help="Index of the container if service has multiple replicas")
@click.option("-o", "--output", default="", help="Write to a file, instead of STDOUT")
@click.pass_obj
def export(options: GlobalOptions, service: str, index: int, output: str) -> int:
    """Export a service container's filesystem as a tar archive."""
    from stackwright.run.events import Progress
    from stackwright.run.oneoff import service_containers

    if not output and sys.stdout.isatty() and not options.dry_run:
        raise click.UsageError("output option is required when exporting to terminal: -o FILE, or | tar")
    if output and not Path(output).absolute().parent.is_dir():
        raise click.UsageError(f"{Path(output).parent} is no folder")
    project, _ = load_or_name(options, (service,))

    async def main() -> int:
        async with session(options, project) as opened:
            one = (await service_containers(opened, service, index))[0]
            opened.emit(Progress(f"{one.name} export", "Exporting"))
            if not opened.dry:
                await _save(opened.engine.export(one.id), output)
            opened.emit(Progress(f"{one.name} export", "Exported", "done"))
        return 0

    return run(main)


async def _save(pieces: AsyncIterator[bytes], output: str) -> None:
    """To a file, which appears when it is whole, or to standard output."""
    if not output:
        async for piece in pieces:
            sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()
        return
    beside = Path(f"{output}.part")
    try:
        with beside.open("wb") as file:
            async for piece in pieces:
                file.write(piece)
        beside.replace(output)
    finally:
        beside.unlink(missing_ok=True)
