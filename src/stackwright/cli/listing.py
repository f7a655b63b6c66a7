"""`stackwright ps`, `ls`, `port`, `top` and `version`: looks, changes nothing."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import click

from stackwright import __version__
from stackwright.cli.flags import GlobalOptions
from stackwright.cli.opening import load_or_name, run, session
from stackwright.cli.tables import ago, quoted, shorten, stamp, write_table, write_values
from stackwright.model.project import Project
from stackwright.plan import labels
from stackwright.plan.observed import Container

STATES = ("paused", "restarting", "removing", "running", "dead", "created", "exited")


def ports_text(one: Container) -> str:
    """`0.0.0.0:8080->80/tcp, 443/tcp`, as `docker ps` shows it."""
    shown = []
    for port in sorted(
        one.ports, key=lambda p: (p.get("PrivatePort", 0), p.get("Type", ""), p.get("IP", ""))
    ):
        inner = f"{port['PrivatePort']}/{port.get('Type', 'tcp')}"
        address = port.get("IP", "")
        outer = f"[{address}]" if ":" in address else address
        shown.append(f"{outer}:{port['PublicPort']}->{inner}" if port.get("PublicPort") else inner)
    return ", ".join(dict.fromkeys(shown))


def as_value(one: Container) -> dict[str, Any]:
    """One container as `docker compose ps --format json` describes it."""
    return {
        "Command": quoted(shorten(one.command, 20)),
        "CreatedAt": stamp(one.created),
        "ExitCode": one.exit_code,
        "Health": one.health,
        "ID": one.id[:12],
        "Image": one.image,
        "Labels": ",".join(f"{key}={value}" for key, value in sorted(one.labels.items())),
        "LocalVolumes": str(sum(mount.get("Type") == "volume" for mount in one.mounts)),
        "Mounts": ",".join(
            shorten(str(mount.get("Name") or mount.get("Source")), 15) for mount in one.mounts
        ),
        "Name": one.name,
        "Names": one.name,
        "Networks": ",".join(one.networks),
        "Ports": ports_text(one),
        "Project": one.project,
        "Publishers": [
            {
                "URL": port.get("IP", ""),
                "TargetPort": port.get("PrivatePort", 0),
                "PublishedPort": port.get("PublicPort", 0),
                "Protocol": port.get("Type", "tcp"),
            }
            for port in one.ports
        ],
        "RunningFor": ago(one.created),
        "Service": one.service,
        "Size": "0B",
        "State": one.state,
        "Status": one.status,
    }


@click.command()
@click.argument("services", nargs=-1)
@click.option("-a", "--all", "everything", is_flag=True, help="Show all stopped containers")
@click.option("--filter", "filters", multiple=True, help="Filter services by a property (supported: status)")
@click.option("--format", "form", default="table", help="Format output (table, json or a Go template)")
@click.option("--no-trunc", is_flag=True, help="Don't truncate output")
@click.option("--orphans/--no-orphans", default=True, help="Include orphaned services")
@click.option("-q", "--quiet", is_flag=True, help="Only display IDs")
@click.option("--services", "only_services", is_flag=True, help="Display services")
@click.option(
    "--status", "statuses", multiple=True, type=click.Choice(STATES), help="Filter services by status"
)
@click.pass_obj
def ps(
    options: GlobalOptions,
    services: tuple[str, ...],
    everything: bool,
    filters: tuple[str, ...],
    form: str,
    no_trunc: bool,
    orphans: bool,
    quiet: bool,
    only_services: bool,
    statuses: tuple[str, ...],
) -> int:
    """List containers."""
    from stackwright.run.errors import RunError
    from stackwright.run.session import check_services, containers

    project, known = load_or_name(options, services)
    wanted = set(statuses)
    for text in filters:
        name, _, value = text.partition("=")
        if name == "source":
            raise RunError("ps --filter source= is not supported")
        if name != "status" or value not in STATES:
            raise RunError(f'unknown filter "{text}"', hint="write status=running")
        wanted.add(value)

    async def main() -> int:
        async with session(options, project, quiet=True) as opened:
            if known:
                check_services(opened, services)
            found = await containers(opened.engine, project.name, all=everything or bool(wanted))
            chosen = [
                one
                for one in found
                if (not services or one.service in services)
                and (not wanted or one.state in wanted)
                and (everything or not one.oneoff)
                and (orphans or not known or one.service in project.services)
            ]
            _show(chosen, form, quiet=quiet, only_services=only_services, no_trunc=no_trunc)
        return 0

    return run(main)


def _show(chosen: list[Container], form: str, *, quiet: bool, only_services: bool, no_trunc: bool) -> None:
    chosen.sort(key=lambda one: one.name)
    if quiet:
        sys.stdout.write("".join(one.id + "\n" for one in chosen))
    elif only_services:
        sys.stdout.write("".join(name + "\n" for name in dict.fromkeys(one.service for one in chosen)))
    elif form == "table":
        rows = [
            (
                one.name,
                one.image,
                quoted(one.command if no_trunc else shorten(one.command, 20)),
                one.service,
                ago(one.created),
                one.status,
                ports_text(one),
            )
            for one in chosen
        ]
        write_table(("NAME", "IMAGE", "COMMAND", "SERVICE", "CREATED", "STATUS", "PORTS"), rows)
    else:
        write_values([as_value(one) for one in chosen], form)


@click.command()
@click.option("-a", "--all", "everything", is_flag=True, help="Show all stopped Compose projects")
@click.option("--filter", "filters", multiple=True, help="Filter output based on conditions provided (name=)")
@click.option(
    "--format", "form", type=click.Choice(["table", "json"]), default="table", help="Format the output"
)
@click.option("-q", "--quiet", is_flag=True, help="Only display project names")
@click.pass_obj
def ls(options: GlobalOptions, everything: bool, filters: tuple[str, ...], form: str, quiet: bool) -> int:
    """List running compose projects."""
    names = [text.removeprefix("name=") for text in filters]

    async def main() -> int:
        async with session(options, Project(name="-", working_dir="/"), quiet=True) as opened:
            listed = await opened.engine.list_containers(all=everything, filters={"label": [labels.PROJECT]})
        groups: dict[str, list[Container]] = {}
        for one in map(Container.from_api, listed):
            if not one.oneoff:
                groups.setdefault(one.project, []).append(one)
        values = [
            {"Name": name, "Status": _states(members), "ConfigFiles": _files(members)}
            for name, members in sorted(groups.items())
            if not names or any(wanted in name for wanted in names)
        ]
        if quiet:
            sys.stdout.write("".join(value["Name"] + "\n" for value in values))
        elif form == "json":
            sys.stdout.write(json.dumps(values, separators=(",", ":")) + "\n")
        else:
            write_table(
                ("NAME", "STATUS", "CONFIG FILES"),
                [(value["Name"], value["Status"], value["ConfigFiles"]) for value in values],
                least=20,
            )
        return 0

    return run(main)


def _states(members: list[Container]) -> str:
    counts: dict[str, int] = {}
    for one in members:
        counts[one.state] = counts.get(one.state, 0) + 1
    return ", ".join(f"{state}({count})" for state, count in sorted(counts.items()))


def _files(members: list[Container]) -> str:
    files = [one.labels.get(labels.CONFIG_FILES, "") for one in members]
    return next((text for text in files if text), "N/A")


@click.command()
@click.argument("service")
@click.argument("private_port", type=int)
@click.option("--index", type=int, default=0, help="Index of the container if service has multiple replicas")
@click.option("--protocol", type=click.Choice(["tcp", "udp"]), default="tcp", help="tcp or udp")
@click.pass_obj
def port(options: GlobalOptions, service: str, private_port: int, index: int, protocol: str) -> int:
    """Print the public port for a port binding."""
    from stackwright.run.errors import RunError
    from stackwright.run.oneoff import running_container

    project, _ = load_or_name(options, (service,))

    async def main() -> int:
        async with session(options, project, quiet=True) as opened:
            one = await running_container(opened, service, index)
        for entry in one.ports:
            if (
                entry["PrivatePort"] == private_port
                and entry.get("Type") == protocol
                and entry.get("PublicPort")
            ):
                address = entry.get("IP", "0.0.0.0")
                sys.stdout.write(f"{f'[{address}]' if ':' in address else address}:{entry['PublicPort']}\n")
                return 0
        raise RunError(
            f"no port {private_port}/{protocol} for container {one.name}: {ports_text(one) or 'none'}"
        )

    return run(main)


@click.command()
@click.argument("services", nargs=-1)
@click.pass_obj
def top(options: GlobalOptions, services: tuple[str, ...]) -> int:
    """Display the running processes."""
    from stackwright.run.session import containers

    project, _ = load_or_name(options, services)

    async def main() -> int:
        async with session(options, project, quiet=True) as opened:
            found = [
                one
                for one in await containers(opened.engine, project.name, all=False)
                if (not services or one.service in services) and one.state == "running"
            ]
            listed = await asyncio.gather(*(opened.engine.top(one.id) for one in found))
        rows = [
            (one.service, str(one.number), *process)
            for one, answer in zip(found, listed, strict=True)
            for process in answer["Processes"] or ()
        ]
        if rows:
            write_table(("SERVICE", "#", *listed[0]["Titles"]), rows, least=4, gap=2)
        return 0

    return run(main)


@click.command()
@click.argument("services", nargs=-1)
@click.option("--format", "form", default="table", help="Format output (table, json or a Go template)")
@click.option("-q", "--quiet", is_flag=True, help="Only display volume names")
@click.pass_obj
def volumes(options: GlobalOptions, services: tuple[str, ...], form: str, quiet: bool) -> int:
    """List volumes."""
    project, _ = load_or_name(options, services)

    async def main() -> int:
        async with session(options, project, quiet=True) as opened:
            found = await opened.engine.list_volumes(filters=labels.project_filter(project.name))
        used = {
            mount.source
            for name in services
            if name in project.services
            for mount in project.services[name].volumes
        }
        chosen = [
            one for one in found if not services or (one.get("Labels") or {}).get(labels.VOLUME) in used
        ]
        chosen.sort(key=lambda one: str(one["Name"]))
        if quiet:
            sys.stdout.write("".join(f"{one['Name']}\n" for one in chosen))
        elif form == "table":
            write_table(("DRIVER", "VOLUME NAME"), [(one["Driver"], one["Name"]) for one in chosen])
        else:
            write_values([_volume_value(one) for one in chosen], form)
        return 0

    return run(main)


def _volume_value(one: dict[str, Any]) -> dict[str, Any]:
    """One volume as `docker compose volumes --format json` describes it; only Swarm's volumes have the rest."""
    found = sorted((one.get("Labels") or {}).items())
    return {
        "Availability": "N/A",
        "Driver": one["Driver"],
        "Group": "N/A",
        "Labels": ",".join(f"{key}={value}" for key, value in found),
        "Links": "N/A",
        "Mountpoint": one.get("Mountpoint", ""),
        "Name": one["Name"],
        "Scope": one.get("Scope", "local"),
        "Size": "N/A",
        "Status": "N/A",
    }


@click.command()
@click.option("-f", "--format", "form", type=click.Choice(["pretty", "json"]), default="pretty")
@click.option("--short", is_flag=True, help="Shows only Stackwright's version number")
def version(form: str, short: bool) -> int:
    """Show the Stackwright version information."""
    if short:
        sys.stdout.write(f"{__version__}\n")
    elif form == "json":
        sys.stdout.write(json.dumps({"version": f"v{__version__}"}, separators=(",", ":")) + "\n")
    else:
        sys.stdout.write(f"Stackwright version v{__version__}\n")
    return 0
