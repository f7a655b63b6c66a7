"""What COPY and ADD take: names in the context or an image, wildcards, here-documents, URLs."""

from __future__ import annotations

import fnmatch
import hashlib
import posixpath
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from stackwright.dockerfile import DockerIgnore
from stackwright.embedded.builder.errors import StepFailed
from stackwright.embedded.builder.fingerprint import fingerprint
from stackwright.embedded.images.view import LayerView, Node

_WILDCARDS = re.compile(r"[*?\[]")
URL = re.compile(r"https?://", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Inline:
    """A here-document."""

    name: str
    content: bytes

    def fingerprint(self) -> str:
        """Hash of name and content."""
        return hashlib.sha256(self.name.encode() + b"\0" + self.content).hexdigest()


@dataclass(frozen=True, slots=True)
class Download:
    """A fetched URL."""

    name: str
    file: Path
    modified: float

    def fingerprint(self) -> str:
        """Hash of name and content."""
        with self.file.open("rb") as content:
            return f"{self.name}:{hashlib.file_digest(content, 'sha256').hexdigest()}"


@dataclass(frozen=True, slots=True)
class Found:
    """A file or folder of the context or of an image. ``path``: as named, from its root, without a leading
    slash.
    """

    view: LayerView
    node: Node
    path: str
    owners: bool
    """Whether owners are kept (files of images) or not (files of the context)."""
    wanted: Callable[[str], bool]

    @property
    def name(self) -> str:
        """The last part of its path."""
        return posixpath.basename(self.path)

    def fingerprint(self) -> str:
        """Hash of everything that would be copied."""
        return f"{self.name}:{fingerprint(self.view, self.node, owners=self.owners, wanted=self.wanted)}"


Source = Inline | Download | Found


def find(
    view: LayerView, pattern: str, *, context: bool, verb: str, excludes: DockerIgnore | None = None
) -> Iterator[Found]:
    """The files that one argument names; StepFailed with Docker's words when there is none."""
    clean = posixpath.normpath(pattern.lstrip("/") or ".")
    if clean == ".." or clean.startswith("../"):
        if context:
            raise StepFailed(f"{verb} failed: forbidden path outside the build context: {pattern} ()")
        clean = posixpath.normpath("/" + clean).lstrip("/")
    clean = "" if clean == "." else clean

    def wanted(path: str) -> bool:
        return excludes is None or not excludes.excludes(path)

    if not _WILDCARDS.search(clean):
        node = view.lookup(clean)
        if node is None:
            where = "file not found in build context or excluded by .dockerignore: " if context else ""
            raise StepFailed(f"{verb} failed: {where}stat {pattern.lstrip('/')}: file does not exist")
        yield Found(view, node, clean, not context, wanted)
        return
    for path in _glob(view, view.root(), clean.split("/"), ""):
        node = view.lookup(path)
        if node is not None and wanted(posixpath.basename(path)):
            yield Found(view, node, path, not context, wanted)


def _glob(view: LayerView, node: Node, parts: list[str], prefix: str) -> Iterator[str]:
    part, *rest = parts
    if not _WILDCARDS.search(part):
        names = [part]
    else:
        names = [
            name
            for child in view.children(node)
            if fnmatch.fnmatchcase(name := child.path.rpartition("/")[2], part.replace("[^", "[!"))
        ]
    for name in names:
        path = f"{prefix}{name}"
        if not rest:
            yield path
        elif (inner := view.lookup(path)) is not None and inner.is_dir:
            yield from _glob(view, inner, rest, f"{path}/")
