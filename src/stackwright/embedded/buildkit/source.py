"""The files of a build from its client's session: the Dockerfile first, for it says what else is needed."""

from __future__ import annotations

import asyncio
from pathlib import Path

from stackwright.dockerfile import Dockerfile, DockerfileError, Instruction, parse
from stackwright.embedded.builder.git import is_git
from stackwright.embedded.builder.sources import URL
from stackwright.embedded.buildkit.progress import Progress
from stackwright.embedded.buildkit.session import ClientSession
from stackwright.embedded.errors import BadParameter
from stackwright.embedded.images.view import LayerView


class SessionFiles:
    """A :class:`~stackwright.embedded.builder.types.ContextSource` over a session.

    ``name``: of the Dockerfile; ``context`` and ``dockerfile``: what the client calls the two folders.
    """

    def __init__(
        self, session: ClientSession, progress: Progress, name: str, context: str, dockerfile: str
    ) -> None:
        self._session, self._progress, self._name = session, progress, name
        self._context, self._dockerfile = context, dockerfile
        self.text = ""
        """The Dockerfile's, once read."""

    async def fill(self, context: Path, folder: Path) -> Dockerfile:
        """See ContextSource."""
        own = folder / "dockerfile"
        own.mkdir()
        dockerfile = await self._read(own)
        if any(_takes_context(one) for stage in dockerfile.stages for one in stage.instructions):
            await self._fetch(context, await self._ignored(own, folder))
        return dockerfile

    async def _read(self, own: Path) -> Dockerfile:
        vertex = self._progress.vertex(
            f"[internal] load build definition from {self._name.rpartition('/')[2]}"
        )
        try:
            wanted = (self._name, f"{self._name}.dockerignore")
            size = await self._session.files(self._dockerfile, own, only=wanted)
            vertex.status("transferring dockerfile:", size, over=True)
            node = LayerView([own]).lookup(self._name)
            if node is None or node.is_dir:
                raise BadParameter(f"failed to read dockerfile: open {self._name}: no such file or directory")
            content = await asyncio.to_thread(Path(node.host).read_bytes)
            if not content.strip():
                raise BadParameter("the Dockerfile cannot be empty")
            self.text = content.decode()
            file = parse(self.text)
        except UnicodeDecodeError as error:
            vertex.done(str(error))
            raise BadParameter(f"the Dockerfile ({self._name}) is not UTF-8 text: {error}") from None
        except DockerfileError as error:
            vertex.done(str(error))
            raise BadParameter(str(error)) from None
        except BadParameter as error:
            vertex.done(error.message)
            raise
        vertex.done()
        return file

    async def _ignored(self, own: Path, folder: Path) -> list[str]:
        """The patterns of ``<Dockerfile>.dockerignore``, or of the context's ``.dockerignore``."""
        vertex = self._progress.vertex("[internal] load .dockerignore")
        text = LayerView([own]).read_text(f"{self._name}.dockerignore")
        if not text.strip():
            place = folder / "dockerignore"
            place.mkdir()
            size = await self._session.files(self._context, place, only=(".dockerignore",))
            vertex.status("transferring context:", size, over=True)
            vertex.done()
            return ignore_patterns(place)
        vertex.done()
        return _patterns(text)

    async def _fetch(self, context: Path, ignored: list[str]) -> None:
        vertex = self._progress.vertex("[internal] load build context")
        try:
            size = await self._session.files(self._context, context, without=ignored)
        except BadParameter as error:
            vertex.done(error.message)
            raise
        vertex.status("transferring context:", size, over=True)
        vertex.done()


def ignore_patterns(folder: Path) -> list[str]:
    """What the folder's ``.dockerignore`` excludes."""
    return _patterns(LayerView([folder]).read_text(".dockerignore"))


def _patterns(text: str) -> list[str]:
    lines = text.removeprefix("\ufeff").splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def _takes_context(instruction: Instruction) -> bool:
    """Whether an instruction may take files of the context."""
    if instruction.nested is not None:
        return _takes_context(instruction.nested)
    if instruction.name in ("COPY", "ADD"):
        if instruction.flag("from"):
            return False
        return any(
            not (URL.match(word) or is_git(word) or word.startswith("<<")) for word in instruction.args[:-1]
        )
    for mount in instruction.flag_values("mount"):
        keys = dict(part.partition("=")[::2] for part in mount.split(","))
        if keys.get("type", "bind") == "bind" and "from" not in keys:
            return True
    return False
