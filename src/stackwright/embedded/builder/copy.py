"""COPY and ADD."""

from __future__ import annotations

import hashlib
import json
import os
import posixpath
import re
import secrets
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stackwright.dockerfile import DockerIgnore, Instruction, Stage, expand
from stackwright.dockerfile.words import expand_text
from stackwright.embedded.builder.download import download
from stackwright.embedded.builder.errors import StepFailed
from stackwright.embedded.builder.git import checkout, is_git, lent_agent
from stackwright.embedded.builder.permissions import mode_changer, owner_of
from stackwright.embedded.builder.session import Session
from stackwright.embedded.builder.sources import URL, Download, Found, Inline, Source, find
from stackwright.embedded.builder.upper import Ownership, UpperWriter
from stackwright.embedded.images.archive.compression import detect, open_compressed
from stackwright.embedded.images.archive.errors import BadArchive
from stackwright.embedded.images.archive.limits import Limits
from stackwright.embedded.images.archive.reader import TarReader
from stackwright.embedded.images.archive.unpack import unpack
from stackwright.embedded.images.changes import absolute
from stackwright.embedded.images.view import LayerView

_CHECKSUM = re.compile(r"sha256:[0-9a-f]{64}")


class CopyStep:
    """One COPY or ADD: find what it takes, say what its result depends on, write it into a layer."""

    def __init__(
        self,
        session: Session,
        instruction: Instruction,
        stage: Stage,
        config: dict[str, Any],
        variables: Mapping[str, str],
        folder: Path,
    ) -> None:
        self._session, self._instruction, self._stage = session, instruction, stage
        self._variables, self._folder = variables, folder
        *self._patterns, self._raw_target = [self._fill(word) for word in instruction.args]
        self._target = absolute(config, self._raw_target)
        self._sources: list[Source] = []
        self._owner: tuple[int, int] | None = (0, 0)
        chmod = self._fill(instruction.flag("chmod"))
        self._mode = mode_changer(chmod) if chmod else None
        self._parents = instruction.flag("parents") == "true"
        self.linked = instruction.flag("link") == "true"
        """``--link``: the layer depends on nothing below it, and is the same on any image."""
        self._prints: list[str] = []

    async def find(self, below: LayerView) -> None:
        """Look everything up; ``below``: the image so far, for names in ``--chown`` and (but with ``--link``)
        the kind of the target.
        """
        instruction, verb = self._instruction, self._instruction.name
        origin = self._fill(instruction.flag("from"))
        view = await self._session.view_of(origin, self._stage, self._session.quiet)
        excludes = instruction.flag_values("exclude")
        ignore = DockerIgnore.parse("\n".join(map(self._fill, excludes))) if excludes else None
        documents = {f"<<{'-' * doc.chomp}{doc.name}": doc for doc in instruction.heredocs}
        for pattern, raw in zip(self._patterns, instruction.args, strict=False):
            document = documents.get(raw.replace('"', "").replace("'", ""))
            if document is not None:
                content = document.content
                if document.expand:
                    content = expand_text(content, self._variables)
                self._sources.append(Inline(document.name, content.encode()))
            elif verb == "ADD" and is_git(pattern):
                self._sources.append(await self._repository(pattern))
            elif verb == "ADD" and URL.match(pattern):
                self._sources.append(await self._download(pattern))
            elif instruction.flag("checksum"):
                raise StepFailed("checksum can only be specified for HTTP(S) sources")
            else:
                self._sources += find(view, pattern, context=not origin, verb=verb, excludes=ignore)
        if not self._sources:
            raise StepFailed(f"{verb} failed: no source files were specified")
        if len(self._sources) > 1 and not self._is_folder(self._target_view(below)):
            raise StepFailed(
                f"When using {verb} with more than one source file, "
                "the destination must be a directory and end with a /"
            )
        chown = self._fill(instruction.flag("chown"))
        if chown:
            self._owner = owner_of(chown, below)
        elif origin:
            self._owner = None

    def quick_parts(self) -> list[Any] | None:
        """As :meth:`cache_parts`, but with the layers that are copied from instead of their files' contents.

        None when something comes from elsewhere. Saves reading ten thousands of files to find that nothing
        changed.
        """
        origins = [
            [source.view.identity, source.path]
            for source in self._sources
            if isinstance(source, Found) and source.view.identity
        ]
        return [origins, *self._manner()] if len(origins) == len(self._sources) else None

    def cache_parts(self) -> list[Any]:
        """Everything the layer depends on. Reads all files; run in a thread."""
        self._prints = [source.fingerprint() for source in self._sources]
        paths = (
            [source.path for source in self._sources if isinstance(source, Found)] if self._parents else []
        )
        return [self._prints, paths, *self._manner()]

    def _manner(self) -> list[Any]:
        return [
            self._instruction.name,
            self._parents,
            self._raw_target,
            self._target,
            self._owner,
            self._fill(self._instruction.flag("chmod")),
            self._instruction.flag_values("exclude"),
            self.linked,
        ]

    @property
    def description(self) -> str:
        """For the history."""
        told = [self._prints, self._parents, self.linked, self._fill(self._instruction.flag("chmod"))]
        told += [self._instruction.flag_values("exclude"), self._instruction.flag("unpack")]
        digest = hashlib.sha256(json.dumps(told).encode()).hexdigest()
        kind = "multi" if len(self._sources) > 1 else "file"
        if len(self._sources) == 1 and isinstance(self._sources[0], Found) and self._sources[0].node.is_dir:
            kind = "dir"
        chown = self._fill(self._instruction.flag("chown"))
        flag = f"--chown={chown} " if chown else ""
        return f"{self._instruction.name} {flag}{kind}:{digest} in {self._raw_target} "

    def write(self, writer: UpperWriter) -> None:
        """Write all sources. Run in a thread."""
        into = self._is_folder(writer.view)
        ownership = Ownership(self._owner, self._mode)
        if into:
            writer.folder(self._target, owner=self._owner or (0, 0))
        for source in self._sources:
            target = self._target
            if self._parents and isinstance(source, Found):
                target = posixpath.join(target, posixpath.dirname(source.path))
                if source.node.is_dir:
                    target = posixpath.join(target, source.name)
                else:
                    writer.folder(target, owner=self._owner or (0, 0))
            self._write_one(writer, source, target, ownership, into=into or self._parents)

    def _write_one(
        self, writer: UpperWriter, source: Source, target: str, ownership: Ownership, *, into: bool
    ) -> None:
        if isinstance(source, Found) and source.node.is_dir:
            try:
                writer.copy_tree(source.view, source.node, target, ownership, source.wanted)
            except NotADirectoryError as error:
                raise StepFailed(
                    f"{self._instruction.name} failed: cannot copy to non-directory: {error.filename}"
                ) from error
            return
        archive = self._archive(source)
        if archive is not None:
            self._unpack(writer, archive, target)
            return
        if isinstance(source, Download) and into and not source.name:
            raise StepFailed("cannot determine filename from the source url")
        path = posixpath.join(target, source.name) if into else target
        if isinstance(source, Found):
            writer.copy_file(source.node, path, ownership)
        elif isinstance(source, Inline):
            writer.write_file(path, source.content, ownership, 0o644)
        else:
            with source.file.open("rb") as content:
                host = writer.write_file(path, content, ownership, 0o600)
            os.utime(host, (source.modified, source.modified))

    def _target_view(self, below: LayerView) -> LayerView:
        return LayerView([self._session.images.layers.empty]) if self.linked else below

    def _is_folder(self, view: LayerView) -> bool:
        if self._raw_target.endswith("/") or posixpath.basename(self._raw_target) in ("", ".", ".."):
            return True
        node = view.lookup(self._target)
        return node is not None and node.is_dir

    def _archive(self, source: Source) -> Path | None:
        """The archive that ADD has to unpack: a local one unless ``--unpack=false``, a fetched one if ``--unpack``."""
        wish = self._instruction.flag("unpack")
        if self._instruction.name != "ADD" or wish == "false" or isinstance(source, Inline):
            return None
        if isinstance(source, Download):
            return source.file if wish == "true" and _is_archive(source.file) else None
        file = Path(source.node.host)
        return file if stat.S_ISREG(source.node.status.st_mode) and _is_archive(file) else None

    def _unpack(self, writer: UpperWriter, archive: Path, target: str) -> None:
        folder = self._folder / f"unpacked-{secrets.token_hex(4)}"
        folder.mkdir()
        with archive.open("rb", buffering=0) as raw:
            unpack(TarReader(open_compressed(raw), Limits.for_folder(folder)), folder)
        view = LayerView([folder])
        owner = self._owner if self._instruction.flag("chown") else None
        writer.folder(target)
        writer.copy_tree(view, view.root(), target, Ownership(owner, self._mode))

    def _fill(self, word: str) -> str:
        return expand(word, self._variables, self._session.dockerfile.directives.escape)

    async def _repository(self, url: str) -> Found:
        place = self._folder / f"repository-{len(self._sources)}"
        place.mkdir()
        async with lent_agent(self._session.lender, url, self._folder) as agent:
            keep = self._instruction.flag("keep-git-dir") == "true"
            found = await checkout(url, place, agent=agent, keep_git_dir=keep)
        checksum = self._fill(self._instruction.flag("checksum"))
        if checksum and not (len(checksum) >= 7 and found.commit.startswith(checksum)):
            raise StepFailed(f"commit mismatch for {url}: {found.commit} (expected: {checksum})")
        view = found.view()
        return Found(view, view.root(), "", False, lambda path: True)

    async def _download(self, url: str) -> Download:
        checksum = self._fill(self._instruction.flag("checksum"))
        if checksum and not _CHECKSUM.fullmatch(checksum):
            raise StepFailed(f"invalid checksum {checksum}: expected sha256: and 64 hexadecimal digits")
        place = self._folder / f"download-{len(self._sources)}"
        place.mkdir()
        fetched = await download(url, place)
        if checksum:
            with fetched.file.open("rb") as content:
                actual = f"sha256:{hashlib.file_digest(content, 'sha256').hexdigest()}"
            if actual != checksum:
                raise StepFailed(f"digest mismatch for {url}: {actual} (expected: {checksum})")
        return fetched


def _is_archive(file: Path) -> bool:
    with file.open("rb") as content:
        head = content.read(512)
    if detect(head) == "none":
        return head[257:262] == b"ustar"
    try:
        with file.open("rb", buffering=0) as raw:
            return next(iter(TarReader(open_compressed(raw))), None) is not None
    except BadArchive:
        return False  # compressed, but no archive: copied as it is
