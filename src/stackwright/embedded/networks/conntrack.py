"""Forgetting translated UDP "connections" of a container that is gone.

The kernel remembers where it sent a client's datagrams for as long as they keep coming; a client with a fixed port
(syslog, statsd, a game) would talk to the address of the dead container for ever. TCP clients notice by themselves.
"""

from __future__ import annotations

import logging
import socket
import struct
from ipaddress import IPv4Address

from stackwright.embedded.networks.netlink import (
    IGNORE_MISSING,
    NETLINK_NETFILTER,
    NLA_F_NESTED,
    Netlink,
    Request,
    attribute,
    attributes,
)

log = logging.getLogger(__name__)

_GET, _DELETE = 1 << 8 | 1, 1 << 8 | 2
_ORIGINAL, _REPLY = 1, 2
_ADDRESSES, _PROTOCOL = 1, 2
_IPV4_SOURCE, _PROTOCOL_NUMBER = 1, 1
_HEADER = struct.pack(">BBH", socket.AF_INET, 0, 0)


def forget_datagrams(addresses: set[str]) -> int:
    """Delete UDP entries that lead to one of the IPv4 `addresses`; how many. Walks the kernel's whole table: call it
    in a thread. Failing costs nothing but the memory, so it is logged only.
    """
    wanted = {IPv4Address(address).packed for address in addresses}
    try:
        with Netlink.open(NETLINK_NETFILTER) as netlink:
            requests = []
            for body in netlink.dump(_GET, _HEADER, "list the tracked connections"):
                entry = attributes(body[4:])
                reply = attributes(entry.get(_REPLY, b""))
                source = attributes(reply.get(_ADDRESSES, b"")).get(_IPV4_SOURCE)
                protocol = attributes(reply.get(_PROTOCOL, b"")).get(_PROTOCOL_NUMBER, b"\0")[0]
                if protocol == socket.IPPROTO_UDP and source in wanted:
                    original = attribute(_ORIGINAL | NLA_F_NESTED, entry[_ORIGINAL])
                    requests.append(
                        Request(_DELETE, _HEADER + original, "forget a connection", 0, IGNORE_MISSING)
                    )
            for request in requests:
                netlink.call(request)
            return len(requests)
    except OSError as error:
        log.info("tracked UDP connections of %s stay until they expire: %s", ", ".join(addresses), error)
        return 0
