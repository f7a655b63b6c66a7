"""What is under the cursor, from the text alone: it must also work while the file cannot be read.

The path is found by indentation, so it is right in block style and gives the surrounding key in flow style.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_KEY = re.compile(
    r"""^(?P<indent> *)(?P<dash>(?:- +)*)(?P<key>"[^"]*"|'[^']*'|[^\s#'"\[{][^:#]*?)\s*:(?:\s|$)"""
)
_WORD = re.compile(r"[\w.\-]+")
_VARIABLE = re.compile(r"\$\{?([A-Za-z_]\w*)")


@dataclass(frozen=True, slots=True)
class Cursor:
    """``path``: keys from the top down to the line's own key; ``word`` from ``start`` to ``end`` (columns from 0).

    ``on_key``: the cursor is on the key itself. ``variable``: the name in ``$NAME`` or ``${NAME`` around it.
    ``anchor``: the name after ``*`` or ``&``. ``typed``: what stands before the cursor in the word.
    """

    path: tuple[str, ...]
    word: str
    start: int
    end: int
    on_key: bool
    variable: str
    anchor: str
    typed: str
    indent: int


def cursor_at(lines: list[str], line: int, column: int) -> Cursor:
    """The cursor's surroundings; ``line`` and ``column`` from 0."""
    text = lines[line] if line < len(lines) else ""
    word, start, end = _around(_WORD, text, column)
    own = _KEY.match(text)
    indent = len(own["indent"]) if own else _indent_of(text, column)
    path = _above(
        lines, line, indent, (own is not None and bool(own["dash"])) or text.lstrip().startswith("-")
    )
    if own:
        path = (*path, own["key"].strip("\"'"))
    on_key = own is not None and column <= own.end("key")
    variable = next(
        (match[1] for match in _VARIABLE.finditer(text) if match.start() <= column <= match.end() + 1), ""
    )
    anchor = word if start and text[start - 1] in "*&" else ""
    return Cursor(
        path, word, start, end, on_key, variable, anchor, text[start:column] if word else "", indent
    )


def _indent_of(text: str, column: int) -> int:
    return len(text) - len(text.lstrip(" ")) if text.strip() else column


def _around(pattern: re.Pattern[str], text: str, column: int) -> tuple[str, int, int]:
    for match in pattern.finditer(text):
        if match.start() <= column <= match.end():
            return match[0], match.start(), match.end()
    return "", column, column


def _above(lines: list[str], line: int, indent: int, item: bool) -> tuple[str, ...]:
    """The keys that enclose a line of this indentation, outermost first."""
    found: list[str] = []
    # An item of a list may stand as deep as the key that the list belongs to.
    limit = indent + 1 if item else indent
    for number in range(min(line, len(lines)) - 1, -1, -1):
        match = _KEY.match(lines[number])
        if match is None or lines[number].lstrip().startswith("#"):
            continue
        depth = len(match["indent"])
        if match["dash"] and depth + len(match["dash"]) >= limit > depth:
            continue
        if depth < limit:
            found.append(match["key"].strip("\"'"))
            limit = depth + 1 if match["dash"] else depth
            if depth == 0:
                break
    return tuple(reversed(found))
