"""Tells followers of a log when there may be more of it: one inotify instance per event loop, shared by all."""

from __future__ import annotations

import asyncio
import os
import weakref
from contextlib import suppress

from stackwright.embedded.kernel import inotify
from stackwright.embedded.kernel.call import KernelError

_EVENTS = (
    inotify.IN_MODIFY | inotify.IN_CREATE | inotify.IN_MOVED_TO | inotify.IN_DELETE | inotify.IN_DELETE_SELF
)
POLL = 0.5
"""Seconds between looks where inotify is not to be had (its watches are a limited resource of the host)."""


class Watch:
    """Use as a context manager; `changed()` returns after something happened in the directory since the last call."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._event = asyncio.Event()
        self._hub: _Hub | None = None

    def __enter__(self) -> Watch:
        with suppress(KernelError):
            hub = _hub()
            hub.add(self._directory, self._event)
            self._hub = hub
        return self

    def __exit__(self, *args: object) -> None:
        if self._hub is not None:
            self._hub.discard(self._directory, self._event)

    async def changed(self, timeout: float | None = None) -> None:
        """Wait for a change, at most `timeout` seconds."""
        if self._hub is None:
            await asyncio.sleep(POLL if timeout is None else min(POLL, timeout))
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self._event.wait()
        self._event.clear()


class _Hub:
    """One inotify descriptor; closed with the last watch."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._fd = -1
        self._watches: dict[str, tuple[int, set[asyncio.Event]]] = {}

    def add(self, directory: str, event: asyncio.Event) -> None:
        if self._fd < 0:
            self._fd = inotify.init()
            self._loop.add_reader(self._fd, self._ready)
        if directory not in self._watches:
            try:
                self._watches[directory] = inotify.add_watch(self._fd, directory, _EVENTS), set()
            except KernelError:
                self._close_if_unused()
                raise
        self._watches[directory][1].add(event)

    def discard(self, directory: str, event: asyncio.Event) -> None:
        watch, events = self._watches.get(directory, (-1, set()))
        events.discard(event)
        if not events and watch >= 0:
            del self._watches[directory]
            with suppress(KernelError):
                inotify.remove_watch(self._fd, watch)
        self._close_if_unused()

    def _close_if_unused(self) -> None:
        if not self._watches and self._fd >= 0:
            self._loop.remove_reader(self._fd)
            os.close(self._fd)
            self._fd = -1

    def _ready(self) -> None:
        touched = inotify.read(self._fd)
        everything = any(mask & inotify.IN_Q_OVERFLOW for _, mask in touched)
        numbers = {watch for watch, _ in touched}
        for watch, events in self._watches.values():
            if everything or watch in numbers:
                for event in events:
                    event.set()


_hubs: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _Hub] = weakref.WeakKeyDictionary()


def _hub() -> _Hub:
    loop = asyncio.get_running_loop()
    if loop not in _hubs:
        _hubs[loop] = _Hub(loop)
    return _hubs[loop]
