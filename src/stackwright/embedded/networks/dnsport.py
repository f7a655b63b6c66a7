"""Port 53 of 127.0.0.11 without occupying port 53.

A DNS server in a container (a Pi-hole, a CoreDNS) binds 0.0.0.0:53, which our sockets on 127.0.0.11:53 would refuse
it. So they take ports of the kernel's choice, and two rules for each protocol in the container's own namespace
rewrite the port on the way: 53 → ours in questions, ours → 53 in answers. Stateless on purpose: DNAT would switch on
connection tracking for everything that the container sends.
"""

from __future__ import annotations

import errno
import struct

from stackwright.embedded.networks import nftables as nft
from stackwright.embedded.networks.netlink import NETLINK_NETFILTER, Netlink, NetlinkError

TABLE = "stackwright_dns"
_MANGLE = -150
# offset of the checksum in the transport header
_PROTOCOLS = (("udp", 6), ("tcp", 16))


def redirect(address: bytes, port: int, udp: int, tcp: int) -> None:
    """Make `address`:`port` of this network namespace lead to the ports `udp` and `tcp` of the same address.

    OSError where nf_tables is absent or not allowed; nothing is changed then.
    """
    to_us = nft.ipv4() + nft.load_network_header(16, 4) + nft.equal(address)
    from_us = nft.ipv4() + nft.load_network_header(12, 4) + nft.equal(address)
    known = struct.pack(">H", port)
    rules = []
    for (name, checksum), ours in zip(_PROTOCOLS, (udp, tcp), strict=True):
        protocol = nft.load_l4proto() + nft.equal(nft.protocol(name)[:1])
        question = nft.load_destination_port() + nft.equal(known) + nft.rewrite_port(2, ours, checksum)
        answer = (
            nft.load_source_port() + nft.equal(struct.pack(">H", ours)) + nft.rewrite_port(0, port, checksum)
        )
        rules.append(nft.rule(TABLE, "output", to_us, protocol, question))
        rules.append(nft.rule(TABLE, "output", from_us, protocol, answer))
    content = [nft.chain(TABLE, "output", "filter", nft.OUTPUT, _MANGLE), *rules]
    with Netlink.open(NETLINK_NETFILTER) as netlink:
        try:
            nft.commit(netlink, [nft.table(TABLE, exclusive=True), *content])
        except NetlinkError as error:
            if error.errno != errno.EEXIST:
                raise
            # An earlier resolver of this namespace left rules. Replacing them costs the kernel 10 ms, hence not always.
            nft.commit(netlink, [nft.delete_table(TABLE), nft.table(TABLE), *content])
