"""The builder: a Dockerfile and a context become an image (Engine API ``POST /build``, the classic builder).

It never starts a container itself: ``RUN`` goes through a :class:`RunStep`, which the engine implements on
its own runtime. Everything else writes straight into the new layer's folder.
"""

from __future__ import annotations

import asyncio
import secrets
import shutil
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from stackwright.dockerfile import Dockerfile, DockerfileError, Instruction, Stage
from stackwright.dockerfile.stages import arguments
from stackwright.embedded.builder.arguments import PREDEFINED
from stackwright.embedded.builder.cache import StepCache
from stackwright.embedded.builder.context import drop_ignored, read_dockerfile, unpack_context
from stackwright.embedded.builder.contexts import shadowed
from stackwright.embedded.builder.download import download
from stackwright.embedded.builder.errors import BuildFailed, StepFailed
from stackwright.embedded.builder.git import checkout, is_git, lent_agent
from stackwright.embedded.builder.output import Emit, OrderedOutput, text
from stackwright.embedded.builder.prepare import CacheFolders
from stackwright.embedded.builder.session import Session
from stackwright.embedded.builder.stage import StageBuild
from stackwright.embedded.builder.types import (
    BuildOptions,
    ContextSource,
    Given,
    RunStep,
    StepMount,
    StepSpec,
)
from stackwright.embedded.builder.watch import BuildWatch
from stackwright.embedded.errors import BadParameter
from stackwright.embedded.images.archive.compression import detect
from stackwright.embedded.images.archive.unpack import remove_tree
from stackwright.embedded.images.reference import Reference
from stackwright.embedded.images.service import ImageService
from stackwright.embedded.images.streams import full_disk_explained, spool
from stackwright.embedded.images.types import Image
from stackwright.embedded.kernel.attributes import has_unrelated_folders

__all__ = ["BuildOptions", "Builder", "RunStep", "StepMount", "StepSpec"]


class Builder:
    """Builds images. ``root``: a folder of its own on the same filesystem as the image store."""

    def __init__(self, images: ImageService, run_step: RunStep, root: Path) -> None:
        self._images, self._run_step = images, run_step
        self._work, self._cache_root = root / "work", root / "cache"
        self._cache = StepCache(images.database, images)
        self._folders = CacheFolders(self._cache_root)

    async def start(self) -> None:
        """Create the folders and remove what interrupted builds left behind. Call after
        ``ImageService.start``.
        """
        await asyncio.to_thread(remove_tree, self._work)
        for folder in (self._work, self._cache_root):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            has_unrelated_folders(folder)
        self._cache.open()
        self._images.on_prune_build_cache(self._forget)

    async def build(
        self,
        context: AsyncIterator[bytes] | ContextSource,
        options: BuildOptions,
        emit: Emit,
        watch: BuildWatch | None = None,
    ) -> str:
        """Build and tag; returns the image id. Everything a person should see goes through ``emit``.

        ``emit`` gets the messages of the Engine API's stream: ``{"stream": "Step 1/5 : FROM debian\\n"}``,
        ``{"aux": {"ID": "sha256:..."}}``, and on failure, last, ``{"errorDetail": {"code", "message"},
        "error": ...}``
        (with our own ``line`` and ``step`` beside the message). Raises BadParameter before anything was
        emitted
        (a Dockerfile that can't be read: HTTP 400) and BuildFailed (builder/errors) after the error was
        emitted
        (the response is already under way). Cancelling the task stops the build and removes its work.
        """
        names = [_tag(name) for name in options.tags]
        if options.squash:
            raise BadParameter("squash is only supported with experimental mode")
        folder = self._work / secrets.token_hex(6)
        (folder / "context").mkdir(parents=True)
        try:
            with full_disk_explained():
                session, target = await self._open(context, options, folder)
            session.watch = watch or session.watch
            session.watch.begun(session.dockerfile)
            try:
                return await self._carry_out(session, target, names, emit)
            finally:
                session.close()
        finally:
            self._images.layers.trash.throw(folder)

    async def _open(
        self, context: AsyncIterator[bytes] | ContextSource, options: BuildOptions, folder: Path
    ) -> tuple[Session, Stage]:
        if not isinstance(context, AsyncIterator):
            dockerfile = await context.fill(folder / "context", folder)
        else:
            dockerfile = await self._archive(context, options, folder)
        dockerfile = shadowed(dockerfile, options.contexts, options.target)
        try:
            session = Session(
                images=self._images,
                run_step=self._run_step,
                cache=self._cache,
                caches=self._folders,
                options=options,
                dockerfile=dockerfile,
                context=folder / "context",
                folder=folder,
            )
            return session, dockerfile.stage(options.target)
        except (DockerfileError, ValueError) as error:
            raise BadParameter(str(error)) from None

    async def _archive(
        self, context: AsyncIterator[bytes], options: BuildOptions, folder: Path
    ) -> Dockerfile:
        """The context as an archive, from the request or from a URL."""
        archive = folder / "body"
        if is_git(options.remote):
            await self._repository(options, folder)
            name = options.dockerfile
        elif options.remote:
            archive = await self._remote(options.remote, folder)
            name = await asyncio.to_thread(_unpack, archive, folder / "context", options)
        else:
            await spool(context, archive)
            name = await asyncio.to_thread(_unpack, archive, folder / "context", options)
        dockerfile = await asyncio.to_thread(read_dockerfile, folder / "context", name)
        await asyncio.to_thread(drop_ignored, folder / "context", name)
        return dockerfile

    async def _carry_out(
        self, session: Session, target: Stage, names: Sequence[Reference], emit: Emit
    ) -> str:
        options = session.options
        shown: Emit = session.quiet if options.quiet else emit
        try:
            image = await self._build_stages(session, target, shown)
        except StepFailed as error:
            emit(_error(error))
            raise BuildFailed(error.message) from error
        if unused := _unused_arguments(session):
            text(shown, f"[Warning] One or more build-args [{' '.join(unused)}] were not consumed\n")
        emit({"aux": {"ID": image.id}})
        if options.quiet:
            text(emit, f"{image.id}\n")
        text(shown, f"Successfully built {image.short_id}\n")
        for name in names:
            self._images.catalogue.name(name, image.id)
            text(shown, f"Successfully tagged {name.familiar}\n")
        return image.id

    async def _build_stages(self, session: Session, target: Stage, emit: Emit) -> Image:
        """Build what the target needs, independent stages side by side."""
        try:
            stages = session.dockerfile.needed(target, session.outer)
        except DockerfileError as error:
            raise StepFailed(error.message) from None
        labels = _label_instruction(session.options)
        outer = session.dockerfile.global_args
        total = len(outer) + sum(1 + len(stage.instructions) for stage in stages) + len(labels)
        for number, instruction in enumerate(outer, 1):
            text(emit, f"Step {number}/{total} : {instruction.text}\n")
        output = OrderedOutput(emit, len(stages))
        first = len(outer) + 1
        try:
            async with asyncio.TaskGroup() as group:
                for channel, stage in enumerate(stages):
                    extra = labels if stage is target else []
                    build = StageBuild(session, stage, output.channel(channel), first, total)
                    group.create_task(self._one_stage(session, stage, build, extra, output, channel))
                    first += 1 + len(stage.instructions)
        except BaseExceptionGroup as errors:
            raise _first(errors) from None
        return await session.result(target)

    @staticmethod
    async def _one_stage(
        session: Session,
        stage: Stage,
        build: StageBuild,
        extra: Sequence[Instruction],
        output: OrderedOutput,
        channel: int,
    ) -> None:
        try:
            image = await build.run(extra)
        except StepFailed:
            output.flush(channel)
            raise
        session.expect(stage).set_result(image)
        output.finish(channel)

    async def _repository(self, options: BuildOptions, folder: Path) -> None:
        lender = options.lender or Given(options)
        try:
            async with lent_agent(lender, options.remote, folder) as agent:
                (folder / "repository").mkdir()
                found = await checkout(options.remote, folder / "repository", agent=agent)
            inside = Path(found.view().root().host)
        except StepFailed as error:
            raise BadParameter(error.message) from None
        (folder / "context").rmdir()
        inside.rename(folder / "context")

    async def _remote(self, url: str, folder: Path) -> Path:
        if not url.startswith(("http://", "https://")):
            raise BadParameter(f"building from {url} is not supported: only http and https URLs are")
        try:
            return (await download(url, folder)).file
        except StepFailed as error:
            raise BadParameter(error.message) from None

    def _forget(self) -> int:
        freed = 0
        for folder in self._cache_root.iterdir():
            freed += sum(file.lstat().st_size for file in folder.rglob("*") if not file.is_dir())
            shutil.rmtree(folder, ignore_errors=True)
        self._cache.forget()
        return freed


def _unpack(archive: Path, folder: Path, options: BuildOptions) -> str:
    """Unpack the context; returns the Dockerfile's name. A remote text file is the Dockerfile itself."""
    with archive.open("rb") as file:
        head = file.read(512)
    if options.remote and detect(head) == "none" and head[257:262] != b"ustar":
        archive.rename(folder / "Dockerfile")
        return "Dockerfile"
    unpack_context(archive, folder)
    return options.dockerfile


def _tag(name: str) -> Reference:
    reference = Reference.parse(name)
    if reference.digest:
        raise BadParameter("build tag cannot contain a digest")
    return reference.tagged()


def _label_instruction(options: BuildOptions) -> list[Instruction]:
    """``--label`` as one more step at the end, as Docker does it."""
    if not options.labels:
        return []
    words = tuple(f"{_quoted(key)}={_quoted(value)}" for key, value in sorted(options.labels.items()))
    shown = " ".join(f"{key}={value}" for key, value in sorted(options.labels.items()))
    return [Instruction("LABEL", words, f"LABEL {shown}", 0, 0)]


def _quoted(value: str) -> str:
    return "'" + value.replace("'", "'\"'\"'") + "'"


def _unused_arguments(session: Session) -> list[str]:
    """Build arguments that no ``ARG`` of the file declares."""
    file = session.dockerfile
    declared = {
        name
        for instruction in (*file.global_args, *(i for stage in file.stages for i in stage.instructions))
        if instruction.name == "ARG"
        for name, _ in arguments(instruction)
    }
    return sorted(set(session.given) - declared - PREDEFINED)


def _error(error: StepFailed) -> dict[str, object]:
    detail: dict[str, object] = {"message": error.message}
    if error.code:
        detail["code"] = error.code
    if error.instruction is not None and error.instruction.line:
        detail |= {"line": error.instruction.line, "step": error.instruction.text}
    return {"errorDetail": detail, "error": error.message}


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    found = errors.exceptions[0]
    return _first(found) if isinstance(found, BaseExceptionGroup) else found
