"""The build's messages in the order of the Dockerfile, although stages run side by side."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Emit = Callable[[dict[str, Any]], None]


class OrderedOutput:
    """One channel a stage: the first unfinished one goes straight through, the others wait for their turn."""

    def __init__(self, emit: Emit, channels: int) -> None:
        self._emit = emit
        self._waiting: list[list[dict[str, Any]]] = [[] for _ in range(channels)]
        self._finished = [False] * channels
        self._turn = 0

    def channel(self, number: int) -> Emit:
        """Where stage ``number`` (from 0) writes to."""
        return lambda message: self._put(number, message)

    def finish(self, number: int) -> None:
        """Stage ``number`` has nothing more to say."""
        self._finished[number] = True
        while self._turn < len(self._finished) and self._finished[self._turn]:
            self._turn += 1
            if self._turn < len(self._waiting):
                self._flush(self._turn)

    def flush(self, number: int) -> None:
        """Show what a stage wrote although it is not its turn: it failed, and that is what matters now."""
        self._flush(number)

    def _put(self, number: int, message: dict[str, Any]) -> None:
        if number == self._turn:
            self._emit(message)
        else:
            self._waiting[number].append(message)

    def _flush(self, number: int) -> None:
        for message in self._waiting[number]:
            self._emit(message)
        self._waiting[number].clear()


def text(emit: Emit, message: str) -> None:
    """One piece of the build's text."""
    emit({"stream": message})
