"""Reading subordinate ids, and laying them out in a user namespace."""

from __future__ import annotations

from stackwright.embedded.rootless.idmap import WANTED, extents, ranges


def test_lines_of_a_user_are_found_by_name_and_by_number() -> None:
    text = "other:1:2\nme:100000:65536\n# me:5:5\n1000:300000:10\nme:bad:1\nme:1\n"
    assert ranges(text, ["1000", "me"]) == [(100000, 65536), (300000, 10)]


def test_root_is_the_user_and_the_others_follow() -> None:
    assert extents(1000, [(100000, 65536)]) == [(0, 1000, 1), (1, 100000, 65536)]


def test_several_ranges_are_laid_end_to_end_and_cut() -> None:
    assert extents(7, [(100, 10), (1000, 5), (5000, WANTED)]) == [
        (0, 7, 1), (1, 100, 10), (11, 1000, 5), (16, 5000, WANTED - 15),
    ]  # fmt: skip


def test_without_ranges_there_is_one_id() -> None:
    assert extents(1000, []) == [(0, 1000, 1)]
