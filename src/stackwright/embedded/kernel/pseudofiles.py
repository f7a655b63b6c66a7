"""Reading and writing the small files of /proc and /sys/fs/cgroup, without the weight of file objects."""

from __future__ import annotations

import os

from stackwright.embedded.kernel.call import KernelError


def read(path: str) -> str:
    """The file's text. OSError as os.open raises it."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        chunks = []
        while chunk := os.read(fd, 65536):
            chunks.append(chunk)
        return b"".join(chunks).decode(errors="replace")
    finally:
        os.close(fd)


def read_or(path: str, default: str = "") -> str:
    """The file's text, or `default` when it cannot be read."""
    try:
        return read(path)
    except OSError:
        return default


def number(path: str, default: int = 0) -> int:
    """The file's number; `default` for "max" and for a file that is missing."""
    text = read_or(path).strip()
    try:
        return int(text)
    except ValueError:
        return default


def write(path: str, value: str | int) -> None:
    """Write in one call, as cgroup files want it. Raises KernelError naming file and value."""
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(fd, str(value).encode())
        finally:
            os.close(fd)
    except OSError as error:
        raise KernelError(f"write {value} to {path}", error.errno or 0) from None


def pairs(path: str) -> dict[str, int]:
    """A flat keyed file ("name number" a line); empty when it is missing."""
    found: dict[str, int] = {}
    for line in read_or(path).splitlines():
        key, _, value = line.partition(" ")
        if value.strip().isdigit():
            found[key] = int(value)
    return found
