"""`stackwright pull` and `images`."""

from __future__ import annotations

import json
import sys
from functools import partial

import click

from stackwright.cli.flags import GlobalOptions
from stackwright.cli.opening import load_or_name, load_project, run, session
from stackwright.cli.tables import ago, size, write_table


@click.command()
@click.argument("services", nargs=-1)
@click.option("--ignore-buildable", is_flag=True, help="Ignore images that can be built")
@click.option(
    "--ignore-pull-failures", is_flag=True, help="Pull what it can and ignores images with pull failures"
)
@click.option("--include-deps", is_flag=True, help="Also pull services declared as dependencies")
@click.option("--policy", type=click.Choice(["missing", "always"]), help="Apply pull policy")
@click.option("-q", "--quiet", is_flag=True, help="Pull without printing progress information")
@click.pass_obj
def pull(
    options: GlobalOptions,
    services: tuple[str, ...],
    ignore_buildable: bool,
    ignore_pull_failures: bool,
    include_deps: bool,
    policy: str | None,
    quiet: bool,
) -> int:
    """Pull service images."""
    from stackwright.model.types import Service
    from stackwright.plan.graph import closure
    from stackwright.run.errors import ImageMissing
    from stackwright.run.events import Note, Progress
    from stackwright.run.executor import together
    from stackwright.run.images import Images
    from stackwright.run.session import check_services, place

    project = load_project(options, services)

    async def main() -> int:
        async with session(options, project, quiet=quiet, announce=True) as opened:
            check_services(opened, services)
            images = Images(opened)

            async def one(service: Service) -> None:
                where = place(project, f"services.{service.name}.image")
                refresh = (policy or service.pull_policy or "always") not in ("missing", "if_not_present")
                try:
                    await images.reference(service.image, service.platform, where=where, refresh=refresh)
                except ImageMissing as error:
                    if not ignore_pull_failures and service.build is None:
                        raise
                    opened.emit(Note(error.message, warning=True))

            chosen = []
            for name in closure(project, services, no_deps=bool(services) and not include_deps):
                service = project.services[name]
                if not service.image or (service.build is not None and ignore_buildable):
                    opened.emit(Progress(name, "Skipped", "done", "no image to be pulled"))
                else:
                    chosen.append(service)
            await together([partial(one, service) for service in chosen], limit=opened.parallel)
        return 0

    return run(main)


@click.command()
@click.argument("services", nargs=-1)
@click.option(
    "--format", "form", type=click.Choice(["table", "json"]), default="table", help="Format the output"
)
@click.option("-q", "--quiet", is_flag=True, help="Only display IDs")
@click.pass_obj
def images(options: GlobalOptions, services: tuple[str, ...], form: str, quiet: bool) -> int:
    """List images used by the created containers."""
    from stackwright.engine.image_calls import split_reference
    from stackwright.run.session import containers

    project, _ = load_or_name(options, services)

    async def main() -> int:
        async with session(options, project, quiet=True) as opened:
            found = [
                one
                for one in await containers(opened.engine, project.name)
                if not services or one.service in services
            ]
            seen = {one.image_id: await opened.engine.inspect_image(one.image_id) for one in found}
        if quiet:
            sys.stdout.write("".join(f"{name.removeprefix('sha256:')}\n" for name in seen))
            return 0
        values = []
        for one in found:
            image = seen[one.image_id]
            name, tag = split_reference((image.get("RepoTags") or [one.image])[0])
            values.append(
                {
                    "ID": one.image_id,
                    "ContainerName": one.name,
                    "Repository": name,
                    "Tag": tag,
                    "Platform": f"{image.get('Os', '')}/{image.get('Architecture', '')}",
                    "Size": int(image.get("Size") or 0),
                    "LastTagTime": (image.get("Metadata") or {}).get("LastTagTime")
                    or image.get("Created", ""),
                    "Created": image.get("Created", ""),
                }
            )
        if form == "json":
            sys.stdout.write(json.dumps(values, separators=(",", ":")) + "\n")
            return 0
        heads = ("CONTAINER", "REPOSITORY", "TAG", "PLATFORM", "IMAGE ID", "SIZE", "CREATED")
        rows = [
            (
                value["ContainerName"],
                value["Repository"],
                value["Tag"],
                value["Platform"],
                value["ID"].removeprefix("sha256:")[:12],
                size(value["Size"]),
                _created(value["Created"]),
            )
            for value in values
        ]
        write_table(heads, rows, least=20)
        return 0

    return run(main)


def _created(text: str) -> str:
    from datetime import datetime

    try:
        return ago(datetime.fromisoformat(text[:19] + "+00:00").timestamp())
    except ValueError:
        return "N/A"
