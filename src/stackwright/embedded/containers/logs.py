"""Reads what a monitor logged: Docker's json-file format, over rotated files, with follow."""

from __future__ import annotations

import asyncio
import calendar
import functools
import os
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, NamedTuple

import msgspec

from . import state
from .jsonlog import NAME
from .tail import Watch

_BLOCK = 64 * 1024
_PAUSE_EVERY = 512
"""Lines after which a long read lets others run."""


class LogLine(NamedTuple):
    """One record. `time_ns` since the epoch; `data` ends with a newline unless the line was a partial one."""

    stream: str
    time_ns: int
    data: bytes


class _Record(msgspec.Struct):
    log: str
    stream: str
    time: str


_decoder = msgspec.json.Decoder(_Record)


async def read_log(
    directory: Path | str,
    *,
    since: int = 0,
    until: int = 0,
    tail: int | None = None,
    follow: bool = False,
) -> AsyncIterator[LogLine]:
    """Lines of the container at `directory`, oldest first.

    `since`/`until` in ns since the epoch (0: open), `tail` the last n of those. With `follow` it ends
    when the container has ended and all was read (exit.json is there), or `until` has passed.
    """
    reader = _Reader(str(directory), since, until)
    try:
        with Watch(str(directory)) as watch:
            lines = reader.last(tail) if tail is not None else reader.lines()
            for number, line in enumerate(lines, 1):
                yield line
                if number % _PAUSE_EVERY == 0:
                    await asyncio.sleep(0)
            while follow and not reader.past_end:
                ended = reader.container_ended()
                for line in reader.lines():
                    yield line
                if ended:
                    return
                await watch.changed(reader.time_left())
                if reader.time_left() == 0:
                    return
    finally:
        reader.close()


class _Reader:
    """Reads on where it stopped; follows the file through its rotations by keeping it open."""

    def __init__(self, directory: str, since: int, until: int) -> None:
        self._directory = directory
        self._since = since
        self._until = until
        self._file: BinaryIO | None = None
        self._rest = b""
        self._older = _rotated(directory)
        self.past_end = False

    def container_ended(self) -> bool:
        """Whether everything that will be logged is logged already. Ask before reading."""
        return os.path.exists(f"{self._directory}/{state.EXIT}") or not os.path.isdir(self._directory)

    def time_left(self) -> float | None:
        """Seconds to `until`; None without one."""
        if not self._until:
            return None
        return max(0.0, (self._until - time.time_ns()) / 1e9)

    def lines(self) -> Iterator[LogLine]:
        """What is there and was not yet read."""
        for path in self._older:
            yield from self._of(path)
        self._older = []
        while True:
            if self._file is None and not self._open(f"{self._directory}/{NAME}"):
                return
            assert self._file is not None
            # Asked before reading: were it asked after, lines written between the two would be lost.
            following = self._following()
            yield from self._wanted(self._complete_lines())
            if self.past_end or following is None:
                return
            self._file.close()
            self._file, self._rest = None, b""
            self._open(following)

    def last(self, count: int) -> Iterator[LogLine]:
        """The last `count` wanted lines there are; reading goes on after them."""
        found: list[LogLine] = []
        if count > 0 and not self._since and not self._until:
            self._skip_to_last(count)
        for line in self.lines():
            found.append(line)
            if len(found) > max(count, 0):
                del found[0]
        yield from found

    def close(self) -> None:
        """Release the file."""
        if self._file is not None:
            self._file.close()

    def _skip_to_last(self, count: int) -> None:
        """Start reading `count` lines before the end, if the current file has that many."""
        if not self._open(f"{self._directory}/{NAME}"):
            return
        assert self._file is not None
        position, newlines = self._file.seek(0, os.SEEK_END), 0
        while position > 0:
            size = min(_BLOCK, position)
            position -= size
            self._file.seek(position)
            block = self._file.read(size)
            at = len(block)
            while (at := block.rfind(b"\n", 0, at)) >= 0:
                newlines += 1
                if newlines > count:
                    self._file.seek(position + at + 1)
                    self._older = []
                    return
        self._file.seek(0)

    def _open(self, path: str) -> bool:
        try:
            self._file = open(path, "rb")  # noqa: SIM115 - kept open, see close
        except FileNotFoundError:
            return False
        return True

    def _following(self) -> str | None:
        """The file to read after the open one; None while that is the current one."""
        assert self._file is not None
        mine = os.fstat(self._file.fileno())
        newer = f"{self._directory}/{NAME}"
        if not os.path.exists(newer) or os.path.samestat(os.stat(newer), mine):
            return None
        rotated = _rotated(self._directory)
        for path in reversed(rotated):
            with suppress(FileNotFoundError):
                if os.path.samestat(os.stat(path), mine):
                    return newer
            newer = path
        return newer  # ours was deleted: the oldest there is

    def _complete_lines(self) -> Iterator[bytes]:
        assert self._file is not None
        while block := self._file.read(_BLOCK):
            *lines, self._rest = (self._rest + block).split(b"\n")
            yield from lines

    def _of(self, path: str) -> Iterator[LogLine]:
        with suppress(FileNotFoundError), open(path, "rb") as file:
            yield from self._wanted(file)

    def _wanted(self, lines: Iterator[bytes] | BinaryIO) -> Iterator[LogLine]:
        for raw in lines:
            if self.past_end:
                return
            try:
                record = _decoder.decode(raw)
                moment = parse_time(record.time)
            except (msgspec.DecodeError, ValueError):
                continue  # half a record, of a monitor killed while writing
            if self._since and moment < self._since:
                continue
            if self._until and moment > self._until:
                self.past_end = True
                return
            yield LogLine(record.stream, moment, record.log.encode())


def parse_time(text: str) -> int:
    """ "2024-01-01T00:00:00.123456789Z" as ns since the epoch."""
    seconds, _, fraction = text.rstrip("Z").partition(".")
    return _seconds(seconds) * 10**9 + int(fraction.ljust(9, "0")[:9] or 0)


@functools.lru_cache(maxsize=64)
def _seconds(text: str) -> int:
    return calendar.timegm(time.strptime(text, "%Y-%m-%dT%H:%M:%S"))


def _rotated(directory: str) -> list[str]:
    """Older files, oldest first."""
    found = []
    with suppress(FileNotFoundError):
        for entry in os.listdir(directory):
            base, _, number = entry.rpartition(".")
            if base == NAME and number.isdigit():
                found.append((int(number), f"{directory}/{entry}"))
    return [path for _, path in sorted(found, reverse=True)]
