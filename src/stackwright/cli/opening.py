"""What every verb does first: read the model, find the engine, set up the progress output."""

from __future__ import annotations

import asyncio
import os
import sys
import warnings
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any, NamedTuple, cast

import click

from stackwright.cli.flags import GlobalOptions
from stackwright.cli.progress import Printer, printer
from stackwright.engine.client import EngineClient
from stackwright.engine.discover import Choice, choose, connect
from stackwright.engine.errors import EngineError
from stackwright.model.errors import ModelErrors
from stackwright.model.project import Project
from stackwright.plan.labels import service_named
from stackwright.run.events import Note, Sink
from stackwright.run.session import ImageSource, Session


class Reached(NamedTuple):
    """The engine that the flags name, and a client that may have asked it already."""

    choice: Choice
    client: EngineClient


def load_project(options: GlobalOptions, services: Sequence[str] = ()) -> Project:
    """The project that the global flags name, for a session that follows: the engine is asked ahead, and answers meanwhile.

    Raises `ModelErrors`.
    """
    with suppress(EngineError):  # what is wrong with it is said when it is needed
        choice = choose(options.engine, context=options.context)
        options.reached = Reached(choice, choice.client())
        options.reached.client.ask_ahead()
    try:
        return read_project(options, services)
    except BaseException:
        if options.reached is not None:
            options.reached.client.close()
            options.reached = None
        raise


def read_project(options: GlobalOptions, services: Sequence[str] = ()) -> Project:
    """The project that the global flags name. Naming a service switches its profiles on. Raises `ModelErrors`."""
    from stackwright.model.load import load

    def read(profiles: list[str]) -> Project:
        return load(
            options.files or None,
            project_directory=options.project_directory,
            project_name=options.project_name,
            env_files=options.env_files or None,
            profiles=profiles or None,
            all_resources=options.all_resources,
        )

    project = read(options.profiles)
    hidden = [project.disabled_services[name] for name in services if name in project.disabled_services]
    if hidden:
        more = [profile for service in hidden for profile in service.profiles]
        project = read([*options.profiles, *project.profiles, *more])
    return project


def load_or_name(
    options: GlobalOptions,
    services: Sequence[str] = (),
    load: Callable[[GlobalOptions, Sequence[str]], Project] = load_project,
) -> tuple[Project, bool]:
    """The project; with a project name and no usable Compose file an empty one of that name, and False.

    What runs carries the name, so looking at it or ending it must not need the files.
    """
    name = options.project_name or os.environ.get("COMPOSE_PROJECT_NAME", "")
    try:
        return load(options, services), True
    except ModelErrors:
        if name and not options.files:
            return Project(name=name, working_dir=_here()), False
        raise


def _here() -> str:
    return os.getcwd()  # noqa: PTH109 - a text is wanted


@asynccontextmanager
async def session(
    options: GlobalOptions,
    project: Project,
    *,
    quiet: bool = False,
    announce: bool = False,
    change: bool = False,
) -> AsyncIterator[Session]:
    """A session on the engine that the flags name; progress is drawn while it lasts.

    `announce` says which engine `auto` chose, and why. `change` holds the project's lock.
    """
    reached, options.reached = options.reached, None
    choice = reached.choice if reached else choose(options.engine, context=options.context)
    environ = {**project.environment} or dict(os.environ)
    _apply(options, environ)
    progress = options.progress if options.progress != "auto" else environ.get("COMPOSE_PROGRESS") or "auto"
    shown = "quiet" if quiet and not options.dry_run else progress
    with printer(shown, options.ansi, partial(service_named, project)) as show:
        client = await connect(choice, client=reached.client if reached else None)
        emit: Sink = show
        if options.dry_run:
            from stackwright.cli.dry import announced
            from stackwright.engine.dry import DryEngine

            client, emit, change = DryEngine.beside(client), announced(show), False
        if announce and choice.found:
            show(Note(choice.announcement()))
        for warning in project.warnings:
            show(Note(warning, warning=True))
        patience = lock_timeout(options, environ) if change else 0.0
        async with _ticking(show), _locked(choice.address, project.name, show, change, patience) as killed:
            try:
                made = Session(
                    client,
                    project,
                    emit,
                    images=cast("ImageSource", options.images),
                    host_ca=options.host_ca,
                    engine_health=options.engine_health,
                    environ=environ,
                    environment_files=tuple(map(os.path.abspath, options.env_files)),
                    parallel=_parallel(options, environ),
                    dry=options.dry_run,
                )
                if killed:
                    from stackwright.run import unfinished

                    await unfinished.stops(made)
                yield made
            finally:
                client.close()


def _apply(options: GlobalOptions, environ: Mapping[str, str]) -> None:
    """Settings that flags or the environment give (also through `.env`, as with docker compose)."""
    from stackwright.plan import labels

    if options.ansi == "auto" and environ.get("COMPOSE_ANSI") in ("never", "always", "auto"):
        options.ansi = environ["COMPOSE_ANSI"]
    wanted = environ.get("COMPOSE_COMPATIBILITY", "").lower() in ("1", "t", "true")
    labels.use_separator("_" if options.compatibility or wanted else "-")


def _parallel(options: GlobalOptions, environ: Mapping[str, str]) -> int:
    given = options.parallel
    text = given if given is not None else environ.get("COMPOSE_PARALLEL_LIMIT") or "-1"
    try:
        number = int(text)
    except ValueError:
        name = "--parallel" if given is not None else "COMPOSE_PARALLEL_LIMIT"
        raise click.UsageError(f'invalid {name} "{text}": write a number, -1 for no limit') from None
    return max(0, number)


def lock_timeout(options: GlobalOptions, environ: Mapping[str, str]) -> float:
    """Seconds that a command waits for another one: `--lock-timeout`, `STACKWRIGHT_LOCK_TIMEOUT`, or five minutes."""
    from stackwright.cli.moments import seconds

    text = options.lock_timeout or environ.get("STACKWRIGHT_LOCK_TIMEOUT") or "300"
    return seconds(text, "--lock-timeout" if options.lock_timeout else "STACKWRIGHT_LOCK_TIMEOUT")


@asynccontextmanager
async def _locked(
    address: str, project: str, show: Printer, change: bool, patience: float
) -> AsyncIterator[bool]:
    if not change:
        yield False
        return
    from stackwright.cli.lock import project_lock

    async with project_lock(address, project, show, patience) as killed:
        yield killed


@asynccontextmanager
async def _ticking(show: Printer) -> AsyncIterator[None]:
    if not show.live:
        yield
        return

    async def tick() -> None:
        while True:
            await asyncio.sleep(0.1)
            show.tick()

    task = asyncio.create_task(tick(), name="redraw progress")
    try:
        yield
    finally:
        task.cancel()


def run(main: Callable[[], Coroutine[Any, Any, int | None]], *, interrupted: str = "") -> int:
    """Run a verb to its end and return its exit code; Ctrl-C gives 130, and says `interrupted`."""
    try:
        return asyncio.run(main()) or 0
    except KeyboardInterrupt:
        # An event loop or coroutine that was only half made complains when it goes; the process ends here.
        sys.unraisablehook = lambda _: None
        warnings.simplefilter("ignore")
        sys.stderr.write(interrupted + "\n" if interrupted else "")
        return 130
