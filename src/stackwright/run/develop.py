"""`watch`: what is saved here runs there. Files change, `plan.watching` decides, this carries it out.

    watchfiles ──► batches of paths ──► decide ──► pending work by service ──► copy | hooks | restart | rebuild

Batches that come while something is being done are joined and done next, so one save is one action however slowly
its events arrive. Files travel as a tar through the Engine API's archive endpoint: it needs no program in the
container and is the same on every engine.
"""

from __future__ import annotations

import asyncio
import os
import posixpath
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path

from stackwright.dockerfile import DockerfileError, DockerIgnore
from stackwright.engine.errors import EngineError, EngineGone, EngineUnavailable
from stackwright.model.types import Hook
from stackwright.plan import labels
from stackwright.plan.graph import UpOptions
from stackwright.plan.labels import image_name
from stackwright.plan.observed import Container
from stackwright.plan.watching import Rule, Work, decide, rules
from stackwright.run import tarring
from stackwright.run.errors import RunError
from stackwright.run.events import Note
from stackwright.run.executor import together
from stackwright.run.images import Images
from stackwright.run.owner import owner
from stackwright.run.session import Session, place
from stackwright.run.session import containers as list_containers
from stackwright.run.up import Up

STEP = 40
"""Milliseconds of silence that end a batch of changes."""
DEBOUNCE = 400
"""Milliseconds after which a batch ends, however busy the folder is."""
PAUSE = 1.0
"""Seconds between two looks at an engine that went away."""

Lock = Callable[[], AbstractAsyncContextManager[object]]
Print = tuple[int, int, int]


class Watcher:
    """Watches the folders of a project's services and carries out what their rules say.

    `quiet` hides the output of builds, `prune` removes images that a rebuild replaces. `lock` holds the project's
    lock while something is being done.
    """

    def __init__(
        self, session: Session, names: list[str], *, lock: Lock, quiet: bool = False, prune: bool = True
    ) -> None:
        self.session, self.quiet, self.prune, self.lock = session, quiet, prune, lock
        project = session.project
        self.rules, self.silent = rules(project, names, _ignores(session, names))
        self.pending: dict[str, Work] = {}
        self._seen: dict[tuple[str, str], Print | None] = {}
        self._owners: dict[str, tuple[int, int]] = {}
        self._wake = asyncio.Event()
        self._ready = asyncio.Event()

    def check(self, named: tuple[str, ...]) -> None:
        """Say for which services nothing will happen, and why. Raises `RunError` when that is all of them."""
        lonely = {one.service for one in self.rules}
        for one in self.silent:
            if (
                named
                or one.service in lonely
                or self.session.project.services[one.service].develop is not None
            ):
                self.session.emit(Note(f"service {one.service} is not watched: {one.why}", warning=True))
        if not self.rules:
            others = [one for one in self.silent if one.path]
            raise RunError(
                "none of the selected services is watched",
                hint="say what to do about changes: services.NAME.develop.watch: [{path: ./src, action: sync, "
                "target: /app/src}]",
                place=place(self.session.project, others[0].path) if others else "",
            )

    async def run(self) -> None:
        """Watch until cancelled."""
        for rule in self.rules:
            for path in await self._scan(rule):
                self._seen[rule.service, path] = _fingerprint(path)
        await self._initial()
        paths = list(self._roots())
        async with asyncio.TaskGroup() as group:
            group.create_task(self._listen(paths))
            worker = group.create_task(self._work())
            await self._ready.wait()
            for rule in self.rules:  # what changed between the first look and now
                self._take(set(await self._scan(rule)))
            watched = sorted({rule.service for rule in self.rules})
            self.session.emit(Note(f"Watch enabled: {', '.join(watched)}"))
            await worker

    # -- seeing ------------------------------------------------------------------------------------

    def _roots(self) -> Iterator[str]:
        """The folders to watch: a file is watched through its folder, for editors replace it."""
        wanted = set()
        for rule in self.rules:
            if not Path(rule.path).exists():
                where = place(self.session.project, f"services.{rule.service}.develop.watch")
                raise RunError(f"service {rule.service}: there is no {rule.path} to watch", place=where)
            wanted.add(rule.path if Path(rule.path).is_dir() else posixpath.dirname(rule.path))
        for path in sorted(wanted):
            if not any(path != other and path.startswith(other.rstrip("/") + "/") for other in wanted):
                yield path

    async def _listen(self, paths: list[str]) -> None:
        import watchfiles

        stream = watchfiles.awatch(
            *paths, watch_filter=None, debounce=DEBOUNCE, step=STEP, yield_on_timeout=True, rust_timeout=200
        )
        async for changes in stream:
            self._ready.set()  # its first word, even an empty one, comes when the folders are being watched
            if changes:
                self._take({path for _, path in changes})

    def _take(self, paths: set[str]) -> None:
        """Note what a batch of changed paths means; paths with nothing new about them are left out."""
        every = {path for one in paths for rule in self.rules for path in _below(one, rule)}
        for service, work in decide(self.rules, every).items():
            fresh = {path for path in work.changed if self._news(service, path)}
            if not fresh:
                continue
            work.copies = {path: inner for path, inner in work.copies.items() if path in fresh}
            work.changed = fresh
            if service in self.pending:
                self.pending[service].join(work)
            else:
                self.pending[service] = work
        if self.pending:
            self._wake.set()

    def _news(self, service: str, path: str) -> bool:
        """Whether the path is another than when the service last heard of it."""
        now = _fingerprint(path)
        known = self._seen.get((service, path))
        self._seen[service, path] = now
        return known != now

    async def _scan(self, rule: Rule) -> list[str]:
        """Every path that the rule means, as it is now."""

        def walk() -> list[str]:
            return [path for path in _below(rule.path, rule) if rule.inner(path) is not None]

        return await asyncio.to_thread(walk)

    # -- doing -------------------------------------------------------------------------------------

    async def _work(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self.pending:
                work, self.pending = self.pending, {}
                await self._patiently(work)

    async def _patiently(self, work: dict[str, Work]) -> None:
        """Do it; when the engine is away, wait for it and do it then."""
        said = False
        while True:
            try:
                async with self.lock():
                    await self._carry_out(work)
                return
            except (EngineGone, EngineUnavailable) as error:
                if not said:
                    self.session.emit(
                        Note(f"{error.message}; changes are kept until it answers again", warning=True)
                    )
                    said = True
                await asyncio.sleep(PAUSE)
            except (RunError, EngineError) as error:
                shown = "\n".join(["", *getattr(error, "output", ())])
                self.session.emit(Note(f"{error.message}{shown}\nwaiting for the next change", warning=True))
                return

    async def _carry_out(self, work: dict[str, Work]) -> None:
        rebuilt = [name for name, one in work.items() if one.rebuild]
        if rebuilt:
            await self._rebuild(rebuilt, work)
        rest = [one for name, one in work.items() if name not in rebuilt]
        if rest:
            found = await list_containers(self.session.engine, self.session.project.name, all=False)
            running = [one for one in found if not one.oneoff and one.state == "running"]
            await together([partial(self._update, one, running) for one in rest])

    async def _update(self, work: Work, running: list[Container]) -> None:
        members = [one for one in running if one.service == work.service]
        if not members:
            self._say(f"service {work.service} does not run: {_files(work)} not copied", warning=True)
            return
        begun = time.monotonic()
        did = []
        if work.copies:
            await together([partial(self._copy, one, work.copies) for one in members])
            did += _moved(work.copies)
        for hook in work.hooks:
            await together([partial(self._hook, one, hook) for one in members])
            did.append(f"ran {' '.join(hook.command or [])}")
        if work.restart:
            await together([partial(self.session.engine.restart_container, one.id) for one in members])
            did.append("restarted" if work.copies else f"restarted after a change of {_files(work)}")
        self._say(f"{work.service}: {', '.join(did)} ({time.monotonic() - begun:.2f} s)")

    async def _copy(self, one: Container, copies: dict[str, str]) -> None:
        sent = [
            tarring.Entry(inner.lstrip("/"), Path(path))
            for path, inner in sorted(copies.items())
            if os.path.lexists(path)
        ]
        gone = [inner for path, inner in copies.items() if not os.path.lexists(path)]
        if sent:
            whose = self._owners.get(one.id) or await owner(self.session.engine, one.id)
            self._owners[one.id] = whose
            await self.session.engine.put_archive(one.id, "/", tarring.stream(sent, owner=whose))
        if gone:
            code, output = await self.session.engine.run_exec(one.id, ["rm", "-rf", "--", *gone], User="root")
            if code:
                text = output.decode("utf-8", "replace").strip()
                self._say(f"{one.name}: {', '.join(gone)} could not be removed: {text}", warning=True)

    async def _hook(self, one: Container, hook: Hook) -> None:
        code, output = await self.session.engine.run_exec(
            one.id,
            hook.command or [],
            User=hook.user,
            Privileged=hook.privileged,
            WorkingDir=hook.working_dir,
            Env=[f"{key}={value}" for key, value in hook.environment.items() if value is not None],
        )
        text = output.decode("utf-8", "replace").strip()
        if code:
            raise RunError(
                f"{one.name}: {' '.join(hook.command or [])} ended with exit code {code}"
                + (f": {text}" if text else "")
            )
        if text:
            self._say("\n".join(f"{one.name}: {line}" for line in text.splitlines()))

    async def _rebuild(self, names: list[str], work: dict[str, Work]) -> None:
        """Build and replace. Services that share an image are built once, and replaced all."""
        session, project = self.session, self.session.project
        begun = time.monotonic()
        changed = sorted({path for name in names for path in work[name].changed})
        self._say(f"Rebuilding {', '.join(names)} after changes of {_shown(changed)}")
        images = Images(session, build=True, quiet_build=self.quiet)
        built = {image_name(project.name, project.services[name]) for name in names}
        sharers = [
            name
            for name, service in project.services.items()
            if service.build is not None and image_name(project.name, service) in built
        ]
        running = {
            one.service for one in await list_containers(session.engine, project.name) if not one.oneoff
        }
        wanted = tuple(name for name in sharers if name in running or name in names)
        await together([partial(images.ensure, project.services[name]) for name in names])
        images.build = None  # what was built just now is what the services get
        await Up(session, UpOptions(services=wanted, no_deps=True), images).run()
        if self.prune:
            filters = {"dangling": ["true"], "label": [f"{labels.PROJECT}={project.name}"]}
            await session.engine.prune_images(filters)
        self._say(f"{', '.join(wanted)}: rebuilt and replaced ({time.monotonic() - begun:.2f} s)")

    async def _initial(self) -> None:
        """`initial_sync`: copy what is there before anything changes."""
        first = [rule for rule in self.rules if rule.syncs and rule.rule.initial_sync]
        copies: dict[str, dict[str, str]] = {}
        for rule in first:
            for path in await self._scan(rule):
                if not Path(path).is_dir():
                    inner = rule.inner(path) or "."
                    copies.setdefault(rule.service, {})[path] = rule.destination(inner)
        for service, files in copies.items():
            await self._patiently({service: Work(service, copies=files, changed=set(files))})

    def _say(self, text: str, *, warning: bool = False) -> None:
        self.session.emit(Note(text, warning=warning))


def _ignores(session: Session, names: list[str]) -> dict[str, DockerIgnore]:
    """What `.dockerignore` says in each build context. Raises `RunError` for one that cannot be read."""
    found = {}
    for name in names:
        build = session.project.services[name].build
        if build is None:
            continue
        file = Path(build.context) / ".dockerignore"
        if file.is_file():
            try:
                found[build.context.rstrip("/")] = DockerIgnore.parse(file.read_text())
            except (DockerfileError, OSError, UnicodeDecodeError) as error:
                raise RunError(
                    f"{file}: {error}", place=place(session.project, f"services.{name}.build")
                ) from error
    return found


def _below(path: str, rule: Rule) -> Iterator[str]:
    """The path, and what is in it when it is a folder: events of what was in a new one may be lost."""
    yield path
    if rule.covers(path) and _is_folder(path):
        for folder, folders, files in os.walk(path):
            folders[:] = [name for name in folders if not rule.hopeless(posixpath.join(folder, name))]
            yield from (posixpath.join(folder, name) for name in (*folders, *files))


def _is_folder(path: str) -> bool:
    return os.path.isdir(path) and not os.path.islink(path)  # noqa: PTH112, PTH114


def _fingerprint(path: str) -> Print | None:
    """What tells two states of a file apart; a folder has no states, it is there or not."""
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return (0, 0, 1) if _is_folder(path) else (found.st_mtime_ns, found.st_size, found.st_mode)


def _files(work: Work) -> str:
    return _shown(sorted(work.changed))


def _moved(copies: dict[str, str]) -> list[str]:
    """What was copied and what was removed; folders only count where nothing else is."""
    here = [path for path in sorted(copies) if os.path.lexists(path)]
    files = [path for path in here if not _is_folder(path)] or here
    gone = sorted(set(copies) - set(here))
    return [f"{word} {_shown(paths)}" for word, paths in (("copied", files), ("removed", gone)) if paths]


def _shown(paths: list[str]) -> str:
    """One file by name, several by number."""
    return posixpath.basename(paths[0]) if len(paths) == 1 else f"{len(paths)} files"
