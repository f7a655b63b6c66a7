"""What differs between two models, by place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stackwright.model.marks import Map, Seq

if TYPE_CHECKING:
    from stackwright.model.marks import Mark

_NOTHING = object()

NAMED = ("services", "networks", "volumes", "secrets", "configs", "models")
"""Top-level elements whose entries have names of the user's choice."""


@dataclass(frozen=True, slots=True)
class Change:
    """One difference. ``old`` or ``new`` is None with ``kind`` ``added`` or ``removed``; marks where known."""

    path: tuple[str, ...]
    kind: str
    old: Any = None
    new: Any = None
    old_mark: Mark = 0
    new_mark: Mark = 0

    @property
    def dotted(self) -> str:
        """The place as ``services.web.ports``."""
        return ".".join(self.path)


def differences(before: Any, after: Any) -> list[Change]:
    """All differences between two models' data, outermost place first, lists compared by their items."""
    return list(_compare(before, after, (), 0, 0))


def _compare(old: Any, new: Any, path: tuple[str, ...], old_mark: Mark, new_mark: Mark) -> Iterator[Change]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*old, *(key for key in new if key not in old)]:
            yield from _entry(old, new, key, (*path, str(key)))
    elif isinstance(old, list) and isinstance(new, list) and path and path[-1] not in _ORDERED:
        yield from _items(old, new, path)
    elif old != new:
        yield Change(path, "changed", old, new, old_mark, new_mark)


_ORDERED = ("command", "entrypoint", "test")
"""Lists that are one value: the order and each word matter."""


def _entry(old: dict[Any, Any], new: dict[Any, Any], key: Any, path: tuple[str, ...]) -> Iterator[Change]:
    left, right = old.get(key, _NOTHING), new.get(key, _NOTHING)
    left_mark = old.mark_at(key) if type(old) is Map else 0
    right_mark = new.mark_at(key) if type(new) is Map else 0
    if left is _NOTHING:
        yield Change(path, "added", None, right, 0, right_mark)
    elif right is _NOTHING:
        yield Change(path, "removed", left, None, left_mark, 0)
    else:
        yield from _compare(left, right, path, left_mark, right_mark)


def _items(old: list[Any], new: list[Any], path: tuple[str, ...]) -> Iterator[Change]:
    """Items that only one side has; items that say where they belong (``target``) are paired by it."""
    gone = [(index, item) for index, item in enumerate(old) if item not in new]
    come = [(index, item) for index, item in enumerate(new) if item not in old]
    for index, item in gone:
        mate = next((one for one in come if _same_place(item, one[1])), None)
        mark = old.mark_at(index) if type(old) is Seq else 0
        if mate is None:
            yield Change((*path, str(index)), "removed", item, None, mark, 0)
        else:
            come.remove(mate)
            after = new.mark_at(mate[0]) if type(new) is Seq else 0
            yield Change((*path, str(index)), "changed", item, mate[1], mark, after)
    for index, item in come:
        yield Change(
            (*path, str(index)), "added", None, item, 0, new.mark_at(index) if type(new) is Seq else 0
        )
    if not gone and not come and old != new:
        yield Change(path, "changed", old, new)


def _same_place(one: Any, other: Any) -> bool:
    if not isinstance(one, dict) or not isinstance(other, dict):
        return False
    keys = ("target", "protocol") if "published" in one or "published" in other else ("target",)
    if "target" in one:
        return all(one.get(key) == other.get(key) for key in keys)
    return "source" in one and one.get("source") == other.get("source")


def within(change: Change, places: tuple[str, ...]) -> bool:
    """Whether a difference lies at or below one of the places that may change."""
    return any(change.dotted == place or change.dotted.startswith(place + ".") for place in places)
