"""The DNS server that every container sees at 127.0.0.11, run by its monitor.

It answers from the name tables (files: it goes on while the engine is dead, and sees their changes), and asks the
host's nameservers for everything else, from the host's namespace: a host whose resolv.conf says 127.0.0.53 works.
"""

from __future__ import annotations

import os
import select
import socket
import struct
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from ipaddress import IPv4Address, IPv6Address

from stackwright.embedded.networks import dnsmessage as dns
from stackwright.embedded.networks.dnsport import redirect
from stackwright.embedded.networks.lookup import Lookup
from stackwright.embedded.networks.upstream import Inquiry, Loop, StreamInquiry, Timer, nameservers

ADDRESS = "127.0.0.11"
PORT = 53
TTL = 10
"""Seconds. Docker says 600, of which its users' proxies suffer after each restart of a container."""

_IP_FREEBIND = 15
_MAX_INQUIRIES = 200
_MAX_CONNECTIONS = 32
_IDLE_SECONDS = 10.0
_BURST = 64
_PAUSE_SECONDS = 0.05
_READ = select.EPOLLIN


def open_sockets(port: int = PORT) -> tuple[socket.socket, socket.socket]:
    """UDP and TCP sockets behind `port` of 127.0.0.11; call in the container's network namespace (lo may be down).

    They leave port 53 itself to the container where nf_tables allows it (see `dnsport`), and take it elsewhere.
    """
    sockets = _bound(0)
    try:
        numbers = [listener.getsockname()[1] for listener in sockets]
        redirect(socket.inet_aton(ADDRESS), port, *numbers)
    except OSError:
        for listener in sockets:
            listener.close()
        return _bound(port)
    return sockets


def _bound(port: int) -> tuple[socket.socket, socket.socket]:
    datagram = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    stream = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        for listener in (datagram, stream):
            listener.setsockopt(socket.IPPROTO_IP, _IP_FREEBIND, 1)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((ADDRESS, port))
        stream.listen(16)
    except OSError:
        datagram.close()
        stream.close()
        raise
    return datagram, stream


class Resolver:
    """Answers from the tables, forwards the rest."""

    def __init__(
        self,
        loop: Loop,
        sockets: tuple[socket.socket, socket.socket],
        tables: Sequence[os.PathLike[str] | str],
        upstream: Sequence[str] = (),
    ) -> None:
        """`sockets`: of `open_sockets`, now owned by the resolver. `tables`: JSON files, re-read when they change.

        `upstream`: nameservers ("192.0.2.1", "192.0.2.1:5353", "fd00::1"), asked from the namespace in which this
        runs (the host's); empty: those of the host's /etc/resolv.conf, read for each question.
        """
        self._loop = loop
        self._datagram, self._stream = sockets
        self._lookup = Lookup([os.fspath(path) for path in tables])
        self._upstream = list(upstream)
        self._inquiries: set[Inquiry] = set()
        self._connections: set[_Connection] = set()
        loop.register(self._datagram.fileno(), _READ, self._on_datagram)
        loop.register(self._stream.fileno(), _READ, self._on_connection)

    def close(self) -> None:
        """Unregister and close everything; safe to call twice."""
        for listener in (self._datagram, self._stream):
            if listener.fileno() >= 0:
                self._loop.unregister(listener.fileno())
                listener.close()
        for inquiry in self._inquiries:
            inquiry.cancel()
        self._inquiries.clear()
        for connection in list(self._connections):
            connection.close()

    # --- datagrams ---------------------------------------------------------------------------------------------

    def _on_datagram(self, _: int) -> None:
        for _ in range(_BURST):
            try:
                query, client = self._datagram.recvfrom(4096)
            except OSError:  # BlockingIOError: no more; anything else concerns an earlier answer
                return
            reply = self._answer(query, datagram=True)
            if reply is None:
                self._forward(Inquiry, query, partial(self._send_datagram, client))
            elif reply:
                self._send_datagram(client, reply)

    def _send_datagram(self, client: tuple[str, int], reply: bytes) -> None:
        with suppress(OSError):
            self._datagram.sendto(reply, client)

    # --- connections -------------------------------------------------------------------------------------------

    def _on_connection(self, _: int) -> None:
        try:
            connection, _address = self._stream.accept()
        except BlockingIOError:
            return
        except OSError:
            # Out of descriptors, perhaps: wait, or the listener would wake us at once, again and again.
            self._loop.unregister(self._stream.fileno())
            self._loop.call_later(_PAUSE_SECONDS, self._accept_again)
            return
        if len(self._connections) >= _MAX_CONNECTIONS:
            connection.close()
            return
        connection.setblocking(False)
        self._connections.add(_Connection(self, self._loop, connection))

    def _accept_again(self) -> None:
        if self._stream.fileno() >= 0:
            self._loop.register(self._stream.fileno(), _READ, self._on_connection)

    def serve_frame(self, connection: _Connection, query: bytes) -> None:
        """Answer one query that came over TCP."""
        reply = self._answer(query, datagram=False)
        if reply is None:
            self._forward(StreamInquiry, query, connection.send)
        else:
            connection.send(reply)

    def forget(self, connection: _Connection) -> None:
        """A connection closed."""
        self._connections.discard(connection)

    # --- answering ---------------------------------------------------------------------------------------------

    def _answer(self, query: bytes, *, datagram: bool) -> bytes | None:
        """The reply from the tables; b"" to say nothing; None to ask upstream."""
        try:
            question = dns.parse_question(query)
        except dns.Malformed as error:
            return error.reply
        if not question.is_standard:
            return dns.answer(question, dns.NOTIMP, [], 0)
        records = self._records(question)
        if records is None:
            return None if self._lookup.forwards else dns.answer(question, dns.SERVFAIL, [], 0)
        return dns.answer(question, dns.NOERROR, records, TTL, question.limit if datagram else 65535)

    def _records(self, question: dns.Question) -> list[tuple[int, bytes]] | None:
        """(type, data) of a name of ours, empty when it has none of that type (NODATA); None: not ours."""
        reverse = dns.address_of_reverse(question.name)
        if reverse:
            name = self._lookup.name_of(reverse)
            if not name:
                return None
            return [(dns.PTR, dns.encode_name(name))] if question.kind in (dns.PTR, dns.ANY) else []
        found = self._lookup.addresses(question.name, question.kind)
        if found is None:
            return None
        records = []
        if question.kind in (dns.A, dns.ANY):
            records += [(dns.A, IPv4Address(address).packed) for address in found[0]]
        if question.kind in (dns.AAAA, dns.ANY):
            records += [(dns.AAAA, IPv6Address(address).packed) for address in found[1]]
        return records

    def _forward(self, kind: type[Inquiry], query: bytes, send: Callable[[bytes], None]) -> None:
        if len(self._inquiries) >= _MAX_INQUIRIES:
            send(_failure(query))
            return

        def done(reply: bytes | None) -> None:
            self._inquiries.discard(inquiry)
            send(reply if reply is not None else _failure(query))

        inquiry = kind(self._loop, self._upstream or nameservers(), query, done)
        self._inquiries.add(inquiry)
        inquiry.begin()


class _Connection:
    """A client's TCP connection: frames of two length bytes and a message, answered as they become ready."""

    def __init__(self, resolver: Resolver, loop: Loop, connection: socket.socket) -> None:
        self._resolver = resolver
        self._loop = loop
        self._socket = connection
        self._received = b""
        self._timer: Timer | None = None
        loop.register(connection.fileno(), _READ, self._on_event)
        self._wait()

    def send(self, reply: bytes) -> None:
        """One answer. A client that does not read loses its connection rather than our memory."""
        if self._socket.fileno() < 0:
            return
        frame = struct.pack(">H", len(reply)) + reply
        try:
            if self._socket.send(frame) != len(frame):
                self.close()
        except OSError:
            self.close()

    def close(self) -> None:
        """Safe to call twice."""
        if self._timer:
            self._timer.cancel()
        if self._socket.fileno() >= 0:
            self._loop.unregister(self._socket.fileno())
            self._socket.close()
        self._resolver.forget(self)

    def _wait(self) -> None:
        if self._timer:
            self._timer.cancel()
        self._timer = self._loop.call_later(_IDLE_SECONDS, self.close)

    def _on_event(self, _: int) -> None:
        try:
            data = self._socket.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.close()
            return
        self._wait()
        self._received += data
        while len(self._received) >= 2 and self._socket.fileno() >= 0:
            end = 2 + int.from_bytes(self._received[:2], "big")
            if len(self._received) < end:
                return
            query, self._received = self._received[2:end], self._received[end:]
            self._resolver.serve_frame(self, query)


def _failure(query: bytes) -> bytes:
    try:
        return dns.answer(dns.parse_question(query), dns.SERVFAIL, [], 0)
    except dns.Malformed as error:
        return error.reply
