"""Takes down what a killed test run leaves: a guard at once, or whoever comes next.

The guard is a process of its own session that holds the other end of a pipe. It is told which copies there are; when
the pipe ends without their release, their maker is gone, and it takes them down by name. Should the guard be killed too,
`sweep` finds copies whose owner no longer lives (see `isolation`) when the next copy is made.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

from stackwright.engine.client import EngineClient
from stackwright.engine.errors import EngineError
from stackwright.model.project import Project
from stackwright.plan import labels
from stackwright.run.down import down
from stackwright.run.session import Session
from stackwright.verify.isolation import Owner, owner_of

_guards: dict[int, subprocess.Popen[bytes]] = {}
"""This process's guard. By pid: a forked child must not use its parent's."""


def myself() -> Owner:
    """This process."""
    return Owner(_namespace(), os.getpid(), _start_ticks(os.getpid()) or 0)


def alive(owner: Owner) -> bool:
    """Whether an owner still lives, as far as one can tell from here: elsewhere nobody is declared dead."""
    return owner.namespace != _namespace() or _start_ticks(owner.pid) == owner.start


def _namespace() -> int:
    return Path("/proc/self/ns/pid").stat().st_ino


def _start_ticks(pid: int) -> int | None:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    except OSError:
        return None


def watch(engine: str, project: str) -> None:
    """From now on the project is taken down when this process ends without `release`."""
    pid = os.getpid()
    if pid not in _guards or _guards[pid].poll() is not None:
        _guards[pid] = subprocess.Popen(
            [sys.executable, "-m", "stackwright.verify.guard"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C and a killed process group are not for it
        )
    _tell(f"+ {engine} {project}")


def release(engine: str, project: str) -> None:
    """The project has been taken down."""
    _tell(f"- {engine} {project}")


def _tell(line: str) -> None:
    process = _guards.get(os.getpid())
    if process is None or process.stdin is None:
        return
    try:
        process.stdin.write(line.encode() + b"\n")
        process.stdin.flush()
    except BrokenPipeError:  # killed: the next run sweeps
        pass


async def sweep(client: EngineClient) -> list[str]:
    """Take down the copies on an engine whose owners are gone; their names. Engines of other machines are left alone."""
    if client.address.scheme != "unix":
        return []
    found = await client.list_containers(all=True, filters={"label": [labels.PROJECT]})
    names = {str((one.get("Labels") or {}).get(labels.PROJECT, "")) for one in found}
    lost = [name for name in sorted(names) if (owner := owner_of(name)) is not None and not alive(owner)]
    for name in lost:
        await take_down(client, name)
    return lost


async def take_down(client: EngineClient, name: str) -> None:
    """Everything that carries a project's name: containers, networks, volumes. Needs no compose file."""
    await down(Session(client, Project(name=name, working_dir="/")), known=False, volumes=True, timeout=1)


async def _mourn(left: list[tuple[str, str]]) -> None:
    for engine, name in left:
        try:
            async with EngineClient(engine) as client:
                await take_down(client, name)
        except EngineError:  # gone with its containers, or the next run's business
            continue


def main() -> None:
    """The guard: listens until the pipe ends, then takes down what was not released."""
    left: dict[tuple[str, str], None] = {}
    for line in sys.stdin.buffer:
        sign, engine, name = line.decode().split()
        if sign == "+":
            left[engine, name] = None
        else:
            left.pop((engine, name), None)
    if left:
        asyncio.run(_mourn(list(left)))


if __name__ == "__main__":
    main()
