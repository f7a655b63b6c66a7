"""`stackwright.up`: a project for as long as a `with` or `async with` lasts."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from stackwright.engine.client import EngineClient
from stackwright.engine.discover import choose, connect
from stackwright.model.load import load
from stackwright.model.project import Project
from stackwright.plan.graph import UpOptions
from stackwright.run.down import down
from stackwright.run.errors import ServiceFailed
from stackwright.run.events import Sink, ignore
from stackwright.run.explain import render
from stackwright.run.images import Images
from stackwright.run.session import Session
from stackwright.run.up import Up
from stackwright.verify import guard
from stackwright.verify.isolation import copy_name, isolated
from stackwright.verify.stack import Stack

if TYPE_CHECKING:
    from types import TracebackType

    from stackwright.verify.sync import SyncStack

Files = str | Path | Sequence[str | Path] | None
_numbers = itertools.count(1)


def up(
    files: Files = None,
    *,
    services: Sequence[str] = (),
    project_name: str | None = None,
    project_directory: str | Path | None = None,
    profiles: Sequence[str] | None = None,
    env_files: Sequence[str | Path] | None = None,
    environment: Mapping[str, str] | None = None,
    fresh: bool = False,
    publish: Mapping[str, Sequence[int]] | None = None,
    scale: Mapping[str, int] | None = None,
    build: bool = False,
    pull: str | None = None,
    engine: str | None = None,
    keep: bool = False,
    progress: Sink = ignore,
) -> Bringing:
    """A compose project for as long as a `with` or `async with` lasts.

    It is up when every service is running or healthy, and taken down at the end, unless `keep`. With `fresh` it is a
    copy of its own (name, volumes, networks, free host ports), whose volumes go as well and which is taken down even
    if this process is killed; `publish` gives services more ports, such as `{"db": [5432]}`. The other arguments mean
    what the command line's flags mean. Nothing happens before the context is entered; entering raises `ModelErrors`,
    `RunError` or `EngineError`.
    """
    several = [files] if isinstance(files, (str, Path)) else files

    def read() -> Project:
        return load(
            several,
            project_name=project_name,
            project_directory=project_directory,
            profiles=profiles,
            env_files=env_files,
            environment=environment,
            services=services,
        )

    options = UpOptions(services=tuple(services), scale=dict(scale or {}), wait=True)
    return Bringing(
        Wanted(
            read, options, fresh=fresh, publish=publish or {}, build=build, pull=pull, engine=engine, keep=keep,
            progress=progress,
        )
    )  # fmt: skip


class Wanted(Struct, frozen=True):
    """What `up` was asked for."""

    read: Callable[[], Project]
    options: UpOptions
    fresh: bool
    publish: Mapping[str, Sequence[int]]
    build: bool
    pull: str | None
    engine: str | None
    keep: bool
    progress: Sink


class Bringing:
    """What `up` returns: enter it with `async with` for a `Stack`, with `with` for a `SyncStack`."""

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self._exits = AsyncExitStack()
        self._entered: SyncStack | None = None

    async def __aenter__(self) -> Stack:
        async with AsyncExitStack() as exits:
            stack = await self._enter(exits)
            self._exits = exits.pop_all()
        return stack

    async def _enter(self, exits: AsyncExitStack) -> Stack:
        wanted = self._wanted
        project = wanted.read()
        client = await connect(choose(wanted.engine))
        exits.callback(client.close)
        if wanted.fresh:
            project = await self._copy(client, project, exits)
        session = Session(
            client, project, wanted.progress, environ={**project.environment} or dict(os.environ)
        )
        if not wanted.keep:
            exits.push_async_callback(_down, session, fresh=wanted.fresh)
        images = Images(session, pull=wanted.pull, build=wanted.build or None, quiet_build=True)
        try:
            await Up(session, wanted.options, images).run()
        except ServiceFailed as error:
            error.add_note(
                "\n".join(render(error).splitlines()[1:])
            )  # a traceback shows the last probe and log, too
            raise
        stack = Stack(session)
        await stack.refresh()
        return stack

    async def _copy(self, client: EngineClient, project: Project, exits: AsyncExitStack) -> Project:
        name = copy_name(project.name, guard.myself(), next(_numbers))
        await guard.sweep(client)
        if not self._wanted.keep:
            guard.watch(str(client.address), name)
            exits.callback(guard.release, str(client.address), name)
        return isolated(project, name, self._wanted.publish)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._exits.__aexit__(kind, error, trace)

    def __enter__(self) -> SyncStack:
        from stackwright.verify.sync import SyncStack

        self._entered = SyncStack.enter(self)
        return self._entered

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._entered is not None:
            self._entered.leave()


async def _down(session: Session, *, fresh: bool) -> None:
    await down(session, remove_orphans=fresh, volumes=fresh, timeout=1 if fresh else None)


__all__ = ["Bringing", "up"]
