"""How `up` goes on: in the background, or in the foreground with the containers' output."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial

from msgspec import Struct, field

from stackwright.cli import boots, runlog, waterfall
from stackwright.cli.asking import agreed
from stackwright.cli.live import Live, screen
from stackwright.cli.lock import held, project_lock
from stackwright.cli.logview import LogView
from stackwright.cli.progress import colourful
from stackwright.cli.warm.whose import command_pid
from stackwright.engine.errors import ApiError, EngineError
from stackwright.plan import graph as graphs
from stackwright.plan.graph import UpOptions
from stackwright.plan.observed import Container
from stackwright.run import unfinished
from stackwright.run.down import end
from stackwright.run.errors import NoSuchService, RunError
from stackwright.run.events import Note
from stackwright.run.executor import together
from stackwright.run.images import Images
from stackwright.run.logs import Ended, Follower, Line
from stackwright.run.session import Session, check_services, containers
from stackwright.run.timeline import Timeline, process_start
from stackwright.run.up import Up


class UpFlags(Struct, frozen=True, kw_only=True):
    """The flags of `up`, as given."""

    services: tuple[str, ...] = ()
    detach: bool = False
    wait: bool = False
    wait_timeout: int | None = None
    build: bool = False
    no_build: bool = False
    pull: str | None = None
    quiet_pull: bool = False
    quiet_build: bool = False
    scale: dict[str, int] = field(default_factory=dict)
    force_recreate: bool = False
    no_recreate: bool = False
    always_recreate_deps: bool = False
    no_deps: bool = False
    no_start: bool = False
    remove_orphans: bool = False
    renew_anon_volumes: bool = False
    timeout: int | None = None
    timestamps: bool = False
    no_color: bool = False
    no_log_prefix: bool = False
    attach: tuple[str, ...] = ()
    no_attach: tuple[str, ...] = ()
    attach_dependencies: bool = False
    abort_on_container_exit: bool = False
    abort_on_container_failure: bool = False
    exit_code_from: str | None = None
    watch: bool = False
    menu: bool | None = None
    yes: bool = False

    def options(self) -> UpOptions:
        """What the planner needs of them."""
        return UpOptions(
            services=self.services,
            scale=self.scale,
            force_recreate=self.force_recreate,
            no_recreate=self.no_recreate,
            always_recreate_deps=self.always_recreate_deps,
            no_deps=self.no_deps,
            no_start=self.no_start,
            remove_orphans=self.remove_orphans,
            wait=self.wait,
            renew_anonymous_volumes=self.renew_anon_volumes,
        )

    def images(self, session: Session) -> Images:
        """How images are had."""
        build = False if self.no_build else (True if self.build else None)
        return Images(
            session, pull=self.pull, build=build, quiet_pull=self.quiet_pull, quiet_build=self.quiet_build
        )

    def job(self, session: Session) -> Up:
        """The run that they ask for."""
        return Up(
            session,
            self.options(),
            self.images(session),
            self.timeout,
            partial(self._agree, session),
            Timeline(begin=process_start(command_pid())),
        )

    def _agree(self, session: Session, question: str) -> bool:
        finish_progress(session)
        return self.yes or agreed(question, "--yes")


async def in_background(session: Session, flags: UpFlags, *, draw: str) -> int:
    """`up -d`, `up --wait`, `create`: returns when everything is as asked for."""
    job = flags.job(session)
    try:
        async with asyncio.timeout(flags.wait_timeout):
            timeline = await job.run()
    except TimeoutError:
        error = RunError(f"the services are not ready after {flags.wait_timeout} s (--wait-timeout)")
        note_down(session, job, error)
        raise error from None
    except (RunError, EngineError) as error:
        note_down(session, job, error)
        raise
    finish_progress(session)
    note_down(session, job)
    print_timeline(timeline, draw)
    return 0


def note_down(session: Session, job: Up, error: RunError | EngineError | None = None) -> None:
    """Remember how long it took, and how it ended."""
    project, timeline = session.project, job.timeline
    started = [name for name, made in job.made.items() if not job.started.isdisjoint(made.values())]
    failed = error.message.splitlines()[0] if error is not None else ""
    runlog.remember(
        project.directory, project.name, timeline, started, engine=session.engine.kind, failed=failed
    )
    if error is None:
        boots.remember(project.directory, timeline)


def finish_progress(session: Session) -> None:
    """Let live lines stand as they are; what follows is printed below them."""
    if isinstance(session.sink, Live):
        session.sink.pause()


def print_timeline(timeline: Timeline, draw: str) -> None:
    """The waterfall, to stderr: text for people, one object with --progress json."""
    if draw == "quiet":
        return
    if draw == "json":
        sys.stderr.write(json.dumps({"timeline": waterfall.as_json(timeline)}) + "\n")
        return
    text = waterfall.render(timeline, min(120, screen(sys.stderr).columns))
    if text:
        sys.stderr.write(text + "\n")
        sys.stderr.flush()


@contextmanager
def interrupts(handler: object) -> Iterator[None]:
    """Call `handler()` on SIGINT and SIGTERM for as long as the context lasts."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, handler)  # type: ignore[arg-type]
    try:
        yield
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


async def foreground(session: Session, flags: UpFlags, *, ansi: str, draw: str, patience: float) -> int:
    """`up` without -d: the output of the containers until they end or somebody interrupts.

    `patience`: seconds to wait for another command on the project."""
    return await Foreground(session, flags, ansi, draw, patience).run()


class Foreground:
    """One attached `up`: brings up, shows output, stops everything at the end."""

    def __init__(self, session: Session, flags: UpFlags, ansi: str, draw: str, patience: float) -> None:
        self.session, self.flags, self.draw, self.patience = session, flags, draw, patience
        self.view = LogView(
            colour=not flags.no_color and colourful(ansi, sys.stdout),
            prefix=not flags.no_log_prefix,
            timestamps=flags.timestamps,
        )
        self.interrupted = 0
        self.brought_up = False
        self.again = asyncio.Event()
        self.first: Ended | None = None
        self.stopping = asyncio.Event()
        self.detached = False
        self._watching: asyncio.Task[None] | None = None
        project = session.project
        if flags.exit_code_from:
            check_services(session, (flags.exit_code_from,))
        self.members = set(graphs.closure(project, flags.services, no_deps=flags.no_deps))
        self.shown = self._shown()
        self.view.expect(
            project.services[name].container_name or f"{name}-{number + 1}"
            for name in self.shown
            for number in range(flags.scale.get(name, project.services[name].replicas))
        )

    def _shown(self) -> set[str]:
        flags, services = self.flags, self.session.project.services
        shown = set(flags.attach) or (
            self.members if flags.attach_dependencies or not flags.services else set(flags.services)
        )
        for name in shown:
            if name not in services:
                raise NoSuchService(f"no such service: {name}")
        return {name for name in shown if services[name].attach is not False} - set(flags.no_attach)

    def _member(self, one: Container) -> bool:
        return one.service in self.members and not one.oneoff

    def _show(self, line: Line | Ended) -> None:
        if isinstance(line, Ended):
            self._note_end(line)
        if line.container.service not in self.shown:
            return
        live = self.session.sink if isinstance(self.session.sink, Live) else None
        if live is not None:
            live.above(lambda: self.view(line))
        else:
            self.view(line)

    def _note_end(self, ended: Ended) -> None:
        flags = self.flags
        watched = flags.exit_code_from
        if watched and ended.container.service != watched and not flags.abort_on_container_exit:
            pass
        elif (
            flags.abort_on_container_exit or watched or (flags.abort_on_container_failure and ended.code)
        ) and self.first is None:
            self.first = ended
            self.stopping.set()

    def _interrupt(self) -> None:
        self.interrupted += 1
        if self.interrupted == 1:
            sys.stderr.write("\nGracefully Stopping... press Ctrl+C again to force\n")
            self.stopping.set()
        else:
            self.again.set()

    async def run(self) -> int:
        """Returns 0, 130 after an interrupt, or the exit code that was asked for."""
        with interrupts(self._interrupt):
            follower = Follower(
                self.session.engine,
                self.session.project.name,
                self._member,
                self._show,
                joined_since=time.time(),
                busy=partial(held, str(self.session.engine.address), self.session.project.name),
                tell=lambda text: self.session.emit(Note(text, warning=True)),
            )
            try:
                async with asyncio.TaskGroup() as group:
                    stopper = group.create_task(self.stopping.wait())
                    work = group.create_task(self._work(follower))
                    await asyncio.wait({stopper, work}, return_when=asyncio.FIRST_COMPLETED)
                    if self.detached:
                        work.cancel()
                    elif not work.done():
                        await self._stop(work)
                    stopper.cancel()
            except BaseExceptionGroup as failures:
                from stackwright.run.executor import first_failure

                raise first_failure(failures) from None
        return await self._exit_code(follower)

    async def _work(self, follower: Follower) -> None:
        job = self.flags.job(self.session)
        async with asyncio.TaskGroup() as group:
            follower.until_ended = False
            following = group.create_task(follower.run())
            async with project_lock(
                str(self.session.engine.address), self.session.project.name, self.session.emit, self.patience
            ) as killed:
                if killed:
                    await unfinished.stops(self.session)
                try:
                    timeline = await job.run()
                except (RunError, EngineError) as error:
                    note_down(self.session, job, error)
                    raise
            self.brought_up = True
            finish_progress(self.session)
            note_down(self.session, job)
            print_timeline(timeline, self.draw)
            follower.until_ended = True
            follower.expect(job.started)
            with self._menu(group):
                if self.flags.watch:
                    self._toggle_watch(group)
                await following
            if self._watching is not None:
                self._watching.cancel()

    @contextmanager
    def _menu(self, group: asyncio.TaskGroup) -> Iterator[None]:
        from stackwright.cli import menu

        if not menu.wanted(self.flags.menu, self.session.environ):
            yield
            return

        def detach() -> None:
            self.detached = True
            self.stopping.set()

        sys.stderr.write("w: watch files   d: detach   Ctrl+C: stop\n")
        with menu.keys({"w": partial(self._toggle_watch, group), "d": detach}):
            yield

    def _toggle_watch(self, group: asyncio.TaskGroup) -> None:
        if self._watching is not None and not self._watching.done():
            self._watching.cancel()
            self.session.emit(Note("Watch disabled"))
        else:
            self._watching = group.create_task(self._watch())

    async def _watch(self) -> None:
        from stackwright.run.develop import Watcher

        lock = partial(
            project_lock,
            str(self.session.engine.address),
            self.session.project.name,
            self.session.emit,
            self.patience,
        )
        try:
            watcher = Watcher(self.session, sorted(self.members), lock=lock, quiet=self.flags.quiet_build)
            watcher.check(self.flags.services)
            await watcher.run()
        except RunError as error:  # the services go on; only watching does not
            self.session.emit(Note(error.message, warning=True))

    async def _stop(self, work: asyncio.Task[None]) -> None:
        """Stop everything; the output goes on until the end. A second interrupt kills."""

        async def gracefully() -> None:
            if not self.brought_up:
                work.cancel()
                await asyncio.wait({work})
            found = await containers(self.session.engine, self.session.project.name)
            members = [one for one in found if self._member(one)]
            await end(self.session, members, discard=False, timeout=self.flags.timeout)

        async with asyncio.TaskGroup() as group:
            stop = group.create_task(gracefully())
            again = group.create_task(self.again.wait())
            await asyncio.wait({stop, again}, return_when=asyncio.FIRST_COMPLETED)
            if not stop.done():
                stop.cancel()
                await self._kill()
            again.cancel()
        with suppress(TimeoutError):
            async with asyncio.timeout(2.0):
                await asyncio.wait({work})
        work.cancel()

    async def _kill(self) -> None:
        async def one(container: Container) -> None:
            with suppress(ApiError):
                await self.session.engine.kill_container(container.id)

        found = await containers(self.session.engine, self.session.project.name)
        await together([partial(one, container) for container in found if self._member(container)])
        self.session.emit(Note("killed"))

    async def _exit_code(self, follower: Follower) -> int:
        if self.flags.exit_code_from:
            found = await containers(self.session.engine, self.session.project.name)
            for one in found:
                if one.service == self.flags.exit_code_from and not one.oneoff:
                    return follower.codes.get(one.name, one.exit_code)
            return 0
        if self.interrupted:
            return 130
        if self.detached:
            return 0
        return self.first.code if self.first is not None else 0
