"""Writes Docker's json-file log format (one JSON record a line), with rotation. Lives in the monitor."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from json.encoder import encode_basestring

PARTIAL = 16 * 1024
"""A line longer than this is written in pieces; only the last one ends with a newline."""

NAME = "json.log"


def log_path(directory: str) -> str:
    """The current log file of the container at `directory`; rotated ones end in .1 (newest), .2..."""
    return f"{directory}/{NAME}"


class JsonLog:
    """Appends records. A full disk loses lines, never the container, and never leaves half a record."""

    __slots__ = ("_fd", "_max_file", "_max_size", "_partial", "_path", "_second", "_size", "_stamp")

    def __init__(self, directory: str, max_size: int, max_file: int) -> None:
        self._path = log_path(directory)
        self._max_size = max_size
        self._max_file = max(1, max_file)
        self._partial: dict[str, bytes] = {}
        self._second = -1
        self._stamp = ""
        self._open()

    def write(self, stream: str, data: bytes) -> None:
        """Log what was read from `stream` ("stdout" or "stderr"); an unfinished line waits for its end."""
        data = self._partial.pop(stream, b"") + data
        *lines, rest = data.split(b"\n")
        tail = self._tail(stream)
        records = []
        for line in lines:
            while len(line) > PARTIAL:
                records.append(_record(line[:PARTIAL], False, tail))
                line = line[PARTIAL:]
            records.append(_record(line, True, tail))
        while len(rest) >= PARTIAL:
            records.append(_record(rest[:PARTIAL], False, tail))
            rest = rest[PARTIAL:]
        if rest:
            self._partial[stream] = rest
        self._append(records)

    def close(self) -> None:
        """Write unfinished lines, as unfinished as they are, and close the file."""
        for stream, rest in self._partial.items():
            self._append([_record(rest, False, self._tail(stream))])
        os.close(self._fd)

    def _tail(self, stream: str) -> bytes:
        return b'","stream":"' + stream.encode() + b'","time":"' + self._now() + b'"}\n'

    def _append(self, records: list[bytes]) -> None:
        if not self._max_size:
            self._put(b"".join(records))
            return
        batch: list[bytes] = []
        size = 0
        for record in records:
            if self._size + size and self._size + size + len(record) > self._max_size:
                self._put(b"".join(batch))
                batch, size = [], 0
                self._rotate()
            batch.append(record)
            size += len(record)
        self._put(b"".join(batch))

    def _put(self, data: bytes) -> None:
        if not data:
            return
        done = 0
        try:
            while done < len(data):
                done += os.write(self._fd, data[done:])
        except OSError:
            # Keep whole records only: what follows must stay readable when there is room again.
            done = data.rfind(b"\n", 0, done) + 1
            with suppress(OSError):
                os.ftruncate(self._fd, self._size + done)
        self._size += done

    def _rotate(self) -> None:
        os.close(self._fd)
        with suppress(OSError):
            for number in range(self._max_file - 1, 1, -1):
                with suppress(FileNotFoundError):
                    os.rename(f"{self._path}.{number - 1}", f"{self._path}.{number}")
            if self._max_file > 1:
                os.rename(self._path, f"{self._path}.1")
            else:
                os.unlink(self._path)
        self._open()

    def _open(self) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        self._fd = os.open(self._path, flags, 0o640)
        self._size = os.fstat(self._fd).st_size

    def _now(self) -> bytes:
        nanoseconds = time.time_ns()
        second, fraction = divmod(nanoseconds, 1_000_000_000)
        if second != self._second:
            self._second = second
            self._stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        return f"{self._stamp}.{fraction:09d}Z".encode()


def _record(line: bytes, whole: bool, tail: bytes) -> bytes:
    text = encode_basestring(line.decode("utf-8", "replace"))[1:-1]
    return b'{"log":"' + text.encode() + (b"\\n" if whole else b"") + tail
