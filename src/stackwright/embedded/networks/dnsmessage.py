"""DNS messages, as far as a forwarding resolver needs them: read a question, write an answer. RFC 1035, 6891.

Own code because it runs in every monitor, of which there may be many: dnslib takes a megabyte in each.
"""

from __future__ import annotations

import struct
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple  # not a dataclass: every monitor would carry what that module imports

A, PTR, AAAA, OPT, ANY = 1, 12, 28, 41, 255
NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED = 0, 1, 2, 3, 4, 5
CLASS_IN = 1
PLAIN_LIMIT = 512
"""Largest UDP answer for a client that says nothing of its own (RFC 1035, 4.2.1)."""

_HEADER = struct.Struct(">HHHHHH")
_QR, _AA, _TC, _RD, _RA = 0x8000, 0x0400, 0x0200, 0x0100, 0x0080
_NAME_POINTER = b"\xc0\x0c"  # to the question's name, right behind the header


class Malformed(ValueError):  # noqa: N818 - read as "except dns.Malformed"
    """Not a question that can be answered. `reply` is FORMERR for it, empty if it has not even an id."""

    def __init__(self, reply: bytes = b"") -> None:
        super().__init__("malformed DNS message")
        self.reply = reply


class Question(NamedTuple):
    """The one question of a query."""

    id: int
    flags: int
    name: str
    """Lower case, without the final dot."""
    kind: int
    section: bytes
    """The question section as it came (the client's spelling)."""
    limit: int
    """Largest UDP answer that the client takes, in bytes."""

    @property
    def is_standard(self) -> bool:
        """A plain query (opcode 0) in class IN."""
        return self.flags >> 11 & 0xF == 0 and self.section[-1] == CLASS_IN


def parse_question(data: bytes) -> Question:
    """The question of a query; Malformed otherwise."""
    if len(data) < 12:
        raise Malformed
    number, flags, questions, answers, authority, additional = _HEADER.unpack_from(data)
    if flags & _QR:
        raise Malformed
    labels = []
    position = 12
    try:
        while (length := data[position]) != 0:
            if questions != 1 or length > 63:
                raise Malformed(_HEADER.pack(number, _QR | FORMERR, 0, 0, 0, 0))
            labels.append(data[position + 1 : position + 1 + length].decode("ascii", "replace").lower())
            position += 1 + length
        kind, _ = struct.unpack_from(">HH", data, position + 1)
    except (IndexError, struct.error):
        raise Malformed(_HEADER.pack(number, _QR | FORMERR, 0, 0, 0, 0)) from None
    end = position + 5
    limit = PLAIN_LIMIT
    if not answers and not authority and additional and data[end : end + 1] == b"\0" and len(data) >= end + 5:
        extra, size = struct.unpack_from(">HH", data, end + 1)
        if extra == OPT:
            limit = max(PLAIN_LIMIT, min(size, 4096))
    return Question(number, flags, ".".join(labels), kind, data[12:end], limit)


def answer(
    question: Question, code: int, records: list[tuple[int, bytes]], ttl: int, limit: int = 65535
) -> bytes:
    """The response to `question`: records are (type, data) for the name asked. Cut, and marked so, at `limit`."""
    flags = _QR | _RA | (question.flags & (_RD | 0x7800)) | code
    if records:
        flags |= _AA
    body = b""
    count = 0
    for kind, data in records:
        record = _NAME_POINTER + struct.pack(">HHIH", kind, CLASS_IN, ttl, len(data)) + data
        if 12 + len(question.section) + len(body) + len(record) > limit:
            flags |= _TC
            break
        body += record
        count += 1
    return _HEADER.pack(question.id, flags, 1, count, 0, 0) + question.section + body


def response_code(data: bytes) -> int:
    """RCODE of a response."""
    return data[3] & 0xF


def answers_to(data: bytes, query: bytes) -> bool:
    """Whether `data` is a response to `query`: same id, a response, the same question."""
    if len(data) < 12 or data[:2] != query[:2] or not data[2] & 0x80:
        return False
    try:
        asked = parse_question(query)
    except Malformed:
        return True
    if data[4:6] == b"\0\0":  # some servers leave the question out of an error
        return response_code(data) != NOERROR
    return data[12 : 12 + len(asked.section)].lower() == asked.section.lower()


def encode_name(name: str) -> bytes:
    """A name in wire form, uncompressed."""
    labels = [label.encode("ascii", "replace")[:63] for label in name.split(".") if label]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def address_of_reverse(name: str) -> str | None:
    """ "2.0.18.172.in-addr.arpa" → "172.18.0.2"; also ip6.arpa; None for any other name."""
    labels = name.split(".")
    try:
        if name.endswith(".in-addr.arpa") and len(labels) == 6:
            return str(IPv4Address(".".join(reversed(labels[:4]))))
        if name.endswith(".ip6.arpa") and len(labels) == 34:
            return str(IPv6Address(bytes.fromhex("".join(reversed(labels[:32])))))
    except ValueError:
        return None
    return None
