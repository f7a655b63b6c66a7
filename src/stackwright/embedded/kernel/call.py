"""The C library, and its errors as exceptions."""

from __future__ import annotations

import ctypes
import os

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long

AT_FDCWD = -100
AT_EMPTY_PATH = 0x1000
AT_RECURSIVE = 0x8000


class KernelError(OSError):
    """A failed system call; `what` says what was attempted on what ("mount tmpfs on /dev")."""

    def __init__(self, what: str, number: int) -> None:
        super().__init__(number, os.strerror(number))
        self.what = what

    def __str__(self) -> str:
        return f"{self.what}: {os.strerror(self.errno or 0).lower()}"


def check(result: int, what: str) -> int:
    """`result`, or KernelError with the thread's errno when it is -1."""
    if result == -1:
        raise KernelError(what, ctypes.get_errno())
    return result


def syscall(what: str, number: int, *args: object) -> int:
    """A system call that the C library has no function for (x86-64 and arm64 share numbers from 424 on)."""
    return check(libc.syscall(ctypes.c_long(number), *args), what)


def encode(text: str | None) -> bytes | None:
    """A path or option as the kernel takes it."""
    return None if text is None else os.fsencode(text)
