"""A build's context as a tar stream: the folder, less what .dockerignore names, plus the Dockerfile."""

from __future__ import annotations

import asyncio
import itertools
import os
import secrets
import stat
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from stackwright.dockerfile import DockerfileError, DockerIgnore
from stackwright.model.types import Build
from stackwright.run import tarring
from stackwright.run.errors import RunError, Unsupported
from stackwright.run.tarring import Entry

REMOTE = ("http://", "https://", "git://", "git@", "ssh://", "github.com/", "docker-image://")


@dataclass(frozen=True, slots=True)
class Packed:
    """A context ready to be sent. `dockerfile` is its path inside the tar."""

    folder: Path
    files: tuple[Path, ...]
    dockerfile: str
    dockerfile_text: str
    shown: str
    """The Dockerfile as a person names it."""
    extra: tuple[tuple[str, bytes], ...] = ()

    async def stream(self) -> AsyncIterator[bytes]:
        """The tar, piece by piece; files are read while it is sent."""
        files = (Entry(str(path.relative_to(self.folder)), path) for path in self.files)
        extra = (Entry(name, content=content) for name, content in self.extra)
        # Builds must not depend on who checked the files out: all of it is root's.
        async for piece in tarring.stream(itertools.chain(files, extra), owner=(0, 0)):
            yield piece


async def pack(recipe: Build, where: str) -> Packed:
    """Read the Dockerfile and list the context's files. Raises `RunError` where something is missing."""
    if recipe.context.startswith(REMOTE):
        raise Unsupported(f"remote build context {recipe.context} is not supported", place=where)
    folder = Path(recipe.context)
    if not folder.is_dir():
        raise RunError(f"build context {folder} is not a folder", place=where)
    return await asyncio.to_thread(_pack, recipe, folder, where)


def _pack(recipe: Build, folder: Path, where: str) -> Packed:
    extra: tuple[tuple[str, bytes], ...] = ()
    hidden = f".dockerfile.{secrets.token_hex(8)}"
    if recipe.dockerfile_inline:
        name, text = hidden, recipe.dockerfile_inline
        extra = ((name, text.encode()),)
        own = folder / "Dockerfile"
    else:
        own = folder / (recipe.dockerfile or "Dockerfile")
        try:
            text = own.read_text()
        except OSError as error:
            raise RunError(f"Dockerfile {own} cannot be read: {error.strerror}", place=where) from error
        except UnicodeDecodeError as error:
            raise RunError(f"Dockerfile {own} is not UTF-8 text", place=where) from error
        inside = os.path.normpath(own)
        if inside.startswith(os.path.normpath(folder) + os.sep):
            name = os.path.relpath(inside, folder)
        else:
            name = hidden
            extra = ((name, text.encode()),)
    ignored = _ignored(folder, own, where)
    files = tuple(path for path in _walk(folder, ignored, keep={name, ".dockerignore"}))
    shown = "dockerfile_inline" if recipe.dockerfile_inline else recipe.dockerfile or "Dockerfile"
    return Packed(folder, files, name, text, shown, extra)


def _ignored(folder: Path, dockerfile: Path, where: str) -> DockerIgnore:
    """What `<Dockerfile>.dockerignore` or `.dockerignore` leaves out."""
    for candidate in (dockerfile.with_name(dockerfile.name + ".dockerignore"), folder / ".dockerignore"):
        if candidate.is_file():
            try:
                return DockerIgnore.parse(candidate.read_text())
            except (DockerfileError, OSError, UnicodeDecodeError) as error:
                raise RunError(f"{candidate}: {error}", place=where) from error
    return DockerIgnore()


def _walk(folder: Path, ignored: DockerIgnore, keep: set[str]) -> list[Path]:
    found: list[Path] = []

    def visit(parent: Path, prefix: str) -> None:
        for entry in sorted(os.scandir(parent), key=lambda one: one.name):
            name = prefix + entry.name
            if stat.S_ISSOCK(entry.stat(follow_symlinks=False).st_mode):
                continue
            leave = name not in keep and ignored.excludes(name)
            if not leave:
                found.append(Path(entry.path))
            if entry.is_dir(follow_symlinks=False) and (not leave or ignored.may_include_below(name)):
                visit(Path(entry.path), name + "/")

    visit(folder, "")
    return found
