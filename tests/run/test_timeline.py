"""The critical path through a run, and whose time it was."""

from __future__ import annotations

import pytest

from stackwright.run.timeline import Span, Timeline, process_start


def timeline(*spans: tuple[str, float, float, tuple[str, ...]], end: float) -> Timeline:
    made = Timeline(begin=0.0)
    for name, begin, finish, needs in spans:
        kind, _, subject = name.partition(":")
        made.add(Span(name, kind, subject, begin, finish, needs))
    made.end = end
    return made


def test_the_critical_path_goes_back_through_the_need_that_ended_last() -> None:
    run = timeline(
        ("image:db", 0, 1, ()),
        ("network:n", 0, 0.1, ()),
        ("converge:db", 1, 1.1, ("image:db", "network:n")),
        ("start:db", 1.1, 1.2, ("converge:db",)),
        ("ready:db", 1.2, 4, ("start:db",)),
        ("converge:web", 0.1, 0.2, ("network:n",)),
        ("start:web", 4, 4.1, ("converge:web", "ready:db")),
        ("start:other", 0.2, 0.3, ("network:n",)),
        end=4.2,
    )
    assert [span.id for span in run.critical_path()] == [
        "image:db",
        "converge:db",
        "start:db",
        "ready:db",
        "start:web",
    ]
    share = run.share()
    assert (share.boot, share.images) == pytest.approx((2.8, 1.0))
    assert share.ours == pytest.approx(0.4)
    assert share.boot_percent == pytest.approx(100 * 2.8 / 4.2)


def test_a_run_without_steps_has_no_path() -> None:
    assert timeline(end=1).critical_path() == []


def test_the_process_began_a_little_while_ago() -> None:
    import os
    import time

    assert 0 < time.monotonic() - process_start(os.getpid()) < 600
