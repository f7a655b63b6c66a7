"""`stackwright exec` and `stackwright run`."""

from __future__ import annotations

import os
import sys
from typing import Any

import click

from stackwright.cli.flags import GlobalOptions
from stackwright.cli.opening import load_or_name, load_project, run, session

PASS_THROUGH = {"ignore_unknown_options": True, "allow_interspersed_args": False}


def _terminal(disabled: bool) -> bool:
    return not disabled and sys.stdin.isatty() and sys.stdout.isatty()


def _environment(values: tuple[str, ...]) -> tuple[str, ...]:
    """`KEY=value`; a bare KEY takes our own value, or is left out."""
    return tuple(
        text if "=" in text else f"{text}={os.environ[text]}"
        for text in values
        if "=" in text or text in os.environ
    )


@click.command("exec", context_settings=PASS_THROUGH)
@click.option("-d", "--detach", is_flag=True, help="Run command in the background")
@click.option("-e", "--env", multiple=True, help="Set environment variables")
@click.option("--index", type=int, default=0, help="Index of the container if service has multiple replicas")
@click.option("-i", "--interactive", is_flag=True, default=True, hidden=True)
@click.option("-t", "--tty", is_flag=True, default=True, hidden=True)
@click.option("-T", "--no-tty", is_flag=True, help="Disable pseudo-TTY allocation")
@click.option("--privileged", is_flag=True, help="Give extended privileges to the process")
@click.option("-u", "--user", default="", help="Run the command as this user")
@click.option("-w", "--workdir", default="", help="Path to workdir directory for this command")
@click.argument("service")
@click.argument("command", nargs=-1, type=click.UNPROCESSED, required=True)
@click.pass_obj
def exec_command(
    options: GlobalOptions,
    detach: bool,
    env: tuple[str, ...],
    index: int,
    interactive: bool,
    tty: bool,
    no_tty: bool,
    privileged: bool,
    user: str,
    workdir: str,
    service: str,
    command: tuple[str, ...],
) -> int:
    """Execute a command in a running container."""
    from stackwright.run import oneoff

    project, _ = load_or_name(options, (service,))
    wanted = oneoff.Command(
        words=command,
        detach=detach,
        environment=_environment(env),
        index=index,
        tty=_terminal(no_tty or not tty) and not detach,
        stdin=interactive,
        privileged=privileged,
        user=user,
        workdir=workdir,
    )

    async def main() -> int:
        async with session(options, project, quiet=True) as opened:
            return await oneoff.execute(opened, service, wanted)

    return run(main)


@click.command("run", context_settings=PASS_THROUGH)
@click.option("--build", is_flag=True, help="Build image before starting container")
@click.option("--cap-add", multiple=True, help="Add Linux capabilities")
@click.option("--cap-drop", multiple=True, help="Drop Linux capabilities")
@click.option("-d", "--detach", is_flag=True, help="Run container in background and print container ID")
@click.option("--entrypoint", help="Override the entrypoint of the image")
@click.option("-e", "--env", multiple=True, help="Set environment variables")
@click.option("--env-from-file", multiple=True, help="Set environment variables from file")
@click.option(
    "-i", "--interactive/--no-interactive", default=True, help="Keep STDIN open even if not attached"
)
@click.option("-l", "--label", multiple=True, help="Add or override a label")
@click.option("--name", default="", help="Assign a name to the container")
@click.option("-T", "--no-tty", "--no-TTY", is_flag=True, help="Disable pseudo-TTY allocation")
@click.option("-t", "--tty", is_flag=True, default=True, hidden=True)
@click.option("--no-deps", is_flag=True, help="Don't start linked services")
@click.option("-p", "--publish", multiple=True, help="Publish a container's port(s) to the host")
@click.option("--pull", type=click.Choice(["always", "missing", "never"]), help="Pull image before running")
@click.option("-q", "--quiet", is_flag=True, help="Don't print anything to STDOUT")
@click.option("--quiet-build", is_flag=True, help="Suppress progress output from the build process")
@click.option("--quiet-pull", is_flag=True, help="Pull without printing progress information")
@click.option("--remove-orphans", is_flag=True, help="Remove containers for services not in the Compose file")
@click.option("--rm", "remove", is_flag=True, help="Automatically remove the container when it exits")
@click.option("-P", "--service-ports", is_flag=True, help="Run command with all service's ports published")
@click.option("--use-aliases", is_flag=True, help="Use the service's network useAliases in the network(s)")
@click.option("-u", "--user", default="", help="Run as specified username or uid")
@click.option("-v", "--volume", multiple=True, help="Bind mount a volume")
@click.option("-w", "--workdir", default="", help="Working directory inside the container")
@click.argument("service")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@click.pass_obj
def run_command(
    options: GlobalOptions,
    /,
    service: str,
    command: tuple[str, ...],
    env: tuple[str, ...],
    env_from_file: tuple[str, ...],
    no_tty: bool,
    tty: bool,
    interactive: bool,
    publish: tuple[str, ...],
    volume: tuple[str, ...],
    label: tuple[str, ...],
    cap_add: tuple[str, ...],
    cap_drop: tuple[str, ...],
    quiet: bool,
    quiet_build: bool,
    detach: bool,
    **same: Any,
) -> int:
    """Run a one-off command on a service."""
    from stackwright.cli.shorthand import env_file, mount, port
    from stackwright.run import oneoff

    project = load_project(options, (service,))
    wanted = oneoff.Command(
        words=command,
        environment=(*(line for path in env_from_file for line in env_file(path)), *_environment(env)),
        tty=_terminal(no_tty or not tty) and not detach,
        stdin=interactive and not detach,
        publish=tuple(port(text) for text in publish),
        volumes=tuple(mount(text, project) for text in volume),
        labels=label,
        cap_add=cap_add,
        cap_drop=cap_drop,
        detach=detach,
        **same,
    )

    async def main() -> int:
        async with session(options, project, quiet=quiet) as opened:
            return await oneoff.run(opened, service, wanted, click.echo)

    return run(main)
