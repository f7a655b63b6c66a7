"""Edits of texts: spans are found by indentation, nothing else is touched."""

from __future__ import annotations

import pytest

from stackwright.refactor.edits import Edit, OverlappingEditsError, apply, unified
from stackwright.refactor.spans import entry_span, item_span, remove, scalar_span

TEXT = b"""# head
version: '3'  # old

services:
  web:
    image: a:1   # pinned
    ports:
    - 22:22
    - "80:80"
    # belongs to what follows
    labels: {a: b, c: 'd # e'}
  db:
    image: "b:1"
"""


def cut(span: tuple[int, int] | None) -> bytes:
    assert span is not None
    return TEXT[slice(*span)]


def test_entry_is_its_lines_and_what_is_below_it() -> None:
    assert cut(entry_span(TEXT, 2, 1)) == b"version: '3'  # old\n"
    assert cut(entry_span(TEXT, 7, 5)) == b'    ports:\n    - 22:22\n    - "80:80"\n'
    assert cut(entry_span(TEXT, 5, 3)).startswith(b"  web:\n")
    assert cut(entry_span(TEXT, 5, 3)).endswith(b"'d # e'}\n")


def test_flow_style_has_no_entry_span() -> None:
    assert entry_span(TEXT, 11, 14) is None


def test_item_and_scalar_spans() -> None:
    assert cut(item_span(TEXT, 8, 7)) == b"    - 22:22\n"
    assert cut(scalar_span(TEXT, 8, 7)) == b"22:22"
    assert cut(scalar_span(TEXT, 6, 12)) == b"a:1"
    assert cut(scalar_span(TEXT, 13, 12)) == b'"b:1"'
    assert cut(scalar_span(TEXT, 11, 17)) == b"b"
    assert cut(scalar_span(TEXT, 11, 23)) == b"'d # e'"


def test_scalar_span_counts_characters_not_bytes() -> None:
    text = "a: {ä: ö, b: c}\n".encode()
    span = scalar_span(text, 1, 14)
    assert span is not None
    assert text[slice(*span)] == b"c"


def test_block_scalars_and_aliases_have_no_span() -> None:
    assert scalar_span(b"a: |\n  x\n", 1, 4) is None
    assert scalar_span(b"a: *b\n", 1, 4) is None


def test_removing_a_line_leaves_no_blank_line_at_the_top() -> None:
    text = b"version: '3'\n\nservices:\n"
    span = entry_span(text, 1, 1)
    assert span is not None
    assert apply(text, [remove("f", text, span)]) == b"services:\n"


def test_equal_edits_count_once_and_overlapping_ones_are_refused() -> None:
    edit = Edit("f", 0, 2, "x")
    assert apply(b"abc", [edit, edit]) == b"xc"
    with pytest.raises(OverlappingEditsError):
        apply(b"abc", [edit, Edit("f", 1, 3, "y")])


def test_unified_diff_says_when_the_last_line_has_no_end() -> None:
    shown = unified({"f": b"a\nb"}, {"f": b"a\nc"})
    assert shown.endswith("-b\n\\ No newline at end of file\n+c\n\\ No newline at end of file\n")
