"""Init: the container's PID 1 from fork to exec. Forked by the monitor; never returns.

Talks to the monitor over one socket pair: UNSHARED once the namespaces exist, TERMINAL with the
pty's master, then waits for GO, then EXECUTING right before exec. The socket closing after that is
the success; FAILED with a message is the other end.
"""

from __future__ import annotations

import _socket
import fcntl
import os
import signal
import struct

from stackwright.embedded.kernel import namespaces as ns
from stackwright.embedded.kernel import prctl, terminal, title
from stackwright.embedded.kernel.call import KernelError

from . import process, reaper, rootfs, wire
from .executable import ExecutableError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from stackwright.embedded.kernel.cgroups import Cgroup

    from .spec import ContainerSpec

UNSHARED = b"u"
TERMINAL = b"t"
GO = b"g"
EXECUTING = b"x"
FAILED = b"f"

Stdio = tuple[int, int, int]


class _Gone(Exception):  # noqa: N818 - not an error of ours
    """The monitor has ended: so do we."""


def run(
    spec: ContainerSpec, group: Cgroup, channel: _socket.socket, stdio: Stdio | None, calls: bytes
) -> NoReturn:
    """Become the container's process. `stdio` is None for a container with a terminal.

    `calls` is the system call filter, empty for none.
    """
    setup = _Setup(spec, group, channel, calls)
    try:
        setup.run(stdio)
    except _Gone:
        os._exit(1)
    except BaseException as error:  # noqa: BLE001 - the outermost edge of this process
        report_failure(channel, setup.stage, error)
    os._exit(1)


def report_failure(channel: _socket.socket, stage: str, error: BaseException) -> None:
    """Tell the monitor (or exec session) why this process will not run."""
    code = error.code if isinstance(error, ExecutableError) else 128
    number = getattr(error, "errno", 0) or 0
    text = describe(error)
    try:
        wire.send(
            channel, FAILED + wire.message("failed", stage=stage, code=code, errno=number, message=text)
        )
    except OSError:
        return


def describe(error: BaseException) -> str:
    """One line for the user: what failed, on what, why."""
    if isinstance(error, OSError) and not isinstance(error, KernelError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror.lower()}"
    return str(error) or type(error).__name__


class _Setup:
    def __init__(self, spec: ContainerSpec, group: Cgroup, channel: _socket.socket, calls: bytes) -> None:
        self.calls = calls
        self.spec = spec
        self.group = group
        self.channel = channel
        self.stage = "namespaces"

    def run(self, stdio: Stdio | None) -> None:
        spec = self.spec
        prctl.set_name("sw-init")
        title.set_title("stackwright-init")
        prctl.set_dumpable(False)  # /proc/<pid>/exe is the host's interpreter: nobody inside may open it
        prctl.set_parent_death_signal(signal.SIGKILL)
        os.umask(0)
        host = process.Host()
        self.stage = "cgroup"
        self.group.join()
        self.stage = "namespaces"
        enter_namespaces(spec)
        wire.send(self.channel, UNSHARED)
        self.stage = "mounts"
        sources = rootfs.open_sources(spec, self.group)
        ns.unshare(ns.CLONE_NEWNS)
        rootfs.mount_early(spec, sources)
        self.stage = "rootfs"
        rootfs.enter_root(spec)
        self.stage = "mounts"
        rootfs.mount_all(spec, sources)
        self.stage = "process"
        slave = self._open_terminal() if spec.process.tty else -1
        self._await_go()
        self.stage = "process"
        write_sysctls(spec)
        process.make_directory(spec.process)
        rootfs.protect(spec)
        os.umask(0o022)
        if stdio is None:
            process.take_terminal(slave, spec.process.user.uid)
        else:
            os.setsid()
            process.take_stdio(*stdio, spec.process.user.uid)
        self._execute(host)

    def _execute(self, host: process.Host) -> None:
        spec = self.spec
        env = process.environment(spec.process, spec.hostname)
        process.apply_limits(spec.process)
        process.reset_signals()
        process.become(spec.process, host, self.calls, privileged=spec.privileged)
        process.enter_directory(spec.process)
        path = process.locate(spec.process, env)
        prctl.set_parent_death_signal(signal.SIGKILL)  # the change of user has cleared it
        wire.send(self.channel, EXECUTING)
        if spec.process.init:
            reaper.run(lambda: process.execute(path, spec.process, env), self.channel)
        process.execute(path, spec.process, env)

    def _open_terminal(self) -> int:
        master, number = terminal.open_pty()
        slave = os.open(f"/dev/pts/{number}", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
        rows, columns = self.spec.process.console_size
        if rows and columns:
            terminal.resize(slave, rows, columns)
        rootfs.bind_console(f"/dev/pts/{number}")
        wire.send(self.channel, TERMINAL, (master,))
        os.close(master)
        return slave

    def _await_go(self) -> None:
        self.stage = "network"
        if self.channel.recv(1) != GO:
            raise _Gone


def enter_namespaces(spec: ContainerSpec) -> None:
    """Make or join every namespace but mnt (which comes with the root) and pid (which came with the fork)."""
    wanted = spec.namespaces
    fresh = 0
    for kind in ("user", "cgroup", "ipc", "uts", "net"):
        choice = getattr(wanted, kind)
        if choice in ("new", "none"):
            fresh |= ns.FLAGS[kind]
        elif choice != "host":
            ns.enter(choice, kind)
    if fresh:
        ns.unshare(fresh)
    if wanted.uts == "new":
        ns.sethostname(spec.hostname or spec.id[:12])
        if spec.domainname:
            ns.setdomainname(spec.domainname)
    if wanted.net in ("new", "none"):
        loopback_up()


def loopback_up() -> None:
    """`ip link set lo up` in the current network namespace (netdevice(7))."""
    up_and_running = 0x1 | 0x40
    sock = _socket.socket(_socket.AF_INET, _socket.SOCK_DGRAM)
    try:
        fcntl.ioctl(sock.fileno(), 0x8914, struct.pack("16sH22x", b"lo", up_and_running))  # SIOCSIFFLAGS
    except OSError as error:
        raise KernelError("bring lo up", error.errno or 0) from None
    finally:
        sock.close()


def write_sysctls(spec: ContainerSpec) -> None:
    """Namespaced kernel settings; the last moment before /proc/sys becomes read-only."""
    for name, value in spec.sysctls:
        path = "/proc/sys/" + name.replace(".", "/")
        try:
            fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
            try:
                os.write(fd, value.encode())
            finally:
                os.close(fd)
        except OSError as error:
            raise KernelError(f"write sysctl {name}={value}", error.errno or 0) from None
