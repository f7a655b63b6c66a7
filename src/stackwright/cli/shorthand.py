"""Short forms that only the command line has: `-p 8080:80`, `-v ./here:/there:ro`, env files."""

from __future__ import annotations

from pathlib import Path

import click

from stackwright.model.project import Project
from stackwright.model.types import Mount, Port


def port(text: str) -> Port:
    """`[[ip:]published:]target[/protocol]`.

    >>> port("127.0.0.1:8080:80/udp").published
    '8080'
    """
    rest, _, protocol = text.partition("/")
    address, target = "", rest
    published = ""
    if ":" in rest:
        head, _, target = rest.rpartition(":")
        address, _, published = head.rpartition(":")
    if not target.isdigit() or (published and not published.replace("-", "").isdigit()):
        raise click.UsageError(f'invalid port "{text}": write [[IP:]PUBLISHED:]TARGET[/PROTOCOL]')
    return Port(
        target=int(target), published=published, host_ip=address.strip("[]"), protocol=protocol or "tcp"
    )


def mount(text: str, project: Project) -> Mount:
    """`source:target[:ro]`: a path is bound, a name is a volume of the project."""
    parts = text.split(":")
    read_only = parts[-1] in ("ro", "rw") and parts.pop() == "ro"
    if len(parts) == 1:
        return Mount(type="volume", target=parts[0], read_only=read_only)
    if len(parts) != 2:
        raise click.UsageError(f'invalid volume "{text}": write SOURCE:TARGET[:ro]')
    source, target = parts
    if source.startswith((".", "/", "~")):
        path = (Path(project.working_dir) / Path(source).expanduser()).resolve()
        return Mount(type="bind", source=str(path), target=target, read_only=read_only)
    if source not in project.volumes:
        raise click.UsageError(f'volume "{source}" is not in the model; a path starts with "." or "/"')
    return Mount(type="volume", source=source, target=target, read_only=read_only)


def env_file(path: str) -> list[str]:
    """`KEY=value` lines of a file; comments and empty lines are left out."""
    try:
        text = Path(path).read_text()
    except OSError as error:
        raise click.UsageError(f"{path}: {error.strerror}") from error
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("#") and "=" in line]
