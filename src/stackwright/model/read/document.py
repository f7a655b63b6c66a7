"""libyaml's events to ``Map``, ``Seq`` and scalars: one pass, positions kept, anchors and merges resolved.

Compose's own tags are handled here: ``!reset`` removes an element and ``!override`` replaces one, by
*path*, wherever an earlier file or an extended service gave it (Compose Specification, Merge).
"""

from __future__ import annotations

from stackwright.model.marks import Map, Seq, copied, mark_of, place_of
from stackwright.model.read.complaints import report_syntax
from stackwright.model.read.libyaml import (
    AliasEvent,
    CParser,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    YAMLError,
)
from stackwright.model.read.scalars import plain, tagged

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from stackwright.model.marks import Mark
    from stackwright.model.sources import Reporter

MAX_DEPTH = 100
"""Levels of nesting. The specification needs about ten; the stages walk recursively."""

MAX_ALIASED = 100_000
"""Values that aliases may add to one file: far above real use, far below what a "YAML bomb" makes."""

_CORE = "tag:yaml.org,2002:"
_MAX_COLUMN = 0xFFFFF
_SKIP: Any = object()
"""What ``!reset`` leaves of an element: nothing."""


class Document:
    """One YAML document: its value, and the paths that ``!reset`` and ``!override`` name."""

    __slots__ = ("resets", "value")

    def __init__(self, value: Any, resets: set[tuple[str, ...]]) -> None:
        self.value = value
        self.resets = resets


class _BrokenError(Exception):
    """The text cannot be read further; the problem has been reported."""


def read_documents(text: bytes, file: int, report: Reporter) -> list[Document]:
    """All documents of a file. What is wrong is reported; then only the documents before it are returned."""
    documents: list[Document] = []
    try:
        reader = _Reader(text, file, report)
        while (document := reader.document()) is not None:
            documents.append(document)
    except YAMLError as error:
        report.incomplete = True
        report_syntax(error, text, file, report)
    except _BrokenError:
        report.incomplete = True
    return documents


class _Reader:
    """Reads one file. A method per kind of node; the event that opens the node has been taken already.

    Anchors hold for the whole file, as the reference reader has it, not for one document of it.
    """

    def __init__(self, text: bytes, file: int, report: Reporter) -> None:
        self.text = text
        self.next_event = CParser(text).get_event
        self.base = mark_of(file, 0, 0)
        self.report = report
        self.anchors: dict[str, Any] = {}
        self.unfinished: set[str] = set()
        self.aliased = 0
        self.resets: set[tuple[str, ...]] = set()
        self.path: list[str] = []
        self.words: dict[str, Any] = {}
        self.keys: set[str] = set()

    def document(self) -> Document | None:
        """The next document, or None at the end of the stream."""
        while (event := self.next_event()) is not None:
            if type(event) is DocumentStartEvent:
                self.resets = set()
                event = self.next_event()
                value = self.node(event, self.mark(event))
                return Document(None if value is _SKIP else value, self.resets)
        return None

    def mark(self, event: Any) -> int:
        """Where an event starts."""
        start = event.start_mark
        place: int = self.base | start.line << 20 | min(start.column, _MAX_COLUMN)
        return place

    def fail(self, code: str, message: str, mark: Mark, hint: str = "") -> _BrokenError:
        """Report what makes the rest of the file unreadable; to be raised."""
        self.report.error(code, message, mark, hint=hint)
        return _BrokenError()

    def mapping(self, mark: int) -> Map:
        """A mapping up to its end. Written keys win over merged ones."""
        value = Map(mark)
        marks, next_event, base, words, good = value.marks, self.next_event, self.base, self.words, self.keys
        merge: tuple[Any, int] | None = None
        while type(event := next_event()) is not MappingEndEvent:
            start = event.start_mark
            key_mark = base | start.line << 20 | min(start.column, _MAX_COLUMN)
            key = event.value if type(event) is ScalarEvent else self.aliased_key(event, key_mark)
            if key not in good:
                self.check_key(event, key, key_mark)
            if key in value or (merge and key == "<<"):
                first = place_of(marks[key][0] if key in value else merge[1])[1]  # type: ignore[index]
                raise self.fail(
                    "yaml-duplicate-key", f'key "{key}" is already there, at line {first}', key_mark
                )
            is_merge = key == "<<" and type(event) is ScalarEvent and _merges(event)
            event = next_event()
            start = event.start_mark
            item_mark = base | start.line << 20 | min(start.column, _MAX_COLUMN)
            if type(event) is ScalarEvent and event.tag is None and event.anchor is None:
                text = event.value
                if not event.implicit[0]:
                    item: Any = text
                elif text in words:
                    item = words[text]
                else:
                    item = words[text] = plain(text)
            else:
                if not is_merge:
                    self.path.append(key)
                item = self.node(event, item_mark)
                if not is_merge:
                    self.path.pop()
                if item is _SKIP:
                    continue
            if is_merge:
                merge = (item, item_mark)
            else:
                value[key] = item
                marks[key] = (key_mark, item_mark)
        if merge:
            self.merge(value, *merge)
        return value

    def sequence(self, mark: int) -> Seq:
        """A list up to its end."""
        value = Seq(mark)
        marks, next_event, base, words = value.marks, self.next_event, self.base, self.words
        while type(event := next_event()) is not SequenceEndEvent:
            start = event.start_mark
            item_mark = base | start.line << 20 | min(start.column, _MAX_COLUMN)
            if type(event) is ScalarEvent and event.tag is None and event.anchor is None:
                text = event.value
                if not event.implicit[0]:
                    item: Any = text
                elif text in words:
                    item = words[text]
                else:
                    item = words[text] = plain(text)
            else:
                self.path.append(str(len(value)))
                item = self.node(event, item_mark)
                self.path.pop()
                if item is _SKIP:
                    continue
            value.append(item)
            marks.append(item_mark)
        return value

    def node(self, event: Any, mark: int) -> Any:
        """Any node; ``_SKIP`` when it is tagged ``!reset``."""
        kind = type(event)
        if kind is AliasEvent:
            return self.alias(event.anchor, mark)
        tag, anchor = event.tag, event.anchor
        if tag in ("!reset", "!override"):
            self.resets.add(tuple(self.path))
        value: Any
        if kind is ScalarEvent:
            value = event.value if tag in (None, "!") else self.tagged(event, mark)
            if (tag is None and event.implicit[0]) or (tag == "!" and event.style in (None, "")):
                value = plain(value)
        else:
            if len(self.path) > MAX_DEPTH:
                raise self.fail("yaml-depth", f"nested deeper than {MAX_DEPTH} levels", mark)
            if anchor:
                self.unfinished.add(anchor)
            value = self.mapping(mark) if kind is MappingStartEvent else self.sequence(mark)
            if anchor:
                self.unfinished.discard(anchor)
        if tag == "!reset":
            return _SKIP
        if anchor:
            self.anchors[anchor] = value
        return value

    def tagged(self, event: Any, mark: int) -> Any:
        """A scalar with a tag: a standard one converts, any other leaves the text."""
        tag: str = event.tag
        if not tag.startswith(_CORE):
            return plain(event.value) if tag == "!override" and event.style in (None, "") else event.value
        try:
            return tagged(event.value, tag.removeprefix(_CORE))
        except ValueError as error:
            raise self.fail("yaml-tag", str(error), mark) from None

    def aliased_key(self, event: Any, mark: int) -> str:
        """A key that is not written as a scalar: only an alias of a text will do."""
        value = self.anchors.get(event.anchor) if type(event) is AliasEvent else None
        if type(value) is str:
            return value
        raise self.fail("yaml-key", "a key must be a text, not a mapping or a list", mark)

    def check_key(self, event: Any, key: str, mark: int) -> None:
        """Refuse plain keys that mean a number, a boolean or nothing."""
        if type(event) is ScalarEvent and event.implicit[0] and type(plain(key)) is not str:
            shown = key if plain(key) is not None else "null"
            raise self.fail(
                "yaml-key", f"a key must be a text, not {shown}", mark, f'put it in quotes: "{key}"'
            )
        self.keys.add(key)

    def alias(self, name: str, mark: int) -> Any:
        """What an alias stands for, as a copy of its own."""
        if name in self.unfinished:
            raise self.fail("yaml-alias", f'anchor "&{name}" contains itself', mark)
        if name not in self.anchors:
            later = self.text.find(b"&" + name.encode())
            hint = f"it is at line {self.text.count(10, 0, later) + 1}: move that up" if later >= 0 else ""
            raise self.fail("yaml-alias", f'there is no anchor "&{name}" before this alias', mark, hint)
        return self.copy(self.anchors[name], mark)

    def copy(self, value: Any, mark: int) -> Any:
        """A copy, unless aliases multiply into more values than memory should hold."""
        if type(value) is not Map and type(value) is not Seq:
            return value
        self.aliased += _size(value, MAX_ALIASED - self.aliased)
        if self.aliased > MAX_ALIASED:
            message = f"aliases in this file expand to more than {MAX_ALIASED:,} values"
            raise self.fail("yaml-alias-bomb", message, mark)
        return copied(value)

    def merge(self, value: Map, merged: Any, mark: int) -> None:
        """``<<``: add what the mapping does not have; of several mappings the first wins."""
        for source in merged if type(merged) is Seq else (merged,):
            if type(source) is not Map:
                raise self.fail("yaml-merge", '"<<" needs a mapping or a list of mappings', mark)
            for key, item in source.items():
                if key not in value:
                    value[key] = self.copy(item, mark)
                    value.marks[key] = source.marks[key]


def _merges(event: Any) -> bool:
    """Whether a key ``<<`` is the merge key: written plain, or tagged ``!!merge`` as some formatters do."""
    return bool(event.implicit[0]) or event.tag == _CORE + "merge"


def _size(value: Any, limit: int) -> int:
    """How many values a container holds, itself included; stops counting above ``limit``."""
    count = 1
    for item in value.values() if type(value) is Map else value:
        count += _size(item, limit - count) if type(item) is Map or type(item) is Seq else 1
        if count > limit:
            break
    return count


def top_level_name(text: bytes, file: int) -> tuple[str, Mark] | None:
    """The last ``name:`` at the top of a file and its mark, without reading the rest of the file.

    The project's name is wanted before anything else, since values may refer to it. A name that is not on
    its key's line, or a file in flow style, is read whole.
    """
    found: tuple[str, Mark] | None = None
    whole = text[:64].lstrip()[:1] == b"{"
    for opening in (b"name", b'"name"', b"'name'"):
        at = 0 if text.startswith(opening) else text.find(b"\n" + opening) + 1
        while at > 0 or text.startswith(opening, at):
            end = text.find(b"\n", at)
            line = text[at : end if end >= 0 else len(text)]
            if line[len(opening) :].lstrip()[:1] == b":":
                value = _one_line(line)
                whole = whole or value is None
                if value is not None:
                    number, column = text.count(b"\n", 0, at), line.find(b":") + 1
                    column += len(line[column:]) - len(line[column:].lstrip())
                    found = (value, mark_of(file, number, column)) if value else found
            at = text.find(b"\n" + opening, at) + 1
            if at == 0:
                break
    return _name_in_whole(text, file) if whole else found


def _one_line(line: bytes) -> str | None:
    """The text in ``key: text``; None when it goes on below or is an alias."""
    try:
        next_event = CParser(line).get_event
        events = []
        while (event := next_event()) is not None:
            events.append(event)
    except YAMLError:
        return None
    scalars = [event for event in events if type(event) is ScalarEvent]
    if len(scalars) != 2 or not scalars[1].value:
        return None
    text: str = scalars[1].value
    return "" if scalars[1].implicit[0] and plain(text) is None else text


def _name_in_whole(text: bytes, file: int) -> tuple[str, Mark] | None:
    from stackwright.model.sources import Reporter, Sources

    sources = Sources()
    while len(sources.names) <= file:
        sources.add("", b"")
    found = None
    for document in read_documents(text, file, Reporter(sources)):
        if type(document.value) is Map and type(document.value.get("name")) is str and document.value["name"]:
            found = (document.value["name"], document.value.mark_at("name"))
    return found
