"""Netlink messages: encoding, batches, answers. netlink(7), rtnetlink(7).

Why not pyroute2: attaching a container is on the way of every start. Measured on a small machine, importing
pyroute2 takes 200 ms and 24 MB, and each call 0.4-0.7 ms; this module takes 3 ms to import, sends several
requests with one system call and decodes only what is asked for. It knows two things: attributes and batches.
The meaning of the messages is in `links`, `routes` and `nftables`.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Iterator
from typing import NamedTuple

NLM_F_REQUEST, NLM_F_ACK, NLM_F_ROOT, NLM_F_MATCH = 0x1, 0x4, 0x100, 0x200
NLM_F_DUMP = NLM_F_ROOT | NLM_F_MATCH
NLM_F_EXCL, NLM_F_REPLACE, NLM_F_CREATE, NLM_F_APPEND = 0x200, 0x100, 0x400, 0x800
NLMSG_ERROR, NLMSG_DONE = 2, 3
NETLINK_NETFILTER = 12
NLA_F_NESTED = 0x8000
NLA_TYPE_MASK = 0x3FFF

_SOL_NETLINK, _NETLINK_CAP_ACK, _NETLINK_EXT_ACK = 270, 10, 11
_NLM_F_CAPPED, _NLM_F_ACK_TLVS = 0x100, 0x200
_HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")
_RECEIVE = 1 << 18


class NetlinkError(OSError):
    """The kernel refused a request; `strerror` says which, on what, and the kernel's own remark."""


class Request(NamedTuple):
    """One message to the kernel. `what` completes "could not …" in an error."""

    kind: int
    payload: bytes
    what: str
    flags: int = 0
    tolerate: tuple[int, ...] = ()
    """Error numbers that count as success (EEXIST when creating, ENODEV when deleting)."""


def attribute(kind: int, data: bytes) -> bytes:
    """One attribute, padded to four bytes."""
    length = 4 + len(data)
    return _ATTRIBUTE.pack(length, kind) + data + bytes(-length % 4)


def nested(kind: int, *children: bytes) -> bytes:
    """An attribute made of attributes."""
    return attribute(kind | NLA_F_NESTED, b"".join(children))


def text(kind: int, value: str) -> bytes:
    """A NUL-terminated string attribute."""
    return attribute(kind, value.encode() + b"\0")


def u32(kind: int, value: int) -> bytes:
    """A 32-bit attribute in host order (rtnetlink)."""
    return attribute(kind, struct.pack("=I", value))


def be32(kind: int, value: int) -> bytes:
    """A 32-bit attribute in network order (nfnetlink)."""
    return attribute(kind, struct.pack(">i", value) if value < 0 else struct.pack(">I", value))


def attributes(data: bytes) -> dict[int, bytes]:
    """Attributes of a message by kind; the last of a kind wins. Stops at the first malformed one."""
    found: dict[int, bytes] = {}
    position, end = 0, len(data)
    while position + 4 <= end:
        length, kind = _ATTRIBUTE.unpack_from(data, position)
        if length < 4 or position + length > end:
            break
        found[kind & NLA_TYPE_MASK] = data[position + 4 : position + length]
        position += (length + 3) & ~3
    return found


class Netlink:
    """A netlink socket on which requests are answered at once (rtnetlink, nfnetlink): the calls are synchronous."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._sequence = 0
        for option in (_NETLINK_CAP_ACK, _NETLINK_EXT_ACK):
            connection.setsockopt(_SOL_NETLINK, option, 1)

    @classmethod
    def open(cls, protocol: int = socket.NETLINK_ROUTE) -> Netlink:
        """A new socket in this thread's network namespace."""
        return cls(socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol))

    @classmethod
    def of_descriptor(cls, descriptor: int) -> Netlink:
        """Over a copy of a descriptor that someone else opened, perhaps in another namespace."""
        return cls(socket.socket(fileno=os.dup(descriptor)))

    def __enter__(self) -> Netlink:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._socket.close()

    def call(self, *requests: Request, raw: bool = False) -> list[list[bytes]]:
        """Send all of `requests` with one system call; the bodies that answered each, in order.

        Every request is carried out even if an earlier one failed (rtnetlink has no transactions); then the first
        failure is raised as NetlinkError. `raw`: no acknowledgement is asked for by this method (nftables' batch
        markers); the requests' own flags decide.
        """
        first = self._sequence + 1
        packets = []
        for request in requests:
            self._sequence += 1
            flags = (
                request.flags
                | NLM_F_REQUEST
                | (0 if raw or request.flags & NLM_F_DUMP == NLM_F_DUMP else NLM_F_ACK)
            )
            packets.append(_HEADER.pack(16 + len(request.payload), request.kind, flags, self._sequence, 0))
            packets.append(request.payload + bytes(-len(request.payload) % 4))
        self._socket.sendmsg(packets)
        waiting = {first + i for i, r in enumerate(requests) if not raw or r.flags & NLM_F_ACK}
        answers: list[list[bytes]] = [[] for _ in requests]
        failure: NetlinkError | None = None
        while waiting:
            for sequence, kind, flags, body in self._receive():
                index = sequence - first
                if not 0 <= index < len(requests):
                    continue
                if kind == NLMSG_ERROR:
                    waiting.discard(sequence)
                    number = -struct.unpack_from("=i", body)[0]
                    if number and number not in requests[index].tolerate:
                        failure = failure or _error(number, requests[index].what, flags, body)
                        if raw:
                            waiting.clear()
                elif kind == NLMSG_DONE:
                    waiting.discard(sequence)
                else:
                    answers[index].append(body)
        if failure:
            if raw:
                self._drain()
            raise failure
        return answers

    def dump(self, kind: int, payload: bytes, what: str) -> list[bytes]:
        """All objects of a kind."""
        return self.call(Request(kind, payload, what, NLM_F_DUMP))[0]

    def _receive(self) -> Iterator[tuple[int, int, int, bytes]]:
        data = self._socket.recv(_RECEIVE)
        position = 0
        while position + 16 <= len(data):
            length, kind, flags, sequence, _ = _HEADER.unpack_from(data, position)
            if length < 16:
                return
            yield sequence, kind, flags, data[position + 16 : position + length]
            position += (length + 3) & ~3

    def _drain(self) -> None:
        """A refused batch reports every member: forget the rest, so that the next call reads its own answers."""
        try:
            while True:
                self._socket.recv(_RECEIVE, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return


def _error(number: int, what: str, flags: int, body: bytes) -> NetlinkError:
    remark = ""
    if flags & _NLM_F_ACK_TLVS:
        # error number, then the header of the request (capped: no payload), then the attributes
        start = 20 if flags & _NLM_F_CAPPED else 4 + struct.unpack_from("=I", body, 4)[0]
        remark = attributes(body[start:]).get(1, b"").rstrip(b"\0").decode(errors="replace")
    reason = os.strerror(number) + (f" ({remark})" if remark else "")
    return NetlinkError(number, f"could not {what}: {reason}")


IGNORE_EXISTING = (errno.EEXIST,)
IGNORE_MISSING = (errno.ENODEV, errno.ENOENT, errno.ESRCH)
