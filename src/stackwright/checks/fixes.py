"""Mends that rules offer: each the one right edit of a text, or None where the text is not plain enough."""

from __future__ import annotations

from stackwright.checks.finding import Fix, Place
from stackwright.checks.raw import RawFile
from stackwright.refactor.edits import Edit
from stackwright.refactor.spans import entry_span, item_span, line_span, remove, scalar_span


def remove_entry(raw: RawFile, place: Place, title: str, changes: tuple[str, ...] = ()) -> Fix | None:
    """Take away the entry of a mapping whose key is at a place."""
    span = entry_span(raw.text, place.line, place.column)
    return Fix(title, (remove(raw.path, raw.text, span),), changes) if span else None


def remove_item(raw: RawFile, place: Place, title: str, changes: tuple[str, ...] = ()) -> Fix | None:
    """Take away the item of a list whose value is at a place."""
    span = item_span(raw.text, place.line, place.column)
    return Fix(title, (remove(raw.path, raw.text, span),), changes) if span else None


def replace_scalar(
    raw: RawFile, place: Place, new: str, title: str, changes: tuple[str, ...] = ()
) -> Fix | None:
    """Put another text, as it is to be written, in the place of a scalar."""
    span = scalar_span(raw.text, place.line, place.column)
    return Fix(title, (Edit(raw.path, *span, new),), changes) if span else None


def quote(raw: RawFile, place: Place, value: str, title: str) -> Fix | None:
    """Put a plain scalar in quotes; the model stays the same."""
    span = scalar_span(raw.text, place.line, place.column)
    if span is None or raw.text[slice(*span)].decode() != value:
        return None
    return Fix(title, (Edit(raw.path, *span, f'"{value}"'),))


def external_beside(raw: RawFile, place: Place, name: str, named: bool) -> Fix | None:
    """``external: {name: x}`` as ``external: true`` with ``name: x`` beside it."""
    span = entry_span(raw.text, place.line, place.column)
    if span is None or named:
        return None
    blanks = " " * (place.column - 1)
    text = f"{blanks}external: true\n{blanks}name: {name}\n"
    if b"#" in raw.text[slice(*span)]:
        return None
    return Fix("write external with the name beside it", (Edit(raw.path, *span, text),))


def add_entries(
    raw: RawFile, place: Place, lines: list[str], title: str, changes: tuple[str, ...]
) -> Fix | None:
    """Add entries below a block mapping's key that is at a place, indented as its other entries are.

    ``lines`` start at the depth of the mapping's own entries.
    """
    start, end = line_span(raw.text, place.line)
    row = raw.text[start:end]
    if not row.split(b"#")[0].rstrip().endswith(b":"):
        return None
    below = raw.text[end:].split(b"\n")
    first = next((line for line in below if line.strip() and not line.strip().startswith(b"#")), b"")
    depth = len(first) - len(first.lstrip(b" "))
    if depth <= place.column - 1:
        return None
    text = "".join(f"{' ' * depth}{line}\n" for line in lines)
    return Fix(title, (Edit(raw.path, end, end, text),), changes)
