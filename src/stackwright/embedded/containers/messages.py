"""The conversation between engine, starter, monitor and init, in order.

Frames are `wire` frames: one kind byte, a length, a payload. Kind MESSAGE carries one JSON object
with an "op"; the constants below are the ops. File descriptors travel beside the message they
belong to (SCM_RIGHTS).

Start of a container, on a socket pair made by the engine for this start (the *channel*)::

    engine  → starter   one byte, b"c", with the monitor's end of the channel attached
    starter : forks the monitor; closes its copy
    engine  → monitor   START {spec, filter}
    monitor : listens on monitor.sock, binds published ports, makes the cgroup, forks init
    init    : joins the cgroup, unshares
    monitor → engine    SANDBOX_READY {pid, ports} + [netns fd, netlink socket fd]
                        (no descriptors when the container shares the host's or another's network)
    engine  : sets the network up
    engine  → monitor   GO {ports: container addresses filled in, dns}; the monitor first serves who connected
                        to monitor.sock and sent ATTACH before this, so that they miss nothing
    monitor → init      one byte; init mounts, pivots, drops privileges, execs
    monitor → engine    STARTED {pid, ports, started_at, warnings} + [pidfd of init]
                        or, at any point, FAILED {stage, code, errno, message}
    monitor → engine    EXITED {status} once init ended; exit.json is on disk before it is sent
    monitor → engine    CLEANED once the control group is gone, too; nothing follows

After STARTED the channel is a control connection like any made to monitor.sock:

    client  → monitor   HELLO → STARTED + [pidfd of init] · RESIZE {rows, columns} → OK
    client  → monitor   ATTACH {stdin, stdout, stderr}; from then on the connection carries stream frames only
                        (STDOUT, STDERR from the monitor; STDIN, STDIN_END from the client)

If the channel closes before GO, the monitor kills init, undoes everything and ends.

An exec session is the same with b"e": EXEC {spec, filter, pid, start_ticks, cgroup, hostname, attach} → STARTED {pid}
or FAILED, then stream frames both ways, RESIZE from the client, EXITED {code, signal} at the end.
"""

from __future__ import annotations

START = "start"
SANDBOX_READY = "sandbox-ready"
GO = "go"
STARTED = "started"
FAILED = "failed"
EXITED = "exited"
CLEANED = "cleaned"

HELLO = "hello"
RESIZE = "resize"
ATTACH = "attach"
OK = "ok"

EXEC = "exec"

STARTER_CONTAINER = b"c"
STARTER_EXEC = b"e"
