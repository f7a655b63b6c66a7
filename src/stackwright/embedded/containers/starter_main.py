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

from . import exec_session, messages, monitor, wire

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
    # Objects made so far stay in pages shared with every monitor: no collection may touch their headers.
    gc.collect()
    gc.freeze()
    gc.disable()
    while True:
        try:
            request, descriptors = wire.receive(requests, 16, 1)
        except ConnectionResetError:
            return
        if not request:
            return
        role = _ROLES.get(request)
        if role is not None and descriptors and os.fork() == 0:
            requests.close()
            role(descriptors[0])
        for descriptor in descriptors:
            os.close(descriptor)
