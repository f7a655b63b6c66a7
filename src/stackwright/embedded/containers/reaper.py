"""`init: true`: a PID 1 that forwards signals to the one child and reaps every orphan (what tini does)."""

from __future__ import annotations

import os
import signal
from contextlib import suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _socket
    from collections.abc import Callable
    from typing import NoReturn

_IGNORED_WHILE_SETTING_TERMINAL = (signal.SIGTTOU, signal.SIGTTIN)
_NOT_FORWARDED = frozenset((signal.SIGCHLD, signal.SIGTTOU, signal.SIGTTIN))
_SYNCHRONOUS = (signal.SIGFPE, signal.SIGILL, signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGTRAP)


def run(execute: Callable[[], None], channel: _socket.socket) -> NoReturn:
    """Fork, `execute` in the child, and end as the child ends. `channel` is closed here once the child has it."""
    watched = set(signal.valid_signals()) - set(_SYNCHRONOUS)
    signal.pthread_sigmask(signal.SIG_SETMASK, watched)
    child = os.fork()
    if child == 0:
        _lead_foreground_group()
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        execute()
        os._exit(255)
    channel.close()
    while True:
        number = signal.sigwait(watched)
        if number == signal.SIGCHLD:
            _reap(child)
        elif number not in _NOT_FORWARDED:
            with suppress(ProcessLookupError):
                os.kill(child, number)


def _lead_foreground_group() -> None:
    """A group of its own, in the foreground of the terminal if there is one, so that Ctrl-C reaches it."""
    os.setpgid(0, 0)
    for number in _IGNORED_WHILE_SETTING_TERMINAL:
        signal.signal(number, signal.SIG_IGN)
    with suppress(OSError):
        os.tcsetpgrp(0, os.getpgrp())
    for number in _IGNORED_WHILE_SETTING_TERMINAL:
        signal.signal(number, signal.SIG_DFL)


def _reap(child: int) -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        if pid == child:
            code = os.waitstatus_to_exitcode(status)
            os._exit(code if code >= 0 else 128 - code)
