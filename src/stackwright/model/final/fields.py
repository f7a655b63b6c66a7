"""What a table of fields is made of, and reading data by it."""

from __future__ import annotations

from stackwright.model.final.kinds import KindError
from stackwright.model.marks import Map, Seq, Timestamp
from stackwright.model.read.scalars import rfc3339

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeAlias

    from stackwright.model.final.kinds import Read
    from stackwright.model.marks import Mark
    from stackwright.model.sources import Reporter

    Fields: TypeAlias = "dict[str, Field]"

_FAILED: Any = object()


class Field:
    """How one value is read. ``keep``: print it although it is empty or zero (an optional that was given)."""

    __slots__ = ("keep",)

    def __init__(self, *, keep: bool = False) -> None:
        self.keep = keep

    def read(self, value: Any, mark: Mark, path: str, report: Reporter) -> Any:
        """The last form of a value; ``_FAILED`` after an error was reported."""
        raise NotImplementedError


def _refuse(wanted: str, mark: Mark, path: str, report: Reporter) -> Any:
    """Report what the schema leaves open: elements under names that are none."""
    report.error("type", f"{path} must be {wanted}", mark, path)
    return _FAILED


def _sorted(value: Any) -> Any:
    """An extension's value with its keys in order, as everything else is printed."""
    if type(value) is Map:
        made = Map(value.mark)
        for key in sorted(value):
            made[key] = _sorted(value[key])
        made.marks = value.marks
        return made
    if type(value) is Seq:
        listed = Seq(value.mark)
        listed.extend(_sorted(item) for item in value)
        listed.marks = value.marks
        return listed
    return Timestamp(rfc3339(value)) if type(value) is Timestamp else value


class Value(Field):
    """A scalar, or a small structure that a kind reads whole."""

    __slots__ = ("kind",)

    def __init__(self, kind: Read, *, keep: bool = False) -> None:
        super().__init__(keep=keep)
        self.kind = kind

    def read(self, value: Any, mark: Mark, path: str, report: Reporter) -> Any:
        try:
            return self.kind(value)
        except KindError as error:
            at = value.mark_at(error.key) if error.key is not None else mark
            report.error(error.code, f"{path}: {error}", at, path, hint=error.hint)
            return _FAILED


class Struct(Field):
    """A mapping with known keys, read in the order of the table; extensions come last."""

    __slots__ = ("fields", "fill", "order")

    def __init__(self, fields: Fields, *, keep: bool = True, fill: dict[str, Any] | None = None) -> None:
        super().__init__(keep=keep)
        self.fields = fields
        self.order = {key: index for index, key in enumerate(fields)}
        self.fill = fill
        """What is printed for keys that are not given."""

    def read(self, value: Any, mark: Mark, path: str, report: Reporter) -> Any:
        if type(value) is not Map:
            return _refuse("a mapping", mark, path, report)
        made = Map(value.mark)
        made.broken, made.lost = value.broken, value.lost
        marks = value.marks
        order = self.order
        if self.fill is not None:
            for key in self.fill.keys() - value.keys():
                value.put(key, self.fill[key], value.mark)
        for key in sorted([key for key in value if key in order], key=order.__getitem__):
            field = self.fields[key]
            given = value[key]
            if given is None:
                continue
            pair = marks.get(key) or (value.mark, value.mark)
            new = field.read(given, pair[1], f"{path}.{key}" if path else key, report)
            if new is _FAILED:
                made.broken = made.lost = True
            elif new is not None and (new or field.keep):
                made[key] = new
                made.marks[key] = pair
        for key in sorted(key for key in value if key.startswith("x-")):
            made[key] = _sorted(value[key])
            made.marks[key] = marks.get(key, (value.mark, value.mark))
        return made


class Items(Field):
    """A list."""

    __slots__ = ("item",)

    def __init__(self, item: Field) -> None:
        super().__init__()
        self.item = item

    def read(self, value: Any, mark: Mark, path: str, report: Reporter) -> Any:
        if type(value) is not Seq:
            return _refuse("a list", mark, path, report)
        made = Seq(value.mark)
        for index, item in enumerate(value):
            at = value.mark_at(index)
            new = self.item.read(item, at, f"{path}[{index}]", report)
            if new is not _FAILED:
                made.append(new)
                made.marks.append(at)
        return made


class ByName(Field):
    """A mapping with any keys, sorted. Entries without a value stay so (None), or with ``fill`` are empty."""

    __slots__ = ("fill", "item")

    def __init__(self, item: Field, *, fill: bool = False) -> None:
        super().__init__()
        self.item = item
        self.fill = fill

    def read(self, value: Any, mark: Mark, path: str, report: Reporter) -> Any:
        if type(value) is not Map:
            return _refuse("a mapping", mark, path, report)
        made = Map(value.mark)
        made.broken, made.lost = value.broken, value.lost
        for key in sorted(value):
            pair = value.marks.get(key) or (value.mark, value.mark)
            item = value[key]
            if item is None and self.fill:
                item = Map(pair[1])
            new = None if item is None else self.item.read(item, pair[1], f"{path}.{key}", report)
            if new is _FAILED:
                made.broken = made.lost = True
                continue
            made[key] = new
            made.marks[key] = pair
        return made
