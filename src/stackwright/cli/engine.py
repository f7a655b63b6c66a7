"""`stackwright engine status|start|stop|serve`: the embedded engine as a process."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys

import click

from stackwright.cli.flags import GlobalOptions
from stackwright.engine import daemon
from stackwright.engine.discover import Choice, answers, choose
from stackwright.engine.errors import EngineError


@click.group()
def engine() -> None:
    """Look at, start or stop the embedded engine."""


@engine.command()
@click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", help="Format the output"
)
@click.pass_context
def status(context: click.Context, form: str) -> int:
    """Say which engine would be used and why, and whether the embedded one runs."""
    import json

    options: GlobalOptions = context.obj
    choice = choose(options.engine, context=options.context)
    place = daemon.Place.of(os.environ)
    value: dict[str, object] = {
        "engine": choice.kind,
        "address": choice.address,
        "reason": choice.reason,
        "running": False,
        "state_dir": str(place.state),
        "socket": str(place.socket),
        "log": str(place.log),
    }
    if not choice.spawn or answers(choice.address.removeprefix("unix://")):
        value.update(asyncio.run(_facts(choice)))
    value["pid"] = daemon.pid_of(place)
    if form == "json":
        sys.stdout.write(json.dumps(value) + "\n")
        return 0
    state = "running" if value["running"] else "not running (started on demand)"
    sys.stdout.write(f"{choice.kind} engine, because {choice.reason}\n  {choice.address}: {state}\n")
    for key in ("version", "api", "containers", "error"):
        if key in value:
            sys.stdout.write(f"  {key}: {value[key]}\n")
    if choice.kind == "embedded":
        sys.stdout.write(f"  state: {place.state}\n  log: {place.log}\n")
        if value["pid"]:
            sys.stdout.write(f"  process: {value['pid']}\n")
    return 0


async def _facts(choice: Choice) -> dict[str, object]:
    try:
        async with choice.client() as client:
            version = await client.version()
            running = len(await client.list_containers())
    except EngineError as error:
        return {"error": error.message}
    return {
        "running": True,
        "version": version.get("Version", "?"),
        "api": version.get("ApiVersion", "?"),
        "containers": running,
    }


@engine.command()
def start() -> int:
    """Start the embedded engine if it does not run."""
    place = daemon.Place.of(os.environ)
    asyncio.run(daemon.start(place))
    sys.stdout.write(f"DOCKER_HOST=unix://{place.socket}\n")
    return 0


@engine.command()
def stop() -> int:
    """End the embedded engine; containers go on running and are found again by the next start."""
    place = daemon.Place.of(os.environ)
    if not asyncio.run(daemon.stop(place)):
        sys.stderr.write("the embedded engine does not run\n")
    return 0


@engine.command(context_settings={"ignore_unknown_options": True})
@click.option("--idle-seconds", help="End after this many seconds with nothing running (0: never)")
@click.argument("more", nargs=-1, type=click.UNPROCESSED)
def serve(idle_seconds: str | None, more: tuple[str, ...]) -> int:
    """Serve the embedded engine in the foreground."""
    place = daemon.Place.of(os.environ)
    place.state.mkdir(parents=True, exist_ok=True)
    place.socket.parent.mkdir(parents=True, exist_ok=True)
    try:
        return subprocess.run([*daemon.command(place, idle_seconds), *more]).returncode
    except KeyboardInterrupt:
        return 130
