"""prctl(2)."""

from __future__ import annotations

import ctypes

from .call import check, libc

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_NAME = 15
PR_CAPBSET_DROP = 24
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_CLEAR_ALL = 4


def prctl(what: str, option: int, argument: int | bytes = 0) -> None:
    """prctl(2) with one argument; the others are zero."""
    value = ctypes.c_char_p(argument) if isinstance(argument, bytes) else ctypes.c_ulong(argument)
    zero = ctypes.c_ulong(0)
    check(libc.prctl(option, value, zero, zero, zero), what)


def set_parent_death_signal(number: int) -> None:
    """Receive signal `number` when the parent ends. A change of user or capabilities clears it again."""
    prctl("set parent death signal", PR_SET_PDEATHSIG, number)


def set_name(name: str) -> None:
    """The name that `ps -o comm` shows (15 bytes)."""
    prctl("set process name", PR_SET_NAME, name.encode()[:15])


def set_no_new_privileges() -> None:
    """No set-uid program or file capability gives this process more than it has."""
    prctl("set no_new_privs", PR_SET_NO_NEW_PRIVS, 1)


def set_dumpable(dumpable: bool) -> None:
    """Whether others of the same user may look into this process (ptrace, /proc/<pid>/exe); exec sets it again."""
    prctl("set dumpable", PR_SET_DUMPABLE, int(dumpable))
