"""The monitor's event loop: epoll, timers, nothing else. Guests (resolver, proxy) register on it.

Why not asyncio: importing it costs more memory than the whole monitor may use.
"""

from __future__ import annotations

import heapq
import select
import sys
import time
from collections.abc import Callable
from contextlib import suppress

READ = select.EPOLLIN
WRITE = select.EPOLLOUT
HANGUP = select.EPOLLHUP
ERROR = select.EPOLLERR

Callback = Callable[[int], None]
"""Called with the epoll event mask that woke the descriptor up."""


class Timer:
    """A pending call; `cancel()` may be called at any time, also after it ran."""

    __slots__ = ("callback", "cancelled", "when")

    def __init__(self, when: float, callback: Callable[[], None]) -> None:
        self.when = when
        self.callback = callback
        self.cancelled = False

    def cancel(self) -> None:
        """Never run the callback."""
        self.cancelled = True

    def __lt__(self, other: Timer) -> bool:
        return self.when < other.when


class Loop:
    """Level-triggered epoll with timers; single-threaded; callbacks must not block.

    A callback that raises is reported on stderr and goes on living: one broken guest connection
    must not end the container that the monitor holds.
    """

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._callbacks: dict[int, Callback] = {}
        self._timers: list[Timer] = []
        self._stopped = False

    def register(self, fd: int, events: int, callback: Callback) -> None:
        """Call `callback(mask)` when `fd` has one of `events` (READ | WRITE); HANGUP and ERROR always count."""
        self._epoll.register(fd, events)
        self._callbacks[fd] = callback

    def modify(self, fd: int, events: int) -> None:
        """Change the events of a registered descriptor (0: only hang-ups and errors)."""
        self._epoll.modify(fd, events)

    def unregister(self, fd: int) -> None:
        """Forget `fd`; call before closing it. Harmless when it is not registered."""
        if self._callbacks.pop(fd, None) is not None:
            with suppress(OSError):  # already closed: the kernel forgot it by itself
                self._epoll.unregister(fd)

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Timer:
        """Run `callback()` once, `seconds` from now."""
        timer = Timer(time.monotonic() + seconds, callback)
        heapq.heappush(self._timers, timer)
        return timer

    def stop(self) -> None:
        """Make `run` return after the current callbacks."""
        self._stopped = True

    def run(self) -> None:
        """Serve until `stop`."""
        self._stopped = False
        while not self._stopped:
            for fd, mask in self._epoll.poll(self._timeout(), 32):
                callback = self._callbacks.get(fd)
                if callback is not None:
                    self._call(callback, mask)
            self._run_timers()

    def close(self) -> None:
        """Release the epoll descriptor."""
        self._epoll.close()
        self._callbacks.clear()
        self._timers.clear()

    def _timeout(self) -> float:
        while self._timers and self._timers[0].cancelled:
            heapq.heappop(self._timers)
        if not self._timers:
            return -1
        return max(0.0, self._timers[0].when - time.monotonic())

    def _run_timers(self) -> None:
        now = time.monotonic()
        while self._timers and self._timers[0].when <= now:
            timer = heapq.heappop(self._timers)
            if not timer.cancelled:
                self._call(timer.callback)

    def _call(self, callback: Callable[..., None], *args: int) -> None:
        try:
            callback(*args)
        except Exception:  # noqa: BLE001 - the outermost edge of the monitor, see the class
            sys.excepthook(*sys.exc_info())
