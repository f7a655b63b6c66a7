"""Guess which of the known names was meant."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


def nearest(name: str, among: Iterable[str]) -> str:
    """The candidate within a third of the name's length in edits, or an empty text."""
    best, best_distance = "", (max(1, len(name) // 3) if len(name) > 2 else 0) + 1
    lowered = name.lower()
    for candidate in sorted(among):
        if abs(len(candidate) - len(name)) >= best_distance:
            continue
        distance = _distance(lowered, candidate.lower(), best_distance)
        if candidate != name and distance < best_distance:
            best, best_distance = candidate, distance
    return best


def _distance(left: str, right: str, limit: int) -> int:
    """Optimal string alignment distance (insert, delete, replace, swap), cut off at ``limit``."""
    before: list[int] = []
    row = list(range(len(right) + 1))
    for i, a in enumerate(left, 1):
        older, before, row = before, row, [i]
        for j, b in enumerate(right, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (a != b))
            if i > 1 and j > 1 and a == right[j - 2] and left[i - 2] == b:
                cost = min(cost, older[j - 2] + 1)
            row.append(cost)
        if min(row) >= limit:
            return limit
    return row[-1]
