"""Sockets in the host's network.

Where root runs the engine that is the network we are in. An ordinary user's engine and monitors live in a network
namespace of their own; sockets of the host's are then made by the keeper (rootless/keeper.py), which has stayed
there. A socket belongs to the namespace that it was made in for good, so binding, listening and connecting are done
by whoever holds it.
"""

from __future__ import annotations

import errno
import os
import socket

KEEPER = "STACKWRIGHT_KEEPER"
"""Environment variable with the folder of the keeper's socket; unset: we are in the host's network."""
SOCKET_NAME = "keeper.sock"
_SECONDS = 10


def new_socket(family: int, kind: int) -> socket.socket:
    """A socket of the host's network, not blocking, close-on-exec. OSError as socket(2) raises it."""
    folder = os.environ.get(KEEPER)
    if not folder:
        return socket.socket(family, kind | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        keeper = connect_keeper(folder)
    except (FileNotFoundError, ConnectionError) as error:
        raise OSError(
            error.errno, "the keeper of this user's namespaces was killed: start the engine again"
        ) from None
    with keeper:
        keeper.settimeout(_SECONDS)
        keeper.send(f"socket {int(family)} {int(kind)}".encode())
        answer, descriptors, _, _ = socket.recv_fds(keeper, 16, 1)
    if not descriptors:
        number = int(answer or errno.ECONNRESET)
        raise OSError(number, os.strerror(number))
    made = socket.socket(fileno=descriptors[0])
    made.setblocking(False)
    return made


def connect_keeper(folder: str) -> socket.socket:
    """A connection to the keeper. Through a directory descriptor: socket paths end at 108 bytes, ours may not."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC)
    try:
        directory = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            connection.connect(f"/proc/self/fd/{directory}/{SOCKET_NAME}")
        finally:
            os.close(directory)
    except OSError:
        connection.close()
        raise
    return connection


def is_elsewhere() -> bool:
    """Whether the host's network is not the one that this process is in."""
    return bool(os.environ.get(KEEPER))


def refused_port(number: int, port: int) -> str:
    """What to add to the message about a port that may not be bound; "" when there is nothing to add."""
    if number != errno.EACCES or not is_elsewhere():
        return ""
    return (
        f" (ports below net.ipv4.ip_unprivileged_port_start are root's: publish a higher one, or let root run"
        f" `sysctl net.ipv4.ip_unprivileged_port_start={port}`)"
    )
