"""An exec session: one process started in a running container, and the process (this one) that serves its streams.

Forked by the starter like a monitor, and as independent: when the engine goes, the program runs on
and its output is thrown away, as with Docker.
"""

from __future__ import annotations

import _socket
import os
import signal
import sys
from contextlib import suppress

from stackwright.embedded.kernel import namespaces as ns
from stackwright.embedded.kernel import prctl, terminal
from stackwright.embedded.kernel.call import KernelError
from stackwright.embedded.kernel.cgroups import Cgroup, cgroup
from stackwright.embedded.kernel.process import start_ticks

from . import init, messages, process, reaper, state, wire
from .loop import READ, Loop
from .monitor import StartFailed, close_all_but, close_all_when_sent, show_as
from .streams import Client, Streams

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

_JOINED = ns.CLONE_NEWNS | ns.CLONE_NEWIPC | ns.CLONE_NEWUTS | ns.CLONE_NEWNET | ns.CLONE_NEWCGROUP


def run(channel_fd: int) -> NoReturn:
    """Entry point in the forked process; `channel_fd` leads to the engine."""
    show_as("sw-exec", "stackwright-exec")
    channel = _socket.socket(fileno=channel_fd)
    code = 1
    try:
        request = wire.receive_message(channel)
        if request is not None and request.op == messages.EXEC:
            state.redirect_errors(request.directory)
            Session(request, channel).run()
            code = 0
    except BaseException:  # noqa: BLE001 - the outermost edge of this process
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(code)


class Session:
    """Starts the program and serves until it has ended."""

    def __init__(self, request: Any, channel: _socket.socket) -> None:
        self.request = request
        self.channel = channel
        self.loop = Loop()
        self.streams = Streams(self.loop, None)
        self.pid = 0
        self.pidfd = -1
        self.terminal = -1
        self.client: Client | None = None

    def run(self) -> None:
        """Start and serve; a failed start is reported."""
        try:
            self._start()
        except (StartFailed, KernelError, OSError, ValueError) as error:
            if self.pid:
                with suppress(ProcessLookupError):
                    signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)
            stage, code = getattr(error, "stage", "process"), getattr(error, "code", 128)
            number = getattr(error, "errno", 0) or 0
            failed = wire.message(
                messages.FAILED, stage=stage, code=code, errno=number, message=init.describe(error)
            )
            with suppress(OSError):
                wire.send(self.channel, failed)
            return
        self.loop.run()

    def _start(self) -> None:
        request = self.request
        target = self._container()
        stdio = None if request.spec.process.tty else self._pipes()
        ours, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_STREAM)
        ns.enter(f"/proc/{request.pid}/ns/pid", "pid")
        group = cgroup(request.cgroup)
        self.pid = group.fork()
        if self.pid == 0:
            close_all_but(theirs.fileno(), target, *(stdio or ()))
            _become(request, group, target, theirs, stdio)
        self.pidfd = os.pidfd_open(self.pid)
        theirs.close()
        for fd in {*(stdio or ()), target}:
            os.close(fd)
        if request.spec.process.tty:
            self._take_terminal(ours)
        self._expect(ours)
        ours.close()
        wire.send(self.channel, wire.message(messages.STARTED, pid=self.pid), (self.pidfd,))
        self.loop.register(self.pidfd, READ, self._on_exit)
        self.client = Client(self.loop, self.channel, self._on_frame)
        if request.attach:
            self.client.streams = frozenset(("stdout", "stderr"))
            self.client.stdin = True
            self.streams.attach(self.client)
            self.client.on_close = self._on_detached

    def _container(self) -> int:
        """A descriptor of the container's init, if it is still that process."""
        request = self.request
        try:
            fd = os.pidfd_open(request.pid)
            if start_ticks(request.pid) == request.start_ticks:
                return fd
            os.close(fd)
        except ProcessLookupError:
            pass
        raise StartFailed("namespaces", "the container is not running")

    def _pipes(self) -> init.Stdio:
        out_read, out_write = os.pipe()
        err_read, err_write = os.pipe()
        self.streams.add_source(out_read, "stdout")
        self.streams.add_source(err_read, "stderr")
        if self.request.spec.process.open_stdin:
            stdin, in_write = os.pipe()
            self.streams.set_stdin(in_write)
        else:
            stdin = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        return stdin, out_write, err_write

    def _take_terminal(self, channel: _socket.socket) -> None:
        answer, descriptors = wire.receive(channel, 1, 1)
        if answer != init.TERMINAL or not descriptors:
            self._fail(answer, channel)
        self.terminal = descriptors[0]
        self.streams.add_source(os.dup(self.terminal), "stdout")
        if self.request.spec.process.open_stdin:
            self.streams.set_stdin(os.dup(self.terminal), tty=True)

    def _expect(self, channel: _socket.socket) -> None:
        answer = channel.recv(1)
        if answer != init.EXECUTING:
            self._fail(answer, channel)
        channel.recv(1)  # closes with exec

    def _fail(self, answer: bytes, channel: _socket.socket) -> NoReturn:
        if answer == init.FAILED:
            failure = wire.receive_message(channel)
            raise StartFailed(failure.stage, failure.message, code=failure.code, errno=failure.errno)
        raise StartFailed("process", "the exec process ended during set-up")

    def _on_frame(self, client: Client, kind: int, payload: bytes) -> None:
        if kind == wire.STDIN:
            self.streams.feed_stdin(payload)
        elif kind == wire.STDIN_END:
            self.streams.end_stdin()
        elif kind == wire.MESSAGE:
            message = wire.parse(payload)
            if message.op == messages.RESIZE and self.terminal >= 0:
                with suppress(OSError):
                    terminal.resize(self.terminal, message.rows, message.columns)

    def _on_detached(self, client: Client) -> None:
        self.streams.detach(client)
        self.streams.end_stdin()

    def _on_exit(self, mask: int) -> None:
        assert self.client is not None
        self.loop.unregister(self.pidfd)
        _, raw = os.waitpid(self.pid, 0)
        self.streams.drain()
        code = os.waitstatus_to_exitcode(raw)
        self.client.send(
            wire.message(messages.EXITED, code=code if code >= 0 else 128 - code, signal=max(0, -code))
        )
        close_all_when_sent(self.loop, [self.client])


def _become(
    request: Any, group: Cgroup, target: int, channel: _socket.socket, stdio: init.Stdio | None
) -> NoReturn:
    """The child: enter the container and turn into the program."""
    stage = "namespaces"
    try:
        spec = request.spec
        prctl.set_dumpable(False)
        prctl.set_parent_death_signal(signal.SIGKILL)
        host = process.Host()
        group.join()
        ns.setns(target, _JOINED)
        os.close(target)
        stage = "process"
        os.umask(0o022)
        if stdio is None:
            process.take_terminal(_open_terminal(spec.process.console_size, channel), spec.process.user.uid)
        else:
            os.setsid()
            process.take_stdio(*stdio, spec.process.user.uid)
        env = process.environment(spec.process, request.hostname)
        process.apply_limits(spec.process)
        process.reset_signals()
        process.become(spec.process, host, wire.binary(request.filter), privileged=spec.privileged)
        process.enter_directory(spec.process)
        path = process.locate(spec.process, env)
        prctl.set_parent_death_signal(signal.SIGKILL)
        wire.send(channel, init.EXECUTING)
        if spec.process.init:
            reaper.run(lambda: process.execute(path, spec.process, env), channel)
        process.execute(path, spec.process, env)
    except BaseException as error:  # noqa: BLE001 - the outermost edge of this process
        init.report_failure(channel, stage, error)
    os._exit(1)


def _open_terminal(size: tuple[int, int], channel: _socket.socket) -> int:
    master, number = terminal.open_pty()
    slave = os.open(f"/dev/pts/{number}", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    rows, columns = size
    if rows and columns:
        terminal.resize(slave, rows, columns)
    wire.send(channel, init.TERMINAL, (master,))
    os.close(master)
    return slave
