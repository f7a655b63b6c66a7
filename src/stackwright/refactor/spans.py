"""Where things are in a text: the lines of a mapping's entry or a list's item, found by indentation.

Only block style can be cut by lines; what is in flow style (``{a: 1}``) is answered with None, and then there
is no edit: no edit is better than a wrong one, and whoever applies edits proves them by loading the result.
"""

from __future__ import annotations

from stackwright.refactor.edits import Edit


def line_span(text: bytes, line: int) -> tuple[int, int]:
    """Start and end (after the line feed) of a line, from 1."""
    start = 0
    for _ in range(line - 1):
        start = text.index(b"\n", start) + 1
    end = text.find(b"\n", start)
    return start, len(text) if end < 0 else end + 1


def indent_of(line: bytes) -> int:
    """How many blanks a line starts with."""
    return len(line) - len(line.lstrip(b" "))


def entry_span(text: bytes, line: int, column: int) -> tuple[int, int] | None:
    """The bytes of the block-style entry whose key starts at a place: its lines and all that is below it.

    None when the key does not start its line. Comments and blank lines after the entry stay with what follows;
    a comment at the end of the key's own line goes with it.
    """
    start, end = line_span(text, line)
    indent = column - 1
    first = text[start:end]
    if indent_of(first) != indent or first.lstrip().startswith((b"{", b"[", b"- ", b"#")):
        return None
    kept = end
    at = end
    while at < len(text):
        stop = text.find(b"\n", at)
        stop = len(text) if stop < 0 else stop + 1
        row = text[at:stop]
        bare = row.strip()
        depth = indent_of(row)
        if bare and not bare.startswith(b"#"):
            inside = depth > indent or (depth == indent and bare.startswith(b"- ")) or bare == b"-"
            if not inside:
                break
            kept = stop
        elif bare.startswith(b"#") and depth <= indent:
            break
        at = stop
    return start, kept


def item_span(text: bytes, line: int, column: int) -> tuple[int, int] | None:
    """The lines of a block-style list item whose value starts at a place; None in flow style."""
    start, end = line_span(text, line)
    before = text[start : start + column - 1]
    if before.strip() != b"-":
        return None
    dash = before.index(b"-")
    at = end
    while at < len(text):
        stop = text.find(b"\n", at)
        stop = len(text) if stop < 0 else stop + 1
        row = text[at:stop]
        if not row.strip() or indent_of(row) <= dash:
            break
        at = stop
    return start, at


def scalar_span(text: bytes, line: int, column: int) -> tuple[int, int] | None:
    """The bytes of the scalar on one line that starts at a place; None for block scalars and collections.

    ``column`` counts characters, as marks do.
    """
    start, end = line_span(text, line)
    row = text[start:end].decode("utf-8", "replace")
    first = start + len(row[: column - 1].encode())
    rest = row[column - 1 :].rstrip("\r\n")
    if rest[:1] in ("|", ">", "{", "[", "&", "*", "!", ""):
        return None
    if rest[0] in "'\"":
        close = _closing_quote(rest)
        return (first, first + len(rest[: close + 1].encode())) if close else None
    flow = _in_flow(row[: column - 1])
    stop = len(rest)
    for index, sign in enumerate(rest):
        if (sign == "#" and index and rest[index - 1] in " \t") or (flow and sign in ",]}"):
            stop = index
            break
    return first, first + len(rest[:stop].rstrip().encode())


def _closing_quote(text: str) -> int:
    quote, at = text[0], 1
    while at < len(text):
        if text[at] == "\\" and quote == '"':
            at += 2
            continue
        if text[at] == quote:
            if quote == "'" and text[at + 1 : at + 2] == "'":
                at += 2
                continue
            return at
        at += 1
    return 0


def _in_flow(before: str) -> bool:
    """Whether a place on a line is inside brackets that were opened on that line."""
    return before.count("[") + before.count("{") > before.count("]") + before.count("}")


def remove(file: str, text: bytes, span: tuple[int, int]) -> Edit:
    """An edit that takes whole lines away, and one blank line when that leaves two together or one at the top."""
    start, end = span
    blank_after = text[end : end + 1] == b"\n" or text[end : end + 2] == b"\r\n"
    blank_before = start == 0 or text[:start].endswith((b"\n\n", b"\r\n\r\n"))
    if blank_after and blank_before:
        end = text.index(b"\n", end) + 1
    return Edit(file, start, end)
