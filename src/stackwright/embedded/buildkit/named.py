"""Named contexts of a solve: ``context:NAME`` among its attributes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from stackwright.embedded.builder.contexts import IMAGE, ImageContext, NamedContext
from stackwright.embedded.builder.git import checkout, is_git, lent_agent
from stackwright.embedded.buildkit import messages_pb2 as pb
from stackwright.embedded.buildkit.progress import Progress
from stackwright.embedded.buildkit.session import ClientSession
from stackwright.embedded.buildkit.source import ignore_patterns
from stackwright.embedded.errors import BadParameter, EngineError, NotImplementedYet

_PREFIX, _LOCAL, _INPUT = "context:", "local:", "input:"


@dataclass
class ClientFolder:
    """A folder of the client's; a FolderContext."""

    session: ClientSession
    progress: Progress
    name: str
    folder: str
    """What the client calls it."""

    async def fetch(self, place: Path) -> Path:
        """See FolderContext."""
        vertex = self.progress.vertex(f"[context {self.name}] load from client")
        try:
            (place / "ignore").mkdir()
            (place / "files").mkdir()
            await self.session.files(self.folder, place / "ignore", only=(".dockerignore",))
            without = ignore_patterns(place / "ignore")
            size = await self.session.files(self.folder, place / "files", without=without)
        except EngineError as error:
            vertex.done(error.message)
            raise
        vertex.status(f"transferring {self.name}:", size, over=True)
        vertex.done()
        return place / "files"


@dataclass
class Repository:
    """A git repository; a FolderContext."""

    session: ClientSession
    progress: Progress
    name: str
    url: str

    async def fetch(self, place: Path) -> Path:
        """See FolderContext."""
        vertex = self.progress.vertex(f"[context {self.name}] {self.url}")
        try:
            (place / "files").mkdir()
            async with lent_agent(self.session, self.url, place) as agent:
                found = await checkout(self.url, place / "files", agent=agent)
            host = Path(found.view().root().host)
        except EngineError as error:
            vertex.done(error.message)
            raise
        vertex.done()
        return host


def named_contexts(
    attributes: Mapping[str, str],
    inputs: Mapping[str, pb.Definition],
    session: ClientSession,
    progress: Progress,
    image_of: Callable[[pb.Definition], str],
) -> dict[str, NamedContext]:
    """Every named context, by name. Raises BadParameter or NotImplementedYet for what cannot be one."""
    found: dict[str, NamedContext] = {}
    for key, value in attributes.items():
        if not key.startswith(_PREFIX):
            continue
        name = key.removeprefix(_PREFIX).partition("::")[0]
        if value.startswith(IMAGE):
            found[name] = ImageContext(value.removeprefix(IMAGE))
        elif value.startswith(_LOCAL):
            found[name] = ClientFolder(session, progress, name, value.removeprefix(_LOCAL))
        elif value.startswith(_INPUT):
            place = value.removeprefix(_INPUT)
            if place not in inputs:
                raise BadParameter(f"named context {name}: the client sent no input {place}")
            found[name] = ImageContext(image_of(inputs[place]))
        elif is_git(value):
            found[name] = Repository(session, progress, name, value)
        else:
            raise NotImplementedYet(f"named context {name}: {value} is no folder, image or git repository")
    return found
