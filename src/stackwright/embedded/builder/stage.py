"""Carries out one stage, instruction by instruction; each gives an image that the cache may know already."""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import shutil
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from stackwright.dockerfile import DockerfileError, Instruction, Stage, expand
from stackwright.dockerfile.instruction import parse_text
from stackwright.embedded.builder.arguments import StageArguments
from stackwright.embedded.builder.cache import cache_key
from stackwright.embedded.builder.contexts import ImageContext, find_context
from stackwright.embedded.builder.copy import CopyStep
from stackwright.embedded.builder.errors import StepFailed
from stackwright.embedded.builder.fingerprint import fingerprint
from stackwright.embedded.builder.history import describe, run_history
from stackwright.embedded.builder.output import Emit, text
from stackwright.embedded.builder.prepare import CA_TARGET, CA_VARIABLES, MountPreparer, scaffold
from stackwright.embedded.builder.runmounts import parse_mount
from stackwright.embedded.builder.session import Session
from stackwright.embedded.builder.types import StepMount, StepSpec
from stackwright.embedded.builder.upper import UpperWriter
from stackwright.embedded.builder.watch import StepWatch, UnwatchedStep
from stackwright.embedded.errors import EngineError
from stackwright.embedded.ids import new_id
from stackwright.embedded.images import changes
from stackwright.embedded.images.document import now
from stackwright.embedded.images.types import Image
from stackwright.embedded.images.view import LayerView

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
SCRIPT_TARGET = "/run/stackwright/script"


class StageBuild:
    """One stage under way. ``first``: the number of its ``FROM`` among ``total`` steps."""

    def __init__(self, session: Session, stage: Stage, emit: Emit, first: int, total: int) -> None:
        self._session, self._stage, self._emit = session, stage, emit
        self._number, self._total = first, total
        self._image: Image | None = None
        self._config: dict[str, Any] = {}
        self._author = ""
        self._cmd_set = False
        self._arguments = StageArguments(session.given, session.outer)
        self._watch: StepWatch = UnwatchedStep()

    async def run(self, extra: Sequence[Instruction] = ()) -> Image:
        """Build the stage and give its image; StepFailed names the instruction at fault."""
        await self._at(self._stage.start, self._from)
        for instruction in [*self._stage.instructions, *extra]:
            await self._at(instruction, self._dispatch)
        if self._image is None:
            raise StepFailed("No image was generated. Is your Dockerfile empty?")
        return self._image

    async def _at(self, instruction: Instruction, act: Callable[[Instruction], Awaitable[None]]) -> None:
        text(self._emit, f"Step {self._number}/{self._total} : {instruction.text}\n")
        self._number += 1
        self._watch = self._session.watch.step(self._stage, instruction)
        try:
            await self._guarded(instruction, act)
        except StepFailed as error:
            self._watch.finished(error)
            raise
        except asyncio.CancelledError:
            self._watch.cancelled()
            raise
        self._watch.finished()
        text(self._emit, f" ---> {self._image.short_id if self._image else ''}\n")

    async def _guarded(self, instruction: Instruction, act: Callable[[Instruction], Awaitable[None]]) -> None:
        try:
            await act(instruction)
        except StepFailed as error:
            error.instruction = error.instruction or instruction
            raise
        except DockerfileError as error:
            raise StepFailed(error.message, instruction=instruction) from error
        except EngineError as error:
            raise StepFailed(error.message, instruction=instruction) from error
        except RecursionError:
            raise StepFailed(
                f"{instruction.name} failed: folders nested too deeply", instruction=instruction
            ) from None
        except OSError as error:
            what = f"{error.filename}: {error.strerror}" if error.filename else error.strerror or str(error)
            raise StepFailed(f"{instruction.name} failed: {what}", instruction=instruction) from error

    async def _from(self, instruction: Instruction) -> None:
        file = self._session.dockerfile
        variables = {**self._session.platform_values, **self._session.outer}
        name = file.base_of(self._stage, variables)
        context = find_context(self._session.options.contexts, name)
        earlier = file.earlier_stage(name, self._stage.index) if context is None else None
        if context is not None and not isinstance(context, ImageContext):
            await self._from_folder(name, await self._session.folder_of(name, context))
        elif earlier is not None:
            self._image = await self._session.result(earlier)
        elif name != "scratch":
            platform = expand(instruction.flag("platform"), variables, file.directives.escape)
            self._image = await self._session.pulled(name, self._pulling, platform)
        if self._image is None:
            return
        self._session.lease(self._image)
        self._config = dict(self._image.run_config)
        triggers = self._config.pop("OnBuild", None) or []
        if triggers:
            text(self._emit, f"# Executing {len(triggers)} build trigger{'s' * (len(triggers) > 1)}\n")
        for trigger in triggers:
            inner = replace(parse_text(trigger), line=instruction.line)
            await self._guarded(inner, self._dispatch)

    async def _from_folder(self, name: str, folder: Path) -> None:
        """``FROM`` a named context that is a folder: an image of nothing but its files."""
        view = LayerView([folder])
        key = cache_key("folder", await asyncio.to_thread(fingerprint, view, view.root(), owners=True))
        if not self._cached(key):
            self._image = await self._session.images.commit(
                folder, parent=None, config={}, created_by=f"FROM {name}"
            )
            self._session.cache.remember(key, self._image)

    async def _dispatch(self, instruction: Instruction) -> None:
        match instruction.name:
            case "RUN":
                await self._run(instruction)
            case "COPY" | "ADD":
                await self._copy(instruction)
            case "ARG":
                self._arguments.declare(instruction, self._variables(), self._escape)
                await self._set(instruction, self._config)
            case "MAINTAINER":
                self._author = instruction.args[0]
                await self._set(instruction, self._config)
            case "WORKDIR":
                await self._workdir(instruction)
            case _:
                config = changes.apply(self._config, instruction, self._fill)
                if instruction.name == "HEALTHCHECK":
                    self._say_what_it_replaces()
                elif instruction.name == "CMD":
                    self._cmd_set = True
                elif instruction.name == "ENTRYPOINT" and not self._cmd_set:
                    config.pop("Cmd", None)  # the base image's command was for the base image's entrypoint
                await self._set(instruction, config)

    def _pulling(self, message: dict[str, Any]) -> None:
        self._emit(message)
        self._watch.progress(message)

    def _say_what_it_replaces(self) -> None:
        before = (self._config.get("Healthcheck") or {}).get("Test") or ()
        if before:
            text(self._emit, f"Note: overriding previous HEALTHCHECK: [{' '.join(before)}]\n")

    @property
    def _escape(self) -> str:
        return self._session.dockerfile.directives.escape

    def _variables(self) -> dict[str, str]:
        return {**self._arguments.declared, **changes.environment(self._config)}

    def _fill(self, word: str) -> str:
        return expand(word, self._variables(), self._escape)

    def _lower(self) -> tuple[Path, ...]:
        images = self._session.images
        return images.lower_dirs(self._image) if self._image else (images.layers.empty,)

    async def _set(self, instruction: Instruction, config: dict[str, Any]) -> None:
        """A step that changes the configuration only."""
        command = config.get("Cmd" if instruction.name == "CMD" else "Entrypoint") or ()
        described = describe(instruction, command, self._fill)
        shell = " ".join(changes.shell(config))
        await self._commit(None, config, f"{shell} #(nop)  {described}", "config", config, described)

    @property
    def _nop(self) -> str:
        """How histories begin for steps that run nothing."""
        return f"{' '.join(changes.shell(self._config))} #(nop)"

    def _cached(self, key: str, config: dict[str, Any] | None = None, created_by: str = "") -> bool:
        """Take the step's result from the cache, if it is there. ``created_by``: what histories say of the step,
        empty where that does not tell all it depends on.
        """
        if self._session.options.no_cache:
            return False
        imported = self._session.imported
        image = self._session.cache.find(key)
        if image is not None and not imported.allows(image):
            image = None
        if image is None and created_by and config is not None:
            image = imported.find(self._image, config, created_by, self._author)
            if image is not None:
                self._session.cache.remember(key, image)
        if image is None:
            return False
        text(self._emit, " ---> Using cache\n")
        self._watch.cached()
        self._session.lease(image)
        self._image, self._config = image, dict(image.run_config)
        return True

    def _key(self, *parts: Any) -> str:
        return cache_key(self._image.id if self._image else "scratch", *parts)

    async def _commit(
        self, upper: Path | None, config: dict[str, Any], created_by: str, *key_parts: Any
    ) -> None:
        key = self._key(*key_parts, self._author)
        if upper is None and self._cached(key, config, created_by):
            return
        image = await self._session.images.commit(
            upper, parent=self._image, config=config, created_by=created_by, author=self._author, take=True
        )
        self._session.lease(image)
        self._session.cache.remember(key, image)
        self._image, self._config = image, config

    async def _workdir(self, instruction: Instruction) -> None:
        config = changes.apply(self._config, instruction, self._fill)
        created_by = f"{self._nop} WORKDIR {config['WorkingDir']}"
        node = LayerView(self._lower()).lookup(config["WorkingDir"])
        if node is not None:
            if not node.is_dir:
                raise StepFailed(f"Cannot mkdir: {config['WorkingDir']} is not a directory")
            await self._commit(None, config, created_by, "config", config, created_by)
            return
        if self._cached(self._key("workdir", config, self._author), config, created_by):
            return
        with self._session.step_folder() as folder:
            upper = folder / "upper"
            upper.mkdir()
            UpperWriter(self._lower(), upper).folder(config["WorkingDir"])
            await self._commit(upper, config, created_by, "workdir", config)

    async def _copy(self, instruction: Instruction) -> None:
        with self._session.step_folder() as folder:
            step = CopyStep(self._session, instruction, self._stage, self._config, self._variables(), folder)
            await step.find(LayerView(self._lower()))
            quick = step.quick_parts()
            quick_key = self._key("layers", quick, self._config, self._author) if quick else ""
            if quick_key and self._cached(quick_key):
                return
            parts = ("copy", await asyncio.to_thread(step.cache_parts), self._config)
            created_by = f"{self._nop} {step.description}"
            if not self._cached(self._key(*parts, self._author), self._config, created_by) and not (
                step.linked and self._linked_before(parts, created_by)
            ):
                upper = folder / "upper"
                upper.mkdir()
                lower = () if step.linked else self._lower()
                await asyncio.to_thread(step.write, UpperWriter(lower, upper))
                await self._commit(upper, self._config, created_by, *parts)
                if step.linked and self._image is not None:
                    self._session.cache.remember(cache_key("link", *parts[:2]), self._image)
            if quick_key and self._image is not None:
                self._session.cache.remember(quick_key, self._image)

    def _linked_before(self, parts: tuple[Any, ...], created_by: str) -> bool:
        """Put the layer that the same ``COPY --link`` gave on another image onto this one, if there is one."""
        session, images = self._session, self._session.images
        found = None if session.options.no_cache else session.cache.find(cache_key("link", *parts[:2]))
        if found is None or not session.imported.allows(found):
            return False
        entry = {
            "created": now(),
            "created_by": created_by,
            **({"author": self._author} if self._author else {}),
        }
        key = self._key(*parts, self._author)
        self._image = images.restored(self._image, self._config, entry, found.layers[-1])
        session.lease(self._image)
        session.cache.remember(key, self._image)
        text(self._emit, " ---> Using cache\n")
        self._watch.cached()
        return True

    async def _run(self, instruction: Instruction) -> None:
        options = self._session.options
        environment = changes.environment(self._config)
        visible, hidden = self._arguments.for_run(environment)
        with self._session.step_folder() as folder:
            args, script = self._command(instruction, folder)
            cwd = self._config.get("WorkingDir") or "/"
            mounts = [parse_mount(mount, self._fill) for mount in instruction.flag_values("mount")]
            preparer = MountPreparer(
                folder,
                self._session.caches,
                self._session.lender,
                lambda name: self._session.view_of(name, self._stage, self._pulling),
                cwd,
            )
            bodies = [document.content for document in instruction.heredocs]
            network = self._network(instruction)
            mount_key = await preparer.cache_key(mounts)
            parts = ("run", args, bodies, sorted(visible.items()), mount_key, network)
            created_by = run_history(args, visible, mount_key, bodies if script else (), instruction)
            if self._cached(self._key(*parts, self._config, self._author), self._config, created_by):
                return
            async with AsyncExitStack() as held:
                ready = await preparer.prepare(mounts, held)
                if script is not None:
                    ready.mounts.append(script)
                variables = {"PATH": DEFAULT_PATH, **environment, **visible, **hidden, **ready.environment}
                if options.host_ca is not None:
                    self._session.announce_host_ca(self._emit)
                    ready.mounts.append(StepMount("bind", CA_TARGET, options.host_ca, readonly=True))
                    variables = {**dict.fromkeys(CA_VARIABLES, CA_TARGET), **variables}
                upper = await self._execute(
                    StepSpec(
                        id=new_id(),
                        lower=self._lower(),
                        upper=folder / "upper",
                        work=folder / "work",
                        args=tuple(args),
                        env=tuple(f"{name}={value}" for name, value in variables.items()),
                        cwd=cwd,
                        user=self._config.get("User") or "",
                        mounts=tuple(ready.mounts),
                        network=network,
                        extra_hosts=options.extra_hosts,
                        shm_size=options.shm_size,
                        memory=options.memory,
                        cpu_shares=options.cpu_shares,
                        cpu_period=options.cpu_period,
                        cpu_quota=options.cpu_quota,
                        ulimits=options.ulimits,
                    ),
                    folder,
                )
            await self._commit(upper, self._config, created_by, *parts, self._config)

    def _network(self, instruction: Instruction) -> str:
        """Where a RUN step may go: a Dockerfile can give up what the client allowed, never take more."""
        if instruction.flag("security", "sandbox") != "sandbox":
            raise StepFailed("RUN --security=insecure is not allowed by this builder")
        wanted, allowed = instruction.flag("network", "default"), self._session.options.network
        if wanted not in ("default", "none", "host"):
            raise StepFailed(f'unsupported network mode "{wanted}" in RUN --network')
        if wanted == "host" and allowed != "host":
            raise StepFailed("RUN --network=host is not allowed unless the build itself has --network=host")
        return allowed if wanted == "default" else wanted

    def _command(self, instruction: Instruction, folder: Path) -> tuple[list[str], StepMount | None]:
        """The process of a RUN step; a here-document with ``#!`` is a script of its own, mounted for the
        step.
        """
        args = changes.command_line(self._config, instruction.args, is_json=instruction.json)
        if not instruction.heredocs:
            return args, None
        first = instruction.heredocs[0]
        alone = len(instruction.heredocs) == 1 and instruction.args[0].startswith("<<")
        if not alone or " " in instruction.args[0].strip():
            bodies = "".join(f"{document.content}{document.name}\n" for document in instruction.heredocs)
            return [*args[:-1], f"{args[-1]}\n{bodies}"], None
        if not first.content.startswith("#!"):
            return [*args[:-1], first.content], None
        file = folder / "script"
        file.write_text(first.content)
        file.chmod(0o755)
        return [SCRIPT_TARGET], StepMount("bind", SCRIPT_TARGET, file, readonly=True)

    async def _execute(self, step: StepSpec, folder: Path) -> Path:
        init = folder / "init"
        for path in (init, step.upper, step.work):
            path.mkdir()
        await asyncio.to_thread(scaffold, step.lower, init, step.mounts)
        lower = (init, *step.lower)
        UpperWriter(step.lower, step.upper).folder(step.cwd)
        text(self._emit, f" ---> Running in {step.id[:12]}\n")
        decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")

        def output(data: bytes) -> None:
            self._watch.output(data)
            if piece := decoder.decode(data):
                text(self._emit, piece)

        code = await self._session.run_step(replace(step, lower=lower), output)
        if code:
            raise StepFailed(
                f"The command '{' '.join(step.args)}' returned a non-zero code: {code}",
                code=code,
                command=" ".join(step.args),
            )
        text(self._emit, f"Removing intermediate container {step.id[:12]}\n")
        with contextlib.suppress(OSError):
            shutil.rmtree(step.work)
        return step.upper
