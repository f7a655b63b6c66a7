"""Values that know where they came from.

The stages pass plain data along: ``Map`` and ``Seq`` are a dict and a list that carry, beside each
entry, a *mark* of the place it was written. Scalars stay plain Python values.

A mark is an ``int`` (file, line and column packed, see ``mark_of``), or an ``Origin`` when the value
reached its place by a detour (a variable, ``extends``, ``include``, an override).
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeAlias

    Mark: TypeAlias = "int | Origin"

_COLUMN_BITS = 20
_LINE_BITS = 24
_COLUMN_MASK = (1 << _COLUMN_BITS) - 1
_LINE_MASK = (1 << _LINE_BITS) - 1

NOWHERE = 0
"""The mark of a value that no file names (defaults). File numbers start at 1."""


class Origin:
    """A place and the detours from there: ``via`` is a tuple of ``(what, mark or None)``, oldest first."""

    __slots__ = ("mark", "via")

    def __init__(self, mark: int, via: tuple[tuple[str, int], ...]) -> None:
        self.mark = mark
        self.via = via


class Map(dict):  # type: ignore[type-arg]
    """A mapping: ``marks[key]`` is ``(mark of the key, mark of the value)``; ``mark`` its own place."""

    __slots__ = ("broken", "lost", "mark", "marks")

    mark: Mark
    marks: dict[str, tuple[Mark, Mark]]
    broken: bool
    lost: bool

    def __init__(self, mark: Mark = NOWHERE) -> None:
        self.mark = mark
        self.marks = {}
        self.broken = False
        """True when something in here was dropped: later checks say nothing about what is missing."""
        self.lost = False
        """True when an entry of this very mapping was dropped, so that a name may be missing for that reason."""

    def place(self, key: str, value: Any, marks: tuple[Mark, Mark]) -> None:
        """Set ``key`` and where it comes from."""
        self[key] = value
        self.marks[key] = marks

    def put(self, key: str, value: Any, mark: Mark) -> None:
        """Set ``key`` to a value that was written at ``mark``."""
        self[key] = value
        self.marks[key] = (mark, mark)

    def drop(self, key: str) -> None:
        """Remove ``key`` if it is there."""
        self.pop(key, None)
        self.marks.pop(key, None)

    def mark_at(self, key: str) -> Mark:
        """Where the value of ``key`` was written, else where the mapping was."""
        pair = self.marks.get(key)
        return pair[1] if pair else self.mark

    def key_mark(self, key: str) -> Mark:
        """Where ``key`` itself was written, else where the mapping was."""
        pair = self.marks.get(key)
        return pair[0] if pair else self.mark


class Seq(list):  # type: ignore[type-arg]
    """A list: ``marks[i]`` is the mark of item ``i``; ``mark`` its own place."""

    __slots__ = ("mark", "marks")

    mark: Mark
    marks: list[Mark]

    def __init__(self, mark: Mark = NOWHERE) -> None:
        self.mark = mark
        self.marks = []

    def add(self, value: Any, mark: Mark) -> None:
        """Append a value that was written at ``mark``."""
        self.append(value)
        self.marks.append(mark)

    def mark_at(self, index: int) -> Mark:
        """Where item ``index`` was written."""
        return self.marks[index] if index < len(self.marks) else self.mark


class Timestamp(str):
    """A plain YAML date or time. The Compose Specification has no place for one, so validation names it."""

    __slots__ = ()


def mark_of(file: int, line: int, column: int) -> int:
    """Pack a place; ``line`` and ``column`` count from 0."""
    return (file << (_LINE_BITS + _COLUMN_BITS)) | (line << _COLUMN_BITS) | min(column, _COLUMN_MASK)


def place_of(mark: Mark) -> tuple[int, int, int]:
    """File number, line and column (from 1) of a mark; zeros for ``NOWHERE``."""
    packed = mark.mark if type(mark) is Origin else mark
    assert isinstance(packed, int)
    if packed == NOWHERE:
        return 0, 0, 0
    line = (packed >> _COLUMN_BITS) & _LINE_MASK
    return packed >> (_LINE_BITS + _COLUMN_BITS), line + 1, (packed & _COLUMN_MASK) + 1


def with_step(mark: Mark, what: str, place: Mark = NOWHERE) -> Origin:
    """The same mark after one more detour."""
    at = place.mark if type(place) is Origin else place
    assert isinstance(at, int)
    if type(mark) is Origin:
        return Origin(mark.mark, (*mark.via, (what, at)))
    assert isinstance(mark, int)
    return Origin(mark, ((what, at),))


def copied(value: Any) -> Any:
    """A deep copy; marks are kept."""
    kind = type(value)
    if kind is Map:
        new = Map(value.mark)
        new.marks = value.marks.copy()
        for key, item in value.items():
            new[key] = copied(item) if type(item) is Map or type(item) is Seq else item
        return new
    if kind is Seq:
        listed = Seq(value.mark)
        listed.marks = value.marks.copy()
        listed.extend([copied(item) if type(item) is Map or type(item) is Seq else item for item in value])
        return listed
    return value


def detoured(value: Any, what: str, place: Mark) -> Any:
    """A deep copy whose every mark has one more detour."""
    kind = type(value)
    if kind is Map:
        new = Map(with_step(value.mark, what, place))
        marks = value.marks
        for key, item in value.items():
            new[key] = detoured(item, what, place)
            pair = marks.get(key)
            if pair:
                new.marks[key] = (pair[0], with_step(pair[1], what, place))
        return new
    if kind is Seq:
        listed = Seq(with_step(value.mark, what, place))
        listed.marks = [with_step(mark, what, place) for mark in value.marks]
        listed.extend([detoured(item, what, place) for item in value])
        return listed
    return value
