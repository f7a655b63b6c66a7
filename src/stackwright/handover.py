"""The `stackwright` command as it is started: hands its words to a fork server, passes signals on, ends as the worker ends.

Every command passes through here, so nothing slow is imported: `_socket` and `_signal` are the C halves of `socket` and
`signal`, whose Python halves (enumerations) would take a quarter of the whole hand-over; `__future__` is a file like any
other; and each folder of modules on the way is one to be listed. See `stackwright.cli.warm` for the other side.
"""

import _signal  # type: ignore[import-not-found]
import _socket
import os
import sys

from stackwright.conditions import conditions, socket_path, wanted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sys import UnraisableHookArgs

VERBS = frozenset({
    "attach", "build", "commit", "cp", "create", "down", "events", "exec", "export", "images",
    "kill", "logs", "ls", "pause", "plan", "port", "ps", "pull", "push", "restart",
    "rm", "run", "scale", "start", "stats", "stop", "top", "unpause", "up", "version",
    "volumes", "wait", "watch",
})  # fmt: skip
"""Verbs that talk to an engine; the others start as fast by themselves, or are started once by an editor."""

_MOMENT = 0.001
"""Seconds."""
ACCEPTED, DECLINED = b"y", b"n"
_PASSED_ON = ("SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM", "SIGUSR1", "SIGUSR2", "SIGWINCH")


def entry() -> None:
    """The command itself: one run, then the end of the process.

    The interpreter's tidying up at its exit takes longer than the whole work of a quick verb, and frees nothing that
    the kernel does not free. Nothing of ours waits for it: no `atexit`, no thread outlives its verb.
    """
    sys.unraisablehook = come_again
    os._exit(main(sys.argv[1:]))


def main(args: list[str]) -> int:
    """Run one command, by a warm worker if there is one, else in this process. `args` is without the program's name."""
    try:
        warm = _verb(args) in VERBS
        code = hand_over(args) if warm else None
        if code is None:
            from stackwright.cli.main import finish, run

            code = finish(run(args))
            if warm:
                from stackwright.cli.warm.leaving import leave_fork_server

                leave_fork_server()
    except (KeyboardInterrupt, RuntimeError) as error:  # while modules were still being imported
        if interrupted(error):
            return 130
        raise
    return code


def _verb(args: list[str]) -> str | None:
    """The command's name; None where click has to find it."""
    if args and not args[0].startswith("-"):
        return args[0]
    from stackwright.cli.flags import split

    found = split(args)
    return None if found is None else args[found[1]]


def interrupted(error: BaseException | None) -> bool:
    """Whether Ctrl-C is behind an error: while a class is made, Python before 3.12 says RuntimeError instead (`__set_name__`)."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__
    return error is not None


def come_again(lost: "UnraisableHookArgs") -> None:
    """A `sys.unraisablehook`: Ctrl-C comes again in a moment where Python would print it and forget it.

    That is in callbacks that nobody could catch an error of, as when the import system lets go of a module's lock.
    """
    if lost.exc_type is not KeyboardInterrupt:
        sys.__unraisablehook__(lost)
        return
    _signal.signal(_signal.SIGALRM, lambda *_: _signal.raise_signal(_signal.SIGINT))
    _signal.setitimer(_signal.ITIMER_REAL, _MOMENT)


def hand_over(args: list[str]) -> int | None:
    """Let a warm worker run `stackwright ARGS`; None: there is none, the caller has to do it itself.

    Returns the exit code. Ends this process by the signal that ended the worker, if one did.
    """
    environ = dict(os.environ)
    if not wanted(environ) or _in_background():
        return None
    same = conditions(environ)
    if same is None:
        return None
    connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    path = socket_path(environ, same)
    try:
        connection.connect(path)
    except OSError:
        return None
    signals = Signals(connection)
    try:
        _send(connection, args, environ, same, signals.ignored)
        accepted = connection.recv(1) == ACCEPTED
    except (OSError, ValueError):
        accepted = False
    if not accepted:
        signals.give_back()
        return None
    return _follow(connection)


class Signals:
    """What this process is told, it tells the worker, from the moment that there may be one."""

    def __init__(self, connection: _socket.socket) -> None:
        self._connection = connection
        self._before = {}
        self._heard: list[int] = []
        self.ignored: list[int] = []
        """Numbers of signals that whoever started this process wants ignored."""
        for name in (*_PASSED_ON, "SIGTSTP"):
            number = getattr(_signal, name)
            before = _signal.getsignal(number)
            if before == _signal.SIG_IGN:
                self.ignored.append(number)
            else:
                self._before[number] = before
                _signal.signal(number, self._stop if name == "SIGTSTP" else self._pass_on)

    def give_back(self) -> None:
        """There is no worker: as if nothing had been asked."""
        for number, before in self._before.items():
            _signal.signal(number, before)
        for number in self._heard:
            os.kill(os.getpid(), number)

    def _pass_on(self, number: int, _: object) -> None:
        self._heard.append(number)
        try:
            self._connection.sendall(bytes([number]))
        except OSError:  # the worker has ended; its code is about to be read
            return

    def _stop(self, number: int, _: object) -> None:
        """As the terminal asked: worker first, then this process, which its shell is watching."""
        self._pass_on(number, None)
        os.kill(os.getpid(), _signal.SIGSTOP)
        while (
            _in_background()
        ):  # continued by `bg`: reading from the terminal is what it would be stopped for
            os.kill(os.getpid(), _signal.SIGSTOP)
        self._pass_on(_signal.SIGCONT, None)


def _in_background() -> bool:
    """A job in the background is stopped when it reads from its terminal; a worker, not of its session, would not be."""
    try:
        return os.tcgetpgrp(0) != os.getpgrp()
    except OSError:
        return False


def _send(
    connection: _socket.socket, args: list[str], environ: dict[str, str], same: str, ignored: list[int]
) -> None:
    from marshal import dumps

    mask = os.umask(0o077)
    os.umask(mask)
    data = dumps((same, args, environ, mask, ignored))
    here = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        files = b"".join(number.to_bytes(4, sys.byteorder) for number in (0, 1, 2, here))
        rights = [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, files)]
        sent = connection.sendmsg([len(data).to_bytes(4, "big"), data], rights)
    finally:
        os.close(here)
    if sent < len(data) + 4:
        connection.sendall(data[sent - 4 :])


def ended(code: int) -> bytes:
    """How a client is told the exit code of its command, or minus the signal that ended it."""
    return code.to_bytes(4, "big", signed=True)


def _follow(connection: _socket.socket) -> int:
    answer = b""
    while len(answer) < 4:
        part = connection.recv(4 - len(answer))
        if not part:
            os.write(
                2, b"the process that carried out this command has ended with its fork server; run it again\n"
            )
            return 1
        answer += part
    code = int.from_bytes(answer, "big", signed=True)
    if code < 0:
        _signal.signal(-code, _signal.SIG_DFL) if -code != _signal.SIGKILL else None
        os.kill(os.getpid(), -code)
    return code
