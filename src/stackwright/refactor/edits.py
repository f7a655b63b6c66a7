"""Edits of texts as values: spans of bytes and what replaces them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Edit:
    """Replace the bytes from ``start`` up to ``end`` of a file by ``text``."""

    file: str
    start: int
    end: int
    text: str = ""


class OverlappingEditsError(ValueError):
    """Two edits want to change the same bytes in different ways."""


def apply(text: bytes, edits: Iterable[Edit]) -> bytes:
    """The text after all edits; equal edits count once.

    Raises:
        OverlappingEditsError: two of them overlap.
    """
    made: list[bytes] = []
    at = 0
    for edit in sorted(set(edits)):
        if edit.start < at:
            raise OverlappingEditsError(f"two edits of {edit.file} overlap at byte {edit.start}")
        made += [text[at : edit.start], edit.text.encode()]
        at = edit.end
    return b"".join([*made, text[at:]])


def by_file(edits: Iterable[Edit]) -> dict[str, list[Edit]]:
    """The edits of each file."""
    found: dict[str, list[Edit]] = {}
    for edit in edits:
        found.setdefault(edit.file, []).append(edit)
    return found


def unified(before: Mapping[str, bytes], after: Mapping[str, bytes]) -> str:
    """The changes as ``diff -u`` shows them; files that did not change are left out."""
    parts: list[str] = []
    for name in sorted(after):
        old, new = before.get(name, b""), after[name]
        if old == new:
            continue
        lines = difflib.unified_diff(
            old.decode("utf-8", "replace").splitlines(keepends=True),
            new.decode("utf-8", "replace").splitlines(keepends=True),
            f"a/{name.lstrip('/')}",
            f"b/{name.lstrip('/')}",
        )
        for line in lines:
            parts.append(line if line.endswith("\n") else line + "\n\\ No newline at end of file\n")
    return "".join(parts)
