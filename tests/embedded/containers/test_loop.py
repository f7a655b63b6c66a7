"""The monitor's event loop."""

from __future__ import annotations

import os
import sys
import time

import pytest

from stackwright.embedded.containers.loop import READ, WRITE, Loop


def test_callbacks_get_what_happened_and_timers_run_in_order() -> None:
    loop, order = Loop(), []
    reading, writing = os.pipe()
    loop.register(
        reading, READ, lambda mask: order.append(f"read {mask == READ}") or loop.unregister(reading)
    )  # type: ignore[func-returns-value]
    loop.call_later(0.03, loop.stop)
    loop.call_later(0.02, lambda: order.append("second"))
    loop.call_later(0.01, lambda: order.append("first"))
    loop.call_later(0.0, lambda: order.append("never")).cancel()
    os.write(writing, b"x")
    loop.run()
    assert order == ["read True", "first", "second"]
    os.close(reading)
    os.close(writing)
    loop.close()


def test_events_can_be_changed_and_forgotten() -> None:
    loop, seen = Loop(), []
    reading, writing = os.pipe()

    def ready(mask: int) -> None:
        seen.append(mask)
        loop.unregister(writing)
        loop.unregister(writing)
        loop.call_later(0.05, loop.stop)

    loop.register(writing, 0, ready)
    loop.call_later(0.01, lambda: loop.modify(writing, WRITE))
    loop.run()
    assert seen == [WRITE]
    os.close(reading)
    os.close(writing)
    loop.close()


def test_a_failing_callback_is_reported_and_the_loop_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    loop, reported, after = Loop(), [], []
    monkeypatch.setattr(sys, "excepthook", lambda kind, error, trace: reported.append(str(error)))

    def fail() -> None:
        raise RuntimeError("broken guest")

    loop.call_later(0, fail)
    loop.call_later(0.01, lambda: after.append(1))
    loop.call_later(0.02, loop.stop)
    loop.run()
    assert (reported, after) == (["broken guest"], [1])
    loop.close()


def test_waiting_costs_no_time() -> None:
    loop = Loop()
    loop.call_later(0.2, loop.stop)
    before = time.process_time()
    loop.run()
    assert time.process_time() - before < 0.05
    loop.close()
