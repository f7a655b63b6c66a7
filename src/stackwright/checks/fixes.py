"""Mends that rules offer: each the one right edit of a text, or None where the text is not plain enough."""

from __future__ import annotations

import json
import re

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


def changed(service: str, key: str) -> tuple[str, ...]:
    """The places of a service's element, whether a profile leaves the service out or not."""
    return (f"services.{service}.{key}", f"disabled.{service}.{key}")


def replace_on_line(
    raw: RawFile, line: int, old: str, new: str, title: str, changes: tuple[str, ...]
) -> Fix | None:
    """Replace the one occurrence of a text on a line; None when there is none, or more than one."""
    start, end = line_span(raw.text, line)
    row = raw.text[start:end]
    if row.count(old.encode()) != 1 or old.encode() in row.partition(b" #")[2]:
        return None
    at = start + row.index(old.encode())
    return Fix(title, (Edit(raw.path, at, at + len(old.encode()), new),), changes)


def whole_test(raw: RawFile, place: Place, words: list[str], service: str) -> Fix | None:
    """Write a health check's test, a list on one line, as one text for the shell."""
    start, end = line_span(raw.text, place.line)
    row = raw.text[start:end].decode("utf-8", "replace")
    rest = row[place.column - 1 :].rstrip()
    if not rest.startswith("[") or not rest.endswith("]") or rest.count("[") != 1:
        return None
    text = " ".join(words)
    if any(sign in text for sign in "\\\n\t"):
        return None
    new = '["CMD-SHELL", ' + json.dumps(text, ensure_ascii=False) + "]"
    first = start + len(row[: place.column - 1].encode())
    edit = Edit(raw.path, first, first + len(rest.encode()), new)
    return Fix("run the test through the shell", (edit,), changed(service, "healthcheck.test"))


def condition(raw: RawFile, place: Place, name: str, service: str, wanted: str) -> Fix | None:
    """Give one entry of ``depends_on`` a condition; a list in block style becomes a mapping."""
    changes = changed(service, f"depends_on.{name}")
    line = raw.line(place.line)
    if line.strip() == f"{name}:":
        below = raw.line(place.line + 1)
        if below.strip() == "condition: service_started":
            return replace_on_line(
                raw, place.line + 1, "service_started", wanted, f"wait for {name}", changes
            )
        return None
    flow = re.fullmatch(r"( *)depends_on: \[([\w.\-, ]+)\]\s*", line)
    if flow:
        items = [item.strip() for item in flow[2].split(",") if item.strip()]
        rows = [f"{flow[1]}depends_on:", *_conditions(items, flow[1] + "  ", name, wanted)]
        start, end = line_span(raw.text, place.line)
        return Fix(f"wait for {name}", (Edit(raw.path, start, end, "\n".join(rows) + "\n"),), changes)
    if line.strip() != f"- {name}":
        return None
    first = last = place.line
    while raw.line(first - 1).strip().startswith("- "):
        first -= 1
    while raw.line(last + 1).strip().startswith("- "):
        last += 1
    if raw.line(first - 1).strip() != "depends_on:":
        return None
    blanks = " " * (len(raw.line(first - 1)) - len(raw.line(first - 1).lstrip()) + 2)
    items = [raw.line(number).strip().removeprefix("- ") for number in range(first, last + 1)]
    if not all(re.fullmatch(r"[\w.-]+", item) for item in items):
        return None
    lines = _conditions(items, blanks, name, wanted)
    start, end = line_span(raw.text, first)[0], line_span(raw.text, last)[1]
    return Fix(f"wait for {name}", (Edit(raw.path, start, end, "\n".join(lines) + "\n"),), changes)


def _conditions(items: list[str], blanks: str, name: str, wanted: str) -> list[str]:
    """The entries of ``depends_on`` as a mapping; only one of them waits for more than the start."""
    pairs = ((item, wanted if item == name else "service_started") for item in items)
    return [line for item, until in pairs for line in (f"{blanks}{item}:", f"{blanks}  condition: {until}")]


def remove_comment(path: str, text: bytes, place: Place) -> Fix:
    """Take a comment away, with its line when it stands alone."""
    start, end = line_span(text, place.line)
    row = text[start:end]
    at = len(row.decode("utf-8", "replace")[: place.column - 1].encode())
    if not row[:at].strip():
        return Fix("remove the comment", (Edit(path, start, end),))
    kept = len(row[:at].rstrip())
    stop = len(row.rstrip(b"\r\n"))
    return Fix("remove the comment", (Edit(path, start + kept, start + stop),))
