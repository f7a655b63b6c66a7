"""`stackwright wait`, `events`, `attach` and `stats`: stays with what runs."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import click

from stackwright.cli.flags import GlobalOptions
from stackwright.cli.moments import moment
from stackwright.cli.opening import load_or_name, run, session
from stackwright.cli.tables import binary_size, size, write_table, write_values
from stackwright.plan import labels


@click.command()
@click.argument("services", nargs=-1, required=True)
@click.option("--down-project", is_flag=True, help="Drops project when the first container stops")
@click.pass_obj
def wait(options: GlobalOptions, services: tuple[str, ...], down_project: bool) -> int:
    """Block until containers of all (or specified) services stop."""
    from stackwright.run import down as downs
    from stackwright.run.errors import RunError
    from stackwright.run.lifecycle import members

    project, known = load_or_name(options, services)

    async def main() -> int:
        async with session(options, project, quiet=True) as opened:
            found = await members(opened, services, known=known)
            if not found:
                raise RunError(f"no containers for project {project.name}")
            waits = {asyncio.create_task(opened.engine.wait_container(one.id)): one for one in found}
            last = 0
            pending = set(waits)
            while pending:
                done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    last = task.result()
                    sys.stdout.write(f'container "{waits[task].id}" exited with status code {last}\n')
                if down_project:
                    break
            for task in pending:
                task.cancel()
            if down_project:
                await downs.down(opened, known=known)
            return last

    return run(main)


@click.command()
@click.argument("services", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="Output events as a stream of json objects")
@click.option("--since", help="Show all events created since timestamp")
@click.option("--until", help="Stream events until this timestamp")
@click.pass_obj
def events(
    options: GlobalOptions, services: tuple[str, ...], as_json: bool, since: str | None, until: str | None
) -> int:
    """Receive real time events from containers."""
    project, _ = load_or_name(options, services)
    begin, end = moment(since, "--since"), moment(until, "--until")

    async def main() -> int:
        async with session(options, project, quiet=True) as opened:
            stream = opened.engine.events(
                filters={"type": ["container"], **labels.project_filter(project.name)},
                since=float(begin) if begin else None,
                until=float(end) if end else None,
            )
            async for message in stream:
                attributes = message.get("Actor", {}).get("Attributes", {})
                if services and attributes.get(labels.SERVICE) not in services:
                    continue
                sys.stdout.write(_event_line(message, attributes, as_json=as_json) + "\n")
                sys.stdout.flush()
        return 0

    return run(main)


def _event_line(message: dict[str, Any], attributes: dict[str, str], *, as_json: bool) -> str:
    from datetime import UTC, datetime

    stamp = datetime.fromtimestamp(message.get("timeNano", 0) / 1e9, UTC)
    shown = {
        key: value for key, value in sorted(attributes.items()) if not key.startswith("com.docker.compose.")
    }
    if as_json:
        value = {
            "time": stamp.isoformat().replace("+00:00", "Z"),
            "type": "container",
            "action": message.get("Action", ""),
            "id": message.get("Actor", {}).get("ID", ""),
            "service": attributes.get(labels.SERVICE, ""),
            "attributes": shown,
        }
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    text = ", ".join(f"{key}={value}" for key, value in shown.items())
    when = stamp.astimezone().strftime("%Y-%m-%d %H:%M:%S.%f")
    return f"{when} container {message.get('Action')} {message.get('Actor', {}).get('ID', '')} ({text})"


@click.command()
@click.argument("service")
@click.option("--index", type=int, default=0, help="Index of the container if service has multiple replicas")
@click.option("--detach-keys", default="", help="Override the key sequence for detaching from a container")
@click.option("--no-stdin", is_flag=True, help="Do not attach STDIN")
@click.option("--sig-proxy/--no-sig-proxy", default=True, help="Proxy all received signals to the process")
@click.pass_obj
def attach(
    options: GlobalOptions, service: str, index: int, detach_keys: str, no_stdin: bool, sig_proxy: bool
) -> int:
    """Attach local standard input, output, and error streams to a service's running container."""
    from stackwright.run.attach import converse
    from stackwright.run.oneoff import forwarding, running_container

    project, _ = load_or_name(options, (service,))

    async def main() -> int:
        async with session(options, project, quiet=True) as opened:
            engine = opened.engine
            one = await running_container(opened, service, index)
            config = (await engine.inspect_container(one.id))["Config"]
            tty, stdin = bool(config.get("Tty")), bool(config.get("OpenStdin")) and not no_stdin

            async def resize(rows: int, columns: int) -> None:
                await engine.resize_container(one.id, rows, columns)

            if opened.dry:
                return 0
            stream = await engine.attach(one.id, stdin=stdin, tty=tty, detach_keys=detach_keys)
            async with stream:
                with forwarding(opened, one.id, active=sig_proxy and not tty):
                    await converse(stream, stdin=stdin, tty=tty, resize=resize)
            # The stream ended: with the container, or because somebody typed the detach keys.
            if tty and (await engine.inspect_container(one.id))["State"].get("Running"):
                sys.stderr.write("\nread escape sequence\n")
                return 0
            return await engine.wait_container(one.id)

    return run(main)


@click.command()
@click.argument("service", required=False)
@click.option(
    "-a", "--all", "everything", is_flag=True, help="Show all containers (default shows just running)"
)
@click.option("--format", "form", default="table", help="Format output (table, json or a Go template)")
@click.option("--no-stream", is_flag=True, help="Disable streaming stats and only pull the first result")
@click.option("--no-trunc", is_flag=True, help="Do not truncate output")
@click.pass_obj
def stats(
    options: GlobalOptions, service: str | None, everything: bool, form: str, no_stream: bool, no_trunc: bool
) -> int:
    """Display a live stream of container(s) resource usage statistics."""
    from stackwright.run.session import containers

    project, _ = load_or_name(options, (service,) if service else ())

    async def main() -> int:
        async with session(options, project, quiet=True) as opened:
            while True:
                found = await containers(opened.engine, project.name, all=everything)
                chosen = [one for one in found if not service or one.service == service]
                async with asyncio.TaskGroup() as group:
                    tasks = [group.create_task(opened.engine.stats(one.id)) for one in chosen]
                values = [
                    {
                        "Container": one.id,
                        "Name": one.name,
                        "ID": one.id if no_trunc else one.id[:12],
                        **_figures(task.result()),
                    }
                    for one, task in zip(chosen, tasks, strict=True)
                ]
                if sys.stdout.isatty() and not no_stream:
                    sys.stdout.write("\x1b[H\x1b[J")
                _write_stats(values, form)
                if no_stream:
                    return 0
                await asyncio.sleep(1)

    return run(main)


def _write_stats(values: list[dict[str, str]], form: str) -> None:
    if form != "table":
        write_values(values, form)
        return
    heads = ("CONTAINER ID", "NAME", "CPU %", "MEM USAGE / LIMIT", "MEM %", "NET I/O", "BLOCK I/O", "PIDS")
    keys = ("ID", "Name", "CPUPerc", "MemUsage", "MemPerc", "NetIO", "BlockIO", "PIDs")
    write_table(heads, [tuple(value[key] for key in keys) for value in values])
    sys.stdout.flush()


def _figures(sample: dict[str, Any]) -> dict[str, str]:
    """The figures that `docker stats` shows, from one sample of ContainerStats."""
    now, before = sample.get("cpu_stats") or {}, sample.get("precpu_stats") or {}
    used = _usage(now) - _usage(before)
    system = int(now.get("system_cpu_usage") or 0) - int(before.get("system_cpu_usage") or 0)
    cpus = int(now.get("online_cpus") or 1)
    memory = sample.get("memory_stats") or {}
    cache = (memory.get("stats") or {}).get("total_inactive_file") or (memory.get("stats") or {}).get(
        "inactive_file", 0
    )
    resident, limit = int(memory.get("usage") or 0) - int(cache), int(memory.get("limit") or 0)
    networks = (sample.get("networks") or {}).values()
    received, sent = sum(one["rx_bytes"] for one in networks), sum(one["tx_bytes"] for one in networks)
    return {
        "CPUPerc": f"{100 * used / system * cpus if system > 0 else 0:.2f}%",
        "MemUsage": f"{binary_size(resident)} / {binary_size(limit)}",
        "MemPerc": f"{100 * resident / limit if limit else 0:.2f}%",
        "NetIO": f"{size(received)} / {size(sent)}",
        "BlockIO": " / ".join(size(_moved(sample, word)) for word in ("read", "write")),
        "PIDs": str((sample.get("pids_stats") or {}).get("current") or 0),
    }


def _moved(sample: dict[str, Any], word: str) -> int:
    entries = (sample.get("blkio_stats") or {}).get("io_service_bytes_recursive") or ()
    return sum(int(entry["value"]) for entry in entries if str(entry.get("op", "")).lower() == word)


def _usage(stats: dict[str, Any]) -> int:
    return int((stats.get("cpu_usage") or {}).get("total_usage") or 0)
