"""A laboratory for the network layer: a host of its own for each test, and containers without processes.

`@isolated` runs an async test in a forked child that has a fresh network namespace as its "host": real devices, real
rules, real packets, and nothing that could stay behind on the machine or meet another test. A `Guest` is a network
namespace held by a descriptor; sockets are opened inside it from the test's own process.
"""

from __future__ import annotations

import asyncio
import ctypes
import functools
import os
import signal
import socket
import subprocess
import threading
import traceback
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stackwright.embedded.containers.loop import Loop
from stackwright.embedded.networks.links import address, default_route, find, up, veth
from stackwright.embedded.networks.netlink import Netlink
from stackwright.embedded.networks.resolver import Resolver, open_sockets
from stackwright.embedded.networks.sandbox import in_namespace, socket_in_namespace
from stackwright.embedded.networks.service import NetworkService
from stackwright.embedded.state import Database

_CLONE_NEWNET = 0x40000000
_PATIENCE = 240
_libc = ctypes.CDLL(None, use_errno=True)
TIMEOUT = 3.0


def unshare_network() -> None:
    """Give this thread (a process's only one, or a short-lived one) a new network namespace."""
    if _libc.unshare(_CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "unshare(CLONE_NEWNET)")


def isolated(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Run an async test in a child with a network namespace of its own; its failure is the test's."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            status = 1
            try:
                os.close(reader)
                signal.alarm(_PATIENCE)  # a hanging test ends with its child, not with the suite
                unshare_network()
                with Netlink.open() as netlink:
                    netlink.call(up(1, "lo"))
                asyncio.run(_call(test, args, kwargs))
                status = 0
            except BaseException:  # noqa: BLE001 - whatever it is, the parent reports it
                os.write(writer, traceback.format_exc().encode()[-60000:])
            finally:
                os._exit(status)
        os.close(writer)
        with os.fdopen(reader, "rb") as pipe:
            report = pipe.read().decode()
        _, status = os.waitpid(child, 0)
        assert status == 0, f"in the test's own network namespace:\n{report}"

    run.__annotations__ = test.__annotations__
    return run


async def _call(test: Callable[..., Awaitable[None]], args: Any, kwargs: Any) -> None:
    await test(*args, **kwargs)


class Guest:
    """A container as the network layer sees one: a namespace and a netlink socket inside it."""

    def __init__(self) -> None:
        opened: list[tuple[int, socket.socket]] = []

        def enter() -> None:
            unshare_network()
            descriptor = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
            opened.append(
                (descriptor, socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE))
            )

        thread = threading.Thread(target=enter)
        thread.start()
        thread.join()
        self.netns, self._socket = opened[0]
        self.netlink = self._socket.fileno()

    def __enter__(self) -> Guest:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._socket.close()
        os.close(self.netns)

    def open(self, kind: int = socket.SOCK_STREAM, family: int = socket.AF_INET) -> socket.socket:
        """A socket inside, with a timeout so that nothing waits for ever."""
        made = socket_in_namespace(self.netns, family, kind)
        made.settimeout(TIMEOUT)
        return made

    def run(self, *command: str) -> str:
        """A program's output, run inside."""
        return subprocess.run(
            ["nsenter", f"--net=/proc/self/fd/{self.netns}", *command],
            capture_output=True, text=True, timeout=20, check=True, pass_fds=[self.netns],
        ).stdout  # fmt: skip

    @contextmanager
    def echo(self, port: int, kind: int = socket.SOCK_STREAM, host: str = "0.0.0.0") -> Iterator[None]:
        """A server inside that answers each client with who it is (its address, as seen) and what it sent."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket_in_namespace(self.netns, family, kind) as server:
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            server.bind((host, port))
            with serving(server):
                yield

    @contextmanager
    def resolver(self, tables: list[str], upstream: list[str] | None = None) -> Iterator[Resolver]:
        """Our DNS server at 127.0.0.11, on a loop in a thread as the monitor would run it."""
        with running_loop() as loop:
            resolver = Resolver(loop, in_namespace(self.netns, open_sockets), tables, upstream or [])
            yield resolver
        resolver.close()


@contextmanager
def running_loop() -> Iterator[Loop]:
    """The monitor's event loop, run in a thread until the end of the block."""
    loop = Loop()
    reader, writer = os.pipe()
    loop.register(reader, 1, lambda _: loop.stop())
    thread = threading.Thread(target=loop.run, daemon=True)
    thread.start()
    try:
        yield loop
    finally:
        os.write(writer, b"x")
        thread.join(TIMEOUT)
        loop.close()
        os.close(reader)
        os.close(writer)


@contextmanager
def serving(server: socket.socket) -> Iterator[None]:
    """Answer on a bound socket in a thread: "<client address> <what it sent>"."""
    server.settimeout(0.1)
    stop = threading.Event()
    stream = server.type == socket.SOCK_STREAM
    if stream:
        server.listen(64)

    def serve() -> None:
        while not stop.is_set():
            try:
                if not stream:
                    data, client = server.recvfrom(65535)
                    server.sendto(client[0].encode() + b" " + data, client)
                    continue
                connection, client = server.accept()
            except TimeoutError:
                continue
            with connection:
                connection.settimeout(TIMEOUT)
                connection.sendall(client[0].encode() + b" " + connection.recv(65535))

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def ask(client: socket.socket, to: tuple[str, int], data: bytes = b"hello") -> str:
    """Send to an echo server; its answer. OSError (TimeoutError) when there is no way."""
    with client:
        client.settimeout(TIMEOUT if client.gettimeout() is None else client.gettimeout())
        client.connect(to)
        client.sendall(data)
        return client.recv(65535).decode()


def cannot_reach(client: socket.socket, to: tuple[str, int]) -> bool:
    """Whether nothing comes back within a moment."""
    client.settimeout(0.4)
    try:
        ask(client, to)
    except OSError:
        return True
    return False


@contextmanager
def outside_world(subnet: str = "198.51.100") -> Iterator[Guest]:
    """Another machine (.1 and 2001:db8::1) beyond this "host" (.2 and ::2), to which its default routes lead."""
    with Guest() as world, Netlink.open() as host, Netlink.of_descriptor(world.netlink) as far:
        guest_end = veth("wan0", 0, world.netns, "eth0", "02:00:00:00:00:01", 1400)
        host.call(guest_end._replace(payload=_without_master(guest_end.payload)))
        near, other = find(host, "wan0"), find(far, "eth0")
        assert near and other
        host.call(address(near.index, f"{subnet}.2", 24, "wan0"), up(near.index, "wan0"))
        far.call(up(1, "lo"), address(other.index, f"{subnet}.1", 24, "eth0"), up(other.index, "eth0"))
        host.call(default_route(near.index, f"{subnet}.1", "wan0"))
        host.call(
            address(near.index, "2001:db8::2", 64, "wan0"), default_route(near.index, "2001:db8::1", "wan0")
        )
        far.call(address(other.index, "2001:db8::1", 64, "eth0"))
        yield world


def _without_master(payload: bytes) -> bytes:
    """The veth request, minus IFLA_MASTER 0 (eight bytes), which means "no bridge" and is refused at creation."""
    marker = b"\x08\x00\x0a\x00" + bytes(4)
    return payload.replace(marker, b"")


@contextmanager
def networks(state: Path, instance: str = "0123ab") -> Iterator[NetworkService]:
    """A network service on a state folder; the caller starts, recovers and closes it."""
    database = Database(state / "engine.db")
    try:
        yield NetworkService(database, state / "networks", instance)
    finally:
        database.close()


def devices() -> set[str]:
    """Names of this namespace's network devices."""
    return {name for _, name in socket.if_nameindex()}


def nft_tables() -> str:
    """Output of `nft list tables`."""
    return subprocess.run(["nft", "list", "tables"], capture_output=True, text=True, check=True).stdout
