"""How busy an engine is with stops: one that is still ending others is no sign of a container that hears nothing."""

from __future__ import annotations

import time

from msgspec import Struct

SHARE = 0.02
"""Seconds that each stop under way may take of the engine before any of them is remarkable."""


class Pace(Struct):
    """The stops of one command."""

    under_way: int = 0
    last_end: float = 0.0
    """When a container stopped last, on the monotonic clock."""

    def begin(self) -> None:
        """One more is asked for."""
        self.under_way += 1

    def end(self) -> None:
        """One has stopped, or could not be."""
        self.under_way -= 1
        self.last_end = time.monotonic()

    def silence_missing(self, begun: float, silence: float) -> float:
        """Seconds until nothing has ended for `silence` and a share for each stop under way, counted from `begun` at the earliest.

        >>> pace = Pace(under_way=5, last_end=9.0)
        >>> round(pace.silence_missing(10.0, 1.0) + time.monotonic(), 3)
        11.1
        """
        return max(begun, self.last_end) + silence + SHARE * self.under_way - time.monotonic()
