"""Files as they were written, before any stage of the model: what rules about spelling look at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from stackwright.checks.builds import BuildFile, parse_build
from stackwright.checks.finding import Place
from stackwright.model.marks import Map, Seq, place_of
from stackwright.model.read.document import read_documents
from stackwright.model.sources import Reporter, Sources
from stackwright.model.template import Variable, variables

if TYPE_CHECKING:
    from stackwright.model.marks import Mark


@dataclass(frozen=True, slots=True)
class Use:
    """One reference to a variable in a file."""

    variable: Variable
    operator: bool
    mark: Mark
    path: str


class RawFile:
    """One Compose file's text, read without interpolation or merging. Its marks are its own."""

    def __init__(self, path: str, text: bytes) -> None:
        self.path = path
        self.text = text

    @cached_property
    def lines(self) -> list[str]:
        """The lines, without their ends."""
        return self.text.decode("utf-8", "replace").splitlines()

    @cached_property
    def starts(self) -> list[int]:
        """The byte offset at which each line starts."""
        found = [0]
        at = self.text.find(b"\n")
        while at >= 0:
            found.append(at + 1)
            at = self.text.find(b"\n", at + 1)
        return found

    @cached_property
    def documents(self) -> list[Any]:
        """The values of its documents, as far as they can be read."""
        sources = Sources()
        sources.add(self.path, self.text)
        return [document.value for document in read_documents(self.text, 1, Reporter(sources))]

    @property
    def tops(self) -> list[Map]:
        """The documents that are mappings, as they should be."""
        return [value for value in self.documents if type(value) is Map]

    def place(self, mark: Mark) -> Place:
        """Where a mark of ``documents`` is."""
        _, line, column = place_of(mark)
        return Place(self.path, line, column)

    def line(self, number: int) -> str:
        """One line, from 1."""
        return self.lines[number - 1] if 0 < number <= len(self.lines) else ""

    def offset(self, place: Place) -> int:
        """The byte offset of a place."""
        start = self.starts[place.line - 1]
        return start + len(self.line(place.line)[: place.column - 1].encode())

    @cached_property
    def uses(self) -> list[Use]:
        """Every reference to a variable."""
        return [use for value in self.documents for use in _uses(value, "")] if b"$" in self.text else []

    def services(self) -> Iterator[tuple[str, Map, Mark]]:
        """Each service as written: name, value, mark of the name."""
        for top in self.tops:
            services = top.get("services")
            if type(services) is Map:
                for name, service in services.items():
                    if type(service) is Map:
                        yield name, service, services.key_mark(name)


def _uses(value: Any, path: str) -> Iterator[Use]:
    if type(value) is Map:
        for key, item in value.items():
            below = f"{path}.{key}" if path else key
            if type(item) is str:
                yield from _in_text(item, value.mark_at(key), below)
            else:
                yield from _uses(item, below)
    elif type(value) is Seq:
        for index, item in enumerate(value):
            if type(item) is str:
                yield from _in_text(item, value.mark_at(index), path)
            else:
                yield from _uses(item, path)


def _in_text(text: str, mark: Mark, path: str) -> Iterator[Use]:
    if "$" in text:
        for variable in variables(text):
            named = variable.name
            operator = any(f"{{{named}{sign}" in text for sign in (":", "-", "+", "?"))
            yield Use(variable, operator, mark, path)


class Memory:
    """What was read and may be used again: by other environments, and by the next run in an editor."""

    def __init__(self) -> None:
        self._raw: dict[str, RawFile] = {}
        self._builds: dict[tuple[str, tuple[tuple[str, str], ...]], BuildFile] = {}

    def raw(self, path: str, text: bytes) -> RawFile:
        """A file's text, read."""
        found = self._raw.get(path)
        if found is None or found.text != text:
            found = self._raw[path] = RawFile(path, text)
        return found

    def dockerfile(self, path: str, text: str, arguments: tuple[tuple[str, str], ...]) -> BuildFile:
        """A Dockerfile, read."""
        key = (path, arguments)
        found = self._builds.get(key)
        if found is None or found.text != text:
            found = self._builds[key] = parse_build(path, text, arguments)
        return found
