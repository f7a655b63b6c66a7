"""seccomp(2): a small assembler for filters, and loading one."""

from __future__ import annotations

import ctypes
import struct

from .call import check, libc

KILL_PROCESS = 0x80000000
KILL_THREAD = 0
TRAP = 0x00030000
_ERRNO = 0x00050000
_TRACE = 0x7FF00000
LOG = 0x7FFC0000
ALLOW = 0x7FFF0000
MAX_LENGTH = 4096
"""Instructions in one program (BPF_MAXINSNS)."""

ARCH_X86_64 = 0xC000003E
ARCH_I386 = 0x40000003
ARCH_AARCH64 = 0xC00000B7

NUMBER = 0
ARCH = 4

_LOAD, _AND, _RETURN, _GO = 0x20, 0x54, 0x06, 0x05
_JUMPS = {"==": 0x15, ">": 0x25, ">=": 0x35}
_INSTRUCTION = struct.Struct("<HBBI")
_PR_SET_SECCOMP, _MODE_FILTER = 22, 2


def fail_with(number: int) -> int:
    """The return value that makes the call fail with errno `number`."""
    return _ERRNO | number


def trace_with(number: int) -> int:
    """The return value that stops the process for its tracer, or fails with ENOSYS when it has none."""
    return _TRACE | number


def argument(index: int) -> int:
    """Offset of the low half of the call's argument; the high half follows (little endian)."""
    return 16 + 8 * index


class Filter:
    """Assembles a program: loads, masks, jumps forward to labels, returns."""

    def __init__(self) -> None:
        self._code: list[tuple[int, str, str, int]] = []
        self._labels: dict[str, int] = {}

    def load(self, offset: int) -> None:
        """Accumulator = the 32-bit word of seccomp_data at `offset`."""
        self._code.append((_LOAD, "", "", offset))

    def mask(self, bits: int) -> None:
        """Accumulator &= `bits`."""
        self._code.append((_AND, "", "", bits))

    def jump(self, comparison: str, value: int, then: str = "", otherwise: str = "") -> None:
        """Compare the accumulator ("==", ">", ">="); "" goes on with the next instruction."""
        self._code.append((_JUMPS[comparison], then, otherwise, value))

    def label(self, name: str) -> None:
        """Jumps to `name` arrive here; every use comes before."""
        self._labels[name] = len(self._code)

    def go(self, name: str) -> None:
        """Go on at a label, however far."""
        self._code.append((_GO, name, "", 0))

    def give(self, action: int) -> None:
        """Return `action`."""
        self._code.append((_RETURN, "", "", action))

    def assemble(self) -> bytes:
        """The program as the kernel wants it. ValueError for a jump of more than 255 instructions."""
        program = b""
        for position, (code, then, otherwise, value) in enumerate(self._code):
            if code == _GO:
                program += _INSTRUCTION.pack(_GO, 0, 0, self._labels[then] - position - 1)
                continue
            jumps = [self._labels[name] - position - 1 if name else 0 for name in (then, otherwise)]
            if not all(0 <= jump <= 255 for jump in jumps):
                raise ValueError(f"jump out of range at instruction {position}")
            program += _INSTRUCTION.pack(code, *jumps, value)
        return program


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("code", ctypes.c_char_p)]


def install(program: bytes) -> None:
    """Filter this process's calls from here on, and those of what it becomes.

    Needs CAP_SYS_ADMIN or no_new_privs.
    """
    wanted = _Program(len(program) // _INSTRUCTION.size, program)
    zero = ctypes.c_ulong(0)
    check(
        libc.prctl(_PR_SET_SECCOMP, ctypes.c_ulong(_MODE_FILTER), ctypes.byref(wanted), zero, zero),
        "install system call filter",
    )
