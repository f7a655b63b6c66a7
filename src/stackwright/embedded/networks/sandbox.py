"""Entering a running container's network namespace by its pid, for connect and recovery.

While a container starts, its monitor hands the two descriptors over; afterwards (or after an engine restart) the
engine makes them here.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from stackwright.embedded.kernel.namespaces import CLONE_NEWNET, setns

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class OpenSandbox:
    """A `types.Sandbox`."""

    netns: int
    netlink: int


def in_namespace(netns: int, function: Callable[[], T]) -> T:
    """Run `function` inside another network namespace; the calling thread stays where it is.

    setns(2) changes one thread only, so a short-lived thread goes in. Its OSError is raised here.
    """
    result: list[T] = []
    failure: list[OSError] = []

    def enter() -> None:
        try:
            setns(netns, CLONE_NEWNET)
            result.append(function())
        except OSError as error:
            failure.append(error)

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    if failure:
        raise failure[0]
    return result[0]


def socket_in_namespace(netns: int, family: int, kind: int, proto: int = 0) -> socket.socket:
    """A socket that belongs to another network namespace."""
    return in_namespace(netns, lambda: socket.socket(family, kind | socket.SOCK_CLOEXEC, proto))


@contextmanager
def open_sandbox(pid: int) -> Iterator[OpenSandbox]:
    """Descriptors for the network namespace of `pid`, closed at the end. OSError when the process is gone."""
    netns = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        with socket_in_namespace(netns, socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as link:
            yield OpenSandbox(netns, link.fileno())
    finally:
        os.close(netns)
