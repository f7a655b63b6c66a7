"""From an ordinary user's process to root in that user's namespaces.

In main, before any thread and before the starter: only a process with a single thread may change its user namespace.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stackwright.embedded.containers.init import loopback_up
from stackwright.embedded.kernel import namespaces as ns
from stackwright.embedded.kernel.call import KernelError
from stackwright.embedded.kernel.cgroups.hierarchies import DELEGATED
from stackwright.embedded.networks.outside import KEEPER, connect_keeper
from stackwright.embedded.rootless import delegation, pasta
from stackwright.embedded.rootless.errors import RootlessError
from stackwright.embedded.rootless.keeper import fork_keeper
from stackwright.embedded.rootless.record import Record, boot_id, insider

_FLAGS = (ns.CLONE_NEWUSER, ns.CLONE_NEWNS, ns.CLONE_NEWNET)
_HINT = (
    "unprivileged user namespaces must be allowed: see the sysctls kernel.unprivileged_userns_clone,"
    " kernel.apparmor_restrict_unprivileged_userns and user.max_user_namespaces, or run the engine as root"
)


class Inside:
    """The engine's hold on its namespaces: they stay while this is open, and after it while something runs."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def limitations(self) -> list[str]:
        """What will not work here, one sentence each; waits until pasta was tried."""
        self._connection.send(b"status")
        record = Record.of(json.loads(self._connection.recv(1 << 16)))
        return sentences(record)


def sentences(record: Record) -> list[str]:
    """A record's shortcomings, for the log and for `docker info`."""
    found = []
    if record.one_id:
        found.append(
            f"only one user id is mapped ({record.one_id}): images whose files or processes belong to several users"
            " get everything as root, and programs that change their user fail"
        )
    if record.no_egress:
        found.append(f"no way out of the containers, and no image can be pulled ({record.no_egress})")
    if not record.cgroups:
        found.append(
            "no control groups are delegated to this user: limits on memory, CPU and processes are not applied,"
            " containers cannot be paused, and there are no figures for stats"
        )
    elif not record.cgroups.get("limits"):
        found.append(
            "limits on memory, CPU and processes are not applied: the control group that is this user's has no"
            " controllers to hand on, or holds other processes"
        )
    return found


def enter(state_dir: Path) -> Inside:
    """Become root in this user's namespaces: those in which containers run already, else new ones.

    Raises RootlessError, or OSError where the state directory cannot be used.
    """
    folder = state_dir / "rootless"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _lock(folder):
        connection = _join(folder) or _revive(folder) or _create(folder)
    os.environ[KEEPER] = str(folder)
    return Inside(connection)


def _join(folder: Path) -> socket.socket | None:
    """Go where the keeper says; None when there is none."""
    try:
        connection = connect_keeper(str(folder))
        connection.send(b"join")
        answer, descriptors, _, _ = socket.recv_fds(connection, 1 << 16, len(_FLAGS))
    except (FileNotFoundError, ConnectionError):
        return None
    if len(descriptors) != len(_FLAGS):
        connection.close()
        return None
    record = Record.of(json.loads(answer))
    _use_cgroups(record.cgroups if delegation.join(record.cgroups) else {})
    try:
        # The mount namespace last: the others' paths are long opened, and it takes the working directory with it.
        for descriptor, flag in sorted(
            zip(descriptors, _FLAGS, strict=True), key=lambda d: d[1] == ns.CLONE_NEWNS
        ):
            ns.setns(descriptor, flag)
    except KernelError as error:
        raise RootlessError(f"cannot join the namespaces of the containers that run: {error}") from error
    finally:
        for descriptor in descriptors:
            os.close(descriptor)
    _be_root()
    return connection


def _revive(folder: Path) -> socket.socket | None:
    """A new keeper for containers whose old one was killed; None when nothing runs."""
    record = Record.read(folder)
    survivor = insider(record) if record else 0
    if not survivor or record is None:
        return None
    with fork_keeper(folder, survivor, record, fresh=False) as channel:
        _expect_ready(channel)
        return _join(folder)


def _create(folder: Path) -> socket.socket:
    pasta.stop(folder / pasta.PID_FILE)  # of a keeper that was killed, in a network that nobody uses
    record = Record(boot=boot_id(), cgroups=delegation.take())
    channel = fork_keeper(folder, os.getpid(), record, fresh=True)
    try:
        try:
            ns.unshare(ns.CLONE_NEWUSER | ns.CLONE_NEWNS | ns.CLONE_NEWNET)
        except KernelError as error:
            hint = f"; {_HINT}" if error.errno in (errno.EPERM, errno.ENOSPC, errno.EINVAL) else ""
            raise RootlessError(f"the kernel refuses: {error}{hint}") from error
        channel.send(b"map")
        _expect_ready(channel)
        _use_cgroups(record.cgroups)
        _be_root()
        try:
            loopback_up()
        except KernelError as error:
            raise RootlessError(f"the user namespace comes without rights: {error}; {_HINT}") from error
    except BaseException:
        channel.close()
        raise
    return channel


def _expect_ready(channel: socket.socket) -> None:
    answer = channel.recv(4096).decode(errors="replace")
    if answer != "ready":
        raise RootlessError(answer.removeprefix("!") or "the keeper ended at once")


def _be_root() -> None:
    # The user's own further groups are kept: they open folders of the host to bind mounts.
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)
    os.chdir("/")


def _use_cgroups(found: dict[str, object]) -> None:
    os.environ[DELEGATED] = json.dumps(found)


@contextmanager
def _lock(folder: Path) -> Iterator[None]:
    """Of two engines started at once one makes the namespaces, and the other one joins them."""
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
