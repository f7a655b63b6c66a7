"""nf_tables over netlink: the messages and expressions of which `firewall` composes its rules.

Spoken directly (no `nft` program): works on hosts that have only the kernel's part, and publishing a port costs a
fraction of a millisecond. Constants and layouts: include/uapi/linux/netfilter/nf_tables.h; `nft list ruleset` shows
the result like any other table.
"""

from __future__ import annotations

import errno
import socket
import struct
import sys
from collections.abc import Iterable, Sequence

from stackwright.embedded.networks.netlink import (
    NLM_F_ACK,
    NLM_F_APPEND,
    NLM_F_CREATE,
    NLM_F_EXCL,
    Netlink,
    NetlinkError,
    Request,
    attribute,
    be32,
    nested,
    text,
)

NFPROTO_INET, NFPROTO_IPV4 = 1, 2
NEWTABLE, GETTABLE, DELTABLE, NEWCHAIN, NEWRULE, NEWSET, NEWSETELEM, DELSETELEM = 0, 1, 2, 3, 6, 9, 12, 14
PREROUTING, INPUT, FORWARD, OUTPUT, POSTROUTING = range(5)
SET_MAP, SET_CONCAT = 0x8, 0x80
ACCEPT, DROP = 1, 0
# types as `nft` numbers them, only for showing; six bits for each part of a concatenation
IPV4_ADDR, INET_PROTO, INET_SERVICE, IFNAME = 7, 12, 13, 41

_SUBSYSTEM = 10
_BATCH_BEGIN, _BATCH_END = 0x10, 0x11
_IFNAME_SIZE = 16
# user data for `nft list`: type 0 (byte order of the key), four bytes, 1 (the host's)
_KEY_IN_HOST_ORDER = b"\0\4" + (1).to_bytes(4, sys.byteorder)
_REGISTER = 8  # NFT_REG32_00: sixteen registers of four bytes


def register(word: int) -> int:
    """The four-byte register number `word` (0-15)."""
    return _REGISTER + word


def concatenated(*types: int) -> int:
    """The type number of a concatenation."""
    value = 0
    for part in types:
        value = value << 6 | part
    return value


def ifname(name: str) -> bytes:
    """A device name as the kernel compares it."""
    return name.encode().ljust(_IFNAME_SIZE, b"\0")


def port(number: int) -> bytes:
    """A port as part of a concatenation: padded to four bytes."""
    return struct.pack(">Hxx", number)


def protocol(name: str) -> bytes:
    """A transport protocol ("tcp", "udp", "sctp") as part of a concatenation."""
    return bytes([{"tcp": 6, "udp": 17, "sctp": 132}[name], 0, 0, 0])


# --- expressions -----------------------------------------------------------------------------------------------


def _expression(name: str, *data: bytes) -> bytes:
    return nested(1, text(1, name), nested(2, *data))


def _value(kind: int, data: bytes) -> bytes:
    return nested(kind, attribute(1, data))


def load_meta(key: int, word: int = 0) -> bytes:
    return _expression("meta", be32(2, key), be32(1, register(word)))


def load_iifname(word: int = 0) -> bytes:
    return load_meta(6, word)


def load_oifname(word: int = 0) -> bytes:
    return load_meta(7, word)


def load_l4proto(word: int = 0) -> bytes:
    return load_meta(16, word)


def load_network_header(offset: int, length: int, word: int = 0) -> bytes:
    return _payload(1, offset, length, word)


def load_source_port(word: int = 0) -> bytes:
    return _payload(2, 0, 2, word)


def load_destination_port(word: int = 0) -> bytes:
    return _payload(2, 2, 2, word)


def _payload(base: int, offset: int, length: int, word: int) -> bytes:
    return _expression("payload", be32(1, register(word)), be32(2, base), be32(3, offset), be32(4, length))


def equal(data: bytes, word: int = 0) -> bytes:
    return _compare(0, data, word)


def unequal(data: bytes, word: int = 0) -> bytes:
    return _compare(1, data, word)


def _compare(operator: int, data: bytes, word: int) -> bytes:
    return _expression("cmp", be32(1, register(word)), be32(2, operator), _value(3, data))


def mask(data: bytes, word: int = 0) -> bytes:
    zero = bytes(len(data))
    where = be32(1, register(word)) + be32(2, register(word))
    return _expression("bitwise", where, be32(3, len(data)), _value(4, data), _value(5, zero))


def ipv4() -> bytes:
    """Match: an IPv4 packet."""
    return load_meta(15) + equal(bytes([NFPROTO_IPV4]))


def in_set(name: str, word: int = 0, *, invert: bool = False) -> bytes:
    """Match: the registers from `word` are (not, if `invert`) a member."""
    return _expression("lookup", text(1, name), be32(2, register(word)), be32(5, int(invert)))


def map_to(name: str, word: int, target: int) -> bytes:
    """Look the registers from `word` up in a map; the value lands in those from `target`, or the rule ends."""
    return _expression("lookup", text(1, name), be32(2, register(word)), be32(3, register(target)))


def local_destination() -> bytes:
    """Match: the packet is for an address of this host (`fib daddr type local`)."""
    rtn_local = (2).to_bytes(4, sys.byteorder)
    return _expression("fib", be32(1, register(0)), be32(2, 3), be32(3, 2)) + equal(rtn_local)


def connection_state(bits: int) -> bytes:
    """Match: conntrack state is one of `bits` (1 invalid, 2 established, 4 related)."""
    return _conntrack(0, bits)


def translated_destination() -> bytes:
    """Match: the connection went through DNAT (`ct status dnat`)."""
    return _conntrack(2, 1 << 5)


def _conntrack(key: int, bits: int) -> bytes:
    wanted = bits.to_bytes(4, sys.byteorder)
    return _expression("ct", be32(2, key), be32(1, register(0))) + mask(wanted) + unequal(bytes(4))


def rewrite_port(offset: int, port_number: int, checksum_offset: int) -> bytes:
    """Overwrite a port of the transport header (0 source, 2 destination); no connection tracking involved."""
    load = _expression("immediate", be32(1, register(0)), _value(2, struct.pack(">H", port_number)))
    where = be32(5, register(0)) + be32(2, 2) + be32(3, offset) + be32(4, 2)
    return load + _expression("payload", where, be32(6, 1), be32(7, checksum_offset))


def destination_nat(word: int = 0) -> bytes:
    """DNAT to the IPv4 address in register `word` and the port in the next."""
    where = be32(3, register(word)) + be32(5, register(word + 1))
    return _expression("nat", be32(1, 1), be32(2, NFPROTO_IPV4), where)


def masquerade() -> bytes:
    return _expression("masq")


def verdict(code: int) -> bytes:
    return _expression("immediate", be32(1, 0), nested(2, nested(2, be32(1, code))))


# --- objects ---------------------------------------------------------------------------------------------------


def _message(kind: int, what: str, *data: bytes, flags: int = NLM_F_CREATE) -> Request:
    header = struct.pack(">BBH", NFPROTO_INET, 0, 0)
    return Request(_SUBSYSTEM << 8 | kind, header + b"".join(data), what, flags | NLM_F_ACK)


def table(name: str, *, exclusive: bool = False) -> Request:
    """A new table; `exclusive`: EEXIST if it is there."""
    flags = NLM_F_CREATE | (NLM_F_EXCL if exclusive else 0)
    return _message(NEWTABLE, f"create nftables table {name}", text(1, name), flags=flags)


def delete_table(name: str) -> Request:
    return _message(DELTABLE, f"remove nftables table {name}", text(1, name), flags=0)


def has_table(netlink: Netlink, name: str) -> bool:
    """Whether a table is there."""
    wanted = _message(GETTABLE, f"look for nftables table {name}", text(1, name), flags=0)
    try:
        netlink.call(wanted)
    except NetlinkError as error:
        if error.errno == errno.ENOENT:
            return False
        raise
    return True


def chain(table_name: str, name: str, kind: str, hook: int, priority: int) -> Request:
    """A base chain whose policy is accept; `kind`: "filter" or "nat"."""
    place = nested(4, be32(1, hook), be32(2, priority))
    data = text(1, table_name) + text(3, name) + place + be32(5, ACCEPT) + text(7, kind)
    return _message(NEWCHAIN, f"create nftables chain {name}", data)


def rule(table_name: str, chain_name: str, *expressions: bytes) -> Request:
    """A rule at the end of a chain."""
    data = text(1, table_name) + text(2, chain_name) + nested(4, *expressions)
    return _message(
        NEWRULE, f"add a rule to nftables chain {chain_name}", data, flags=NLM_F_CREATE | NLM_F_APPEND
    )


def new_set(
    table_name: str,
    name: str,
    number: int,
    key: Sequence[int],
    key_size: int,
    value: Sequence[int] = (),
    value_size: int = 0,
) -> Request:
    """A set, or with `value` a map; `number` is unique in the batch, sizes are in bytes."""
    flags = (SET_MAP if value else 0) | (SET_CONCAT if len(key) > 1 else 0)
    data = text(1, table_name) + text(2, name) + be32(3, flags)
    data += be32(4, concatenated(*key)) + be32(5, key_size)
    if value:
        data += be32(6, concatenated(*value)) + be32(7, value_size)
    if len(key) > 1:
        # how the key divides into fields (NFTA_SET_DESC_CONCAT), each a multiple of four bytes here
        field = key_size // len(key)
        data += nested(9, nested(2, *(nested(1, be32(1, field)) for _ in key)))
    data += be32(10, number)
    if tuple(key) == (IFNAME,):
        data += attribute(13, _KEY_IN_HOST_ORDER)
    return _message(NEWSET, f"create nftables set {name}", data)


def add_elements(table_name: str, set_name: str, elements: Iterable[tuple[bytes, bytes]]) -> Request:
    """Put elements (key, value; value empty for a plain set) into a set."""
    data = text(1, table_name) + text(2, set_name) + _elements(elements)
    return _message(NEWSETELEM, f"add to nftables set {set_name}", data)


def delete_elements(table_name: str, set_name: str, elements: Iterable[tuple[bytes, bytes]]) -> Request:
    data = text(1, table_name) + text(2, set_name) + _elements(elements)
    return _message(DELSETELEM, f"remove from nftables set {set_name}", data, flags=0)


def _elements(elements: Iterable[tuple[bytes, bytes]]) -> bytes:
    return nested(
        3, *(nested(1, _value(1, key), _value(2, value) if value else b"") for key, value in elements)
    )


def commit(netlink: Netlink, requests: Sequence[Request]) -> None:
    """All of `requests` in one transaction: the ruleset is the old or the new one, never between."""
    header = struct.pack(">BBH", socket.AF_UNSPEC, 0, _SUBSYSTEM)
    begin = Request(_BATCH_BEGIN, header, "begin a transaction")
    end = Request(_BATCH_END, header, "end a transaction")
    netlink.call(begin, *requests, end, raw=True)
