"""The starter: `python -I -S starter_main.py <fd>`. Forks a monitor or an exec session on request.

Everything that a monitor needs is imported here, once, before any fork. It ends when the engine's
end of the socket closes; what it has forked lives on.
"""

from __future__ import annotations

import _socket
import gc
import os
import signal

from stackwright.embedded.kernel import prctl, title
from stackwright.embedded.kernel.cgroups import hierarchies
from stackwright.embedded.kernel.userns import in_user_namespace

from . import exec_session, loop, messages, monitor, wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

_ROLES = {messages.STARTER_CONTAINER: monitor.run, messages.STARTER_EXEC: exec_session.run}


def main(fd: int) -> None:
    """Serve requests on the inherited socket `fd` until the engine goes."""
    monitor.close_all_but(fd)  # the caller may have held anything
    requests = _socket.socket(fileno=fd)
    prctl.set_name("sw-starter")
    title.set_title("stackwright-starter")
    os.setsid()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # monitors are watched over their sockets: reap by itself
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    hierarchies()
    in_user_namespace()
    # Objects made so far stay in pages shared with every monitor: no collection may touch their headers.
    gc.collect()
    gc.freeze()
    gc.disable()
    spare = Spare(requests)
    while True:
        try:
            request, descriptors = wire.receive(requests, 16, 1)
        except ConnectionResetError:
            return
        if not request:
            return
        taken = request in _ROLES and bool(descriptors)
        if taken:
            spare.take(request, descriptors[0])
        # Before the next fork: a channel that a stranger holds too would never end.
        for descriptor in descriptors:
            os.close(descriptor)
        if taken:
            spare = Spare(requests)


class Spare:
    """A process forked ahead of the next request: forking and its page faults are a third of a start's time."""

    def __init__(self, requests: _socket.socket) -> None:
        self._ours, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_SEQPACKET)
        if os.fork() == 0:
            requests.close()
            self._ours.close()
            _wait_for_work(theirs)
        theirs.close()
        self._requests = requests

    def take(self, request: bytes, channel: int) -> None:
        """Let it serve the request; a fresh process does when something has killed the spare one."""
        try:
            wire.send(self._ours, request, (channel,))
        except OSError:
            if os.fork() == 0:
                self._requests.close()
                self._ours.close()
                monitor.become_daemon("sw-spare", "stackwright-spare")
                _ROLES[request](channel)
        self._ours.close()


def _wait_for_work(orders: _socket.socket) -> NoReturn:
    """The spare process, until it is told what to be (or the starter has ended)."""
    try:
        monitor.become_daemon("sw-spare", "stackwright-spare")
        warm_up()
        request, descriptors = wire.receive(orders, 16, 1)
        orders.close()
        if request and descriptors:
            _ROLES[request](descriptors[0])
    finally:
        os._exit(0)


def warm_up() -> None:
    """Touch what every role touches first, so that its pages are ours before the request comes."""
    sample = wire.message("sample", values=[{"name": str(number)} for number in range(20)])
    for _, payload in wire.Splitter().feed(sample):
        wire.parse(payload)
    loop.Loop().close()
