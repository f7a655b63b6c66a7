"""Many services: looking at them is one question, ending them takes as long as the slowest of each level."""

from __future__ import annotations

import time

from tests.cli.conftest import Box

STUBBORN = """["sh", "-c", "trap 'sleep 1; exit 0' TERM; sleep 1000 & wait"]"""


def test_listing_a_hundred_services_is_quick(box: Box) -> None:
    box.write("services:\n" + "".join(f"  s{number}: {{image: $IMAGE}}\n" for number in range(100)))
    box.ok("create")
    begun = time.monotonic()
    shown = box.ok("ps", "-a", "-q")
    assert time.monotonic() - begun < 3  # 0.2 s for 500 on a quiet machine: bench/ps.py
    assert len(shown.split()) == 100


def test_down_takes_as_long_as_the_slowest_service_of_each_level(box: Box) -> None:
    text = "services:\n"
    for number in range(6):
        text += f"  s{number}:\n    image: $IMAGE\n    command: {STUBBORN}\n"
        text += "    depends_on: [s0]\n" if number else ""
    box.write(text)
    box.ok("up", "-d", "--wait")
    begun = time.monotonic()
    box.ok("down")
    took = time.monotonic() - begun
    assert took < 5.5, took  # two levels of 1 s; one after the other it would be more than 6 s
