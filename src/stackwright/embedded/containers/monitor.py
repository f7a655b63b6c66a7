"""The monitor: one process per running container. Starts init, then owns its output and its exit code.

See `messages` for the conversation and docs/decisions for why it outlives the engine.
"""

from __future__ import annotations

import _socket
import os
import signal
import sys
import time
from contextlib import suppress

from stackwright.embedded.kernel import namespaces as ns
from stackwright.embedded.kernel import prctl, terminal, title
from stackwright.embedded.kernel.call import KernelError
from stackwright.embedded.kernel.cgroups import Cgroup, cgroup
from stackwright.embedded.kernel.process import start_ticks
from stackwright.embedded.kernel.userns import in_user_namespace

from . import devices, guests, init, messages, state, wire
from .jsonlog import JsonLog
from .loop import READ, Loop
from .streams import Client, Streams

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

    from .spec import ContainerSpec

LINGER = 3600.0
"""Seconds that attached clients get to take the last output after the container has ended (a pager is slow)."""


class StartFailed(Exception):  # noqa: N818 - named after the message it becomes
    """The start cannot go on; becomes a FAILED message."""

    def __init__(self, stage: str, message: str, *, code: int = 128, errno: int = 0) -> None:
        super().__init__(message)
        self.stage = stage
        self.code = code
        self.errno = errno


class Abandoned(Exception):  # noqa: N818 - an ending, not an error
    """The engine went away before GO."""


def run(channel_fd: int) -> NoReturn:
    """Entry point in the forked process; `channel_fd` leads to the engine."""
    show_as("sw-monitor", "stackwright-monitor")
    channel = _socket.socket(fileno=channel_fd)
    code = 1
    try:
        request = wire.receive_message(channel)
        if request is not None and request.op == messages.START:
            state.redirect_errors(request.spec.directory)
            title.set_title(f"stackwright-monitor {request.spec.id[:12]}")
            Monitor(request.spec, channel, wire.binary(request.filter)).run()
            code = 0
    except BaseException:  # noqa: BLE001 - the outermost edge of this process
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(code)


def become_daemon(name: str, shown: str) -> None:
    """Leave the starter's session, its stderr (the engine's) and its signal set-up behind."""
    os.setsid()
    os.dup2(0, 2)  # /dev/null: who reads the engine's stderr must see its end when the engine ends
    show_as(name, shown)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def show_as(name: str, shown: str) -> None:
    """What `ps` lists: the name (15 bytes) and the command line."""
    prctl.set_name(name)
    title.set_title(shown)


def close_all_but(*kept: int) -> None:
    """Close every descriptor from 3 on except these: nothing of ours may reach the container."""
    start = 3
    for fd in sorted(kept):
        os.closerange(start, fd)
        start = fd + 1
    os.closerange(start, 1 << 16)


class Monitor:
    """Everything one running container needs; created, run once, gone with the process."""

    def __init__(self, spec: ContainerSpec, channel: _socket.socket, calls: bytes) -> None:
        self.spec = spec
        self.calls = calls
        self.channel = channel
        self.loop = Loop()
        self.group: Cgroup = cgroup(f"{spec.cgroup_parent}/{spec.id}")
        self.guests = guests.Guests(self.loop)
        self.pid = 0
        self.pidfd = -1
        self.started_at = 0
        self.warnings: list[str] = []
        self.terminal = -1
        self.listener: _socket.socket | None = None
        self.control: list[Client] = []
        self.streams: Streams | None = None

    def run(self) -> None:
        """Start the container and serve until it has ended. Reports a failed start instead of raising."""
        try:
            self._start()
        except Abandoned:
            self._undo()
            return
        except (StartFailed, KernelError, OSError, ValueError) as error:
            self._undo()
            self._report(error)
            return
        self.loop.run()

    # -- starting ---------------------------------------------------------------------------------

    def _start(self) -> None:
        spec = self.spec
        state.clear(spec.directory)
        self.listener = state.listen(spec.directory)
        self.guests.reserve_ports(spec.ports)
        self.group.create()
        self.warnings = self.group.apply(spec.resources, first=True)
        # In a user namespace nobody makes device nodes, and the kernel takes no such rules.
        if not spec.privileged and not in_user_namespace():
            self.group.restrict_devices(devices.rules(spec))
        log = spec.log
        writer = JsonLog(spec.directory, log.max_size, log.max_file) if log.driver == "json-file" else None
        self.streams = Streams(self.loop, writer)
        init_channel = self._fork_init()
        self._expect(init_channel, init.UNSHARED)
        state.write_running(spec.directory, self.pid, start_ticks(self.pid))
        self._offer_sandbox(init_channel)
        go = wire.receive_message(self.channel)
        if go is None or go.op != messages.GO:
            raise Abandoned
        self.guests.start(go.ports, go.dns)
        self._accept_waiting()
        with suppress(OSError):  # it may have failed and gone: its last words are read below
            init_channel.send(init.GO)
        if spec.process.tty:
            self._take_terminal(init_channel)
        self._expect(init_channel, init.EXECUTING)
        self._expect_exec(init_channel)
        init_channel.close()
        self._serve()

    def _fork_init(self) -> _socket.socket:
        spec = self.spec
        ours, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_STREAM)
        stdio = None if spec.process.tty else self._pipes()
        pid_namespace = spec.namespaces.pid
        if pid_namespace == "new":
            ns.unshare(ns.CLONE_NEWPID)
        elif pid_namespace != "host":
            ns.enter(pid_namespace, "pid")
        self.pid = self.group.fork()
        if self.pid == 0:
            close_all_but(theirs.fileno(), *(stdio or ()))
            init.run(spec, self.group, theirs, stdio, self.calls)
        self.pidfd = os.pidfd_open(self.pid)
        theirs.close()
        for fd in set(stdio or ()):
            os.close(fd)
        return ours

    def _pipes(self) -> init.Stdio:
        """Make the pipes; returns the process's ends."""
        assert self.streams is not None
        out_read, out_write = os.pipe()
        err_read, err_write = os.pipe()
        self.streams.add_source(out_read, "stdout")
        self.streams.add_source(err_read, "stderr")
        if self.spec.process.open_stdin:
            stdin, in_write = os.pipe()
            self.streams.set_stdin(in_write)
        else:
            stdin = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        return stdin, out_write, err_write

    def _offer_sandbox(self, init_channel: _socket.socket) -> None:
        """Make what must be made inside the network namespace, and hand the engine what it needs to fill it."""
        descriptors: list[int] = []
        if self.spec.namespaces.net in ("new", "none"):
            own = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
            inside = self._network_namespace(init_channel)
            ns.setns(inside, ns.CLONE_NEWNET)
            try:
                netlink = _socket.socket(_socket.AF_NETLINK, _socket.SOCK_RAW | _socket.SOCK_CLOEXEC, 0)
                if self.spec.dns is not None:
                    self.guests.open_dns()
            finally:
                ns.setns(own, ns.CLONE_NEWNET)
                os.close(own)
            descriptors = [inside, netlink.detach()]
        ports = self.guests.bound_ports()
        self._tell(wire.message(messages.SANDBOX_READY, pid=self.pid, ports=ports), descriptors)
        for fd in descriptors:
            os.close(fd)

    def _network_namespace(self, init_channel: _socket.socket) -> int:
        try:
            return os.open(f"/proc/{self.pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            self._expect(init_channel, init.EXECUTING)  # it has failed already: say why, not that it is gone
            raise

    def _tell(self, data: bytes, descriptors: list[int] | tuple[int, ...] = ()) -> None:
        try:
            wire.send(self.channel, data, descriptors)
        except OSError:
            raise Abandoned from None

    def _expect(self, channel: _socket.socket, wanted: bytes) -> None:
        answer = channel.recv(1)
        if answer == init.FAILED:
            failure = wire.receive_message(channel)
            raise StartFailed(failure.stage, failure.message, code=failure.code, errno=failure.errno)
        if answer != wanted:
            raise StartFailed("process", self._early_end())

    def _expect_exec(self, channel: _socket.socket) -> None:
        """The socket closes with exec (it is close-on-exec), or with the end of a process that failed to."""
        if channel.recv(1):
            raise StartFailed("process", "unexpected answer from init")

    def _early_end(self) -> str:
        _, status = os.waitpid(self.pid, 0)
        self.pid = 0
        code = os.waitstatus_to_exitcode(status)
        if self.group.oom_kills():
            return "container init was OOM-killed (memory limit too low?)"
        return f"container init ended during set-up ({'signal' if code < 0 else 'exit code'} {abs(code)})"

    def _take_terminal(self, channel: _socket.socket) -> None:
        assert self.streams is not None
        answer, descriptors = wire.receive(channel, 1, 1)
        if answer == init.TERMINAL and descriptors:
            self.terminal = descriptors[0]
            self.streams.add_source(os.dup(self.terminal), "stdout")
            if self.spec.process.open_stdin:
                self.streams.set_stdin(os.dup(self.terminal), tty=True)
        elif answer == init.FAILED:
            failure = wire.receive_message(channel)
            raise StartFailed(failure.stage, failure.message, code=failure.code, errno=failure.errno)
        else:
            raise StartFailed("process", self._early_end())

    def _undo(self) -> None:
        """Leave nothing behind after a failed start."""
        if self.pid:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        self.group.kill()
        self.group.remove()
        self.guests.close()
        state.clear(self.spec.directory)

    def _report(self, error: Exception) -> None:
        stage = getattr(error, "stage", "namespaces" if isinstance(error, KernelError) else "process")
        code, number = getattr(error, "code", 128), getattr(error, "errno", 0) or 0
        failed = wire.message(
            messages.FAILED, stage=stage, code=code, errno=number, message=init.describe(error)
        )
        with suppress(OSError):
            wire.send(self.channel, failed)

    # -- running ----------------------------------------------------------------------------------

    def _serve(self) -> None:
        self.started_at = time.time_ns()
        state.write_running(self.spec.directory, self.pid, start_ticks(self.pid))
        with suppress(OSError):
            wire.send(self.channel, self._started(), (self.pidfd,))
        assert self.listener is not None
        self.loop.register(self.listener.fileno(), READ, self._accept)
        self.loop.register(self.pidfd, READ, self._on_exit)
        engine = Client(self.loop, self.channel, self._on_frame)
        engine.on_close = self.control.remove
        self.control.append(engine)

    def _started(self) -> bytes:
        return wire.message(
            messages.STARTED,
            pid=self.pid,
            ports=self.guests.bound_ports(),
            started_at=self.started_at,
            warnings=self.warnings,
        )

    def _accept_waiting(self) -> None:
        """Attach whoever connected before GO: not a byte of output passes them by."""
        while (client := self._accept_one()) is not None:
            client.receive_now()

    def _accept(self, mask: int) -> None:
        self._accept_one()

    def _accept_one(self) -> Client | None:
        assert self.listener is not None
        try:
            fd, _ = self.listener._accept()  # type: ignore[attr-defined]  # _socket has no other
        except OSError:
            return None
        return Client(self.loop, _socket.socket(fileno=fd), self._on_frame)

    def _on_frame(self, client: Client, kind: int, payload: bytes) -> None:
        assert self.streams is not None
        if kind == wire.MESSAGE:
            self._on_message(client, wire.parse(payload))
        elif kind == wire.STDIN and client.stdin:
            self.streams.feed_stdin(payload)
        elif kind == wire.STDIN_END and client.stdin:
            self.streams.end_stdin()

    def _on_message(self, client: Client, message: Any) -> None:
        if message.op == messages.HELLO:
            self.control.append(client)
            client.on_close = self.control.remove
            client.send_with(self._started(), self.pidfd)
        elif message.op == messages.RESIZE:
            if self.terminal >= 0:
                with suppress(OSError):
                    terminal.resize(self.terminal, message.rows, message.columns)
            client.send(wire.message(messages.OK))
        elif message.op == messages.ATTACH:
            self._attach(client, message)

    def _attach(self, client: Client, message: Any) -> None:
        assert self.streams is not None
        client.streams = frozenset(name for name in ("stdout", "stderr") if getattr(message, name))
        client.stdin = bool(message.stdin)
        client.on_close = self._on_detached
        self.streams.attach(client)

    def _on_detached(self, client: Client) -> None:
        assert self.streams is not None
        self.streams.detach(client)
        if client.stdin and self.spec.process.stdin_once:
            self.streams.end_stdin()

    # -- ending -----------------------------------------------------------------------------------

    def _on_exit(self, mask: int) -> None:
        assert self.streams is not None and self.listener is not None
        self.loop.unregister(self.pidfd)
        _, raw = os.waitpid(self.pid, 0)
        if self.spec.namespaces.pid != "new":
            self.group.kill()  # nothing else ends what it left running
        self.streams.drain()
        status = state.exit_record(raw, self.group.oom_kills() > 0, self.started_at)
        self.streams.close_log()
        self.loop.unregister(self.listener.fileno())
        self.listener.close()
        self.guests.close()
        state.write_exit(self.spec.directory, status)
        self._tell_control(wire.message(messages.EXITED, **status))
        state.forget_running(self.spec.directory)
        self.group.remove()
        self._tell_control(wire.message(messages.CLEANED))
        close_all_when_sent(self.loop, [*self.control, *self.streams.take_clients()])

    def _tell_control(self, message: bytes) -> None:
        for client in list(self.control):
            client.send(message)


def close_all_when_sent(loop: Loop, clients: list[Client]) -> None:
    """Stop the loop once each client got everything or went away, after LINGER seconds at the latest."""
    waiting = set(clients)

    def closed(client: Client) -> None:
        waiting.discard(client)
        if not waiting:
            loop.stop()

    for client in clients:
        client.on_close = closed
        if client.closed:
            waiting.discard(client)
    for client in list(waiting):
        client.close_when_sent()
    if waiting:
        loop.call_later(LINGER, loop.stop)
    else:
        loop.stop()
