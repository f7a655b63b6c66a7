"""The files of one load, kept so that a mark can be turned into a place and an excerpt."""

from __future__ import annotations

import os
import stat
import sys
from time import monotonic

from stackwright.model.errors import Problem
from stackwright.model.marks import NOWHERE, Origin, place_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from stackwright.model.marks import Mark

MAX_BYTES = 8 * 1024 * 1024
"""About five thousand full services; a larger file is a mistake (an image archive, a dump)."""

_FIFO_PATIENCE = 2.0
"""Seconds to wait for the first byte from a pipe's writer."""


class UnreadableError(Exception):
    """A file cannot be read; ``str()`` says why."""


class NotFetchedError(UnreadableError):
    """A file lives in a repository or a registry, and this load does not fetch."""


class Sources:
    """Every file read so far. Numbers start at 1, so that 0 can mean "no file"."""

    def __init__(self) -> None:
        self.names: list[str] = [""]
        self.texts: list[bytes] = [b""]

    def add(self, name: str, text: bytes) -> int:
        """Remember a file; returns its number for ``mark_of``."""
        self.names.append(name)
        self.texts.append(text)
        return len(self.names) - 1

    def describe(self, mark: Mark) -> str:
        """``file:line:col`` for a person."""
        number, line, column = place_of(mark)
        return f"{self.names[number]}:{line}:{column}" if number else "default"

    def chain(self, mark: Mark) -> tuple[str, ...]:
        """The detours of a value, as texts, oldest first."""
        if type(mark) is not Origin:
            return ()
        return tuple(
            f"{what} at {self.describe(place)}" if place != NOWHERE else what for what, place in mark.via
        )

    def line(self, number: int, line: int) -> str:
        """The text of one line (from 1), without its end."""
        return line_of(self.texts[number], line)

    def problem(
        self, code: str, message: str, mark: Mark = NOWHERE, path: str = "", suggestion: str = ""
    ) -> Problem:
        """A problem at a mark, with its excerpt."""
        number, line, column = place_of(mark)
        return Problem(
            code,
            message,
            file=self.names[number],
            line=line,
            column=column,
            path=path,
            suggestion=suggestion,
            chain=self.chain(mark),
            excerpt=self.line(number, line) if number else "",
        )


class Reporter:
    """Collects problems and warnings; the first problem at a place wins, the rest are its consequences."""

    def __init__(self, sources: Sources) -> None:
        self.sources = sources
        self.problems: list[Problem] = []
        self.warnings: list[str] = []
        self.incomplete = False
        """True when a file could not be read whole, so that what is missing may be in it."""
        self._seen: set[tuple[object, ...]] = set()

    def error(
        self,
        code: str,
        message: str,
        mark: Mark = NOWHERE,
        path: str = "",
        *,
        near: str = "",
        among: Iterable[str] = (),
        hint: str = "",
    ) -> None:
        """Report a mistake. ``near`` is looked for among ``among`` to suggest what may have been meant."""
        suggestion = hint
        if not hint and near:
            from stackwright.model.nearest import nearest

            guess = nearest(near, among)
            suggestion = f'did you mean "{guess}"?' if guess else ""
        problem = self.sources.problem(code, message, mark, path, suggestion)
        place = (problem.file, problem.line, problem.column)
        key = place if problem.line else (code, message)
        if key not in self._seen:
            self._seen.add(key)
            self.problems.append(problem)

    def warn(self, message: str) -> None:
        """Say something once that does not stop the load."""
        if message not in self.warnings:
            self.warnings.append(message)


def line_of(text: bytes, line: int) -> str:
    """One line (from 1) of a file's text, counted as YAML does: CR, NEL, LS and PS end lines too."""
    coding = "utf-16" if text[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8"
    whole = text.decode(coding, "replace").removeprefix("\ufeff").replace("\r\n", "\n")
    for end in "\r\x85\u2028\u2029":
        whole = whole.replace(end, "\n")
    lines = whole.split("\n", line)
    return lines[line - 1] if line <= len(lines) else ""


_REMOTE = ("oci://", "https://", "http://", "git://", "ssh://", "git@", "github.com/")


def is_remote(path: str) -> bool:
    """Whether a path names a git repository, an OCI artifact or a web page rather than a local file."""
    return path.startswith(_REMOTE)


def read_bytes(path: str) -> bytes:
    """The content of a regular file, a pipe or ``-`` (standard input).

    Raises:
        UnreadableError: missing, a directory, not readable, too large, or a pipe that stays silent.
    """
    if path == "-":
        data = sys.stdin.buffer.read(MAX_BYTES + 1)
        return _bounded(data, "standard input")
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise UnreadableError(f"cannot read {path}: {(error.strerror or str(error)).lower()}") from error
    try:
        status = os.fstat(descriptor)
        if stat.S_ISDIR(status.st_mode):
            raise UnreadableError(f"{path} is a directory, not a file")
        if stat.S_ISREG(status.st_mode):
            if status.st_size > MAX_BYTES:
                raise UnreadableError(_too_large(path, status.st_size))
            return _bounded(_read_all(descriptor), path)
        return _bounded(_read_pipe(descriptor, path), path)
    except OSError as error:
        raise UnreadableError(f"cannot read {path}: {(error.strerror or str(error)).lower()}") from error
    finally:
        os.close(descriptor)


def _read_all(descriptor: int) -> bytes:
    parts = []
    size = 0
    while size <= MAX_BYTES and (part := os.read(descriptor, 1 << 20)):
        parts.append(part)
        size += len(part)
    return b"".join(parts)


def _read_pipe(descriptor: int, path: str) -> bytes:
    """Read a pipe or device without hanging on one that nobody writes to."""
    import select

    parts: list[bytes] = []
    size = 0
    deadline = monotonic() + _FIFO_PATIENCE
    poll = select.poll()
    poll.register(descriptor, select.POLLIN | select.POLLHUP)
    while size <= MAX_BYTES:
        try:
            part = os.read(descriptor, 1 << 16)
        except BlockingIOError:
            if monotonic() > deadline:
                raise UnreadableError(f"{path} is a pipe that nothing was written to") from None
            poll.poll(100)
            continue
        if not part:
            break
        deadline = monotonic() + _FIFO_PATIENCE
        parts.append(part)
        size += len(part)
    return b"".join(parts)


def _bounded(data: bytes, name: str) -> bytes:
    if len(data) > MAX_BYTES:
        raise UnreadableError(_too_large(name, len(data)))
    return data


def _too_large(name: str, size: int) -> str:
    return (
        f"{name} is too large for a Compose file ({size // (1024 * 1024)} MiB; "
        f"at most {MAX_BYTES // (1024 * 1024)} MiB)"
    )
