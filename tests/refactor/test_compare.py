"""Differences between models, by place."""

from __future__ import annotations

from stackwright.refactor.compare import Change, differences, within


def paths(before: object, after: object) -> list[tuple[str, str]]:
    return [(change.dotted, change.kind) for change in differences(before, after)]


def test_equal_data_has_no_differences() -> None:
    assert paths({"a": [1, {"b": 2}]}, {"a": [1, {"b": 2}]}) == []


def test_entries_are_named_by_their_path() -> None:
    assert paths({"a": {"b": 1, "c": 2}}, {"a": {"b": 3, "d": 4}}) == [
        ("a.b", "changed"),
        ("a.c", "removed"),
        ("a.d", "added"),
    ]


def test_ports_and_mounts_are_paired_by_what_they_are_for() -> None:
    before = {"ports": [{"target": 80, "published": "80", "protocol": "tcp"}]}
    after = {
        "ports": [
            {"target": 80, "published": "81", "protocol": "tcp"},
            {"target": 443, "published": "443", "protocol": "tcp"},
        ]
    }
    assert paths(before, after) == [("ports.0", "changed"), ("ports.1", "added")]


def test_the_order_of_a_command_matters() -> None:
    assert paths({"command": ["a", "b"]}, {"command": ["b", "a"]}) == [("command", "changed")]


def test_within_means_at_or_below() -> None:
    change = Change(("services", "web", "image"), "changed")
    assert within(change, ("services.web",))
    assert not within(change, ("services.we",))
