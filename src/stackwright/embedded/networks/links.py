"""Network devices, addresses and routes: the requests of rtnetlink(7) that the engine needs.

Functions named after what they make return a `Request`, so that callers can send several at once.
"""

from __future__ import annotations

import socket
import struct
import sys
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from stackwright.embedded.networks.netlink import (
    IGNORE_EXISTING,
    IGNORE_MISSING,
    NLM_F_CREATE,
    NLM_F_EXCL,
    NLM_F_REPLACE,
    Netlink,
    NetlinkError,
    Request,
    attribute,
    attributes,
    nested,
    text,
    u32,
)

RTM_NEWLINK, RTM_DELLINK, RTM_GETLINK, RTM_SETLINK = 16, 17, 18, 19
RTM_NEWADDR, RTM_NEWROUTE, RTM_GETROUTE = 20, 24, 26
IFF_UP = 1
IFLA_ADDRESS, IFLA_IFNAME, IFLA_MTU, IFLA_MASTER, IFLA_LINKINFO = 1, 3, 4, 10, 18
IFLA_AF_SPEC, IFLA_NET_NS_FD, IFLA_PROTINFO = 26, 28, 12
IFLA_INFO_KIND, IFLA_INFO_DATA = 1, 2
VETH_INFO_PEER = 1
IFLA_INET6_ADDR_GEN_MODE, ADDR_GEN_NONE = 8, 1
IFLA_BRPORT_ISOLATED = 33
IFA_ADDRESS, IFA_LOCAL, IFA_BROADCAST, IFA_FLAGS = 1, 2, 4, 8
IFA_F_NODAD, IFA_F_PERMANENT = 0x02, 0x80
RTA_DST, RTA_OIF, RTA_GATEWAY, RTA_TABLE = 1, 4, 5, 15
RT_TABLE_MAIN, RT_TABLE_LOCAL = 254, 255
RTPROT_BOOT, RTN_UNICAST, RT_SCOPE_UNIVERSE, RT_SCOPE_LINK = 3, 1, 0, 253
LOOPBACK = 1

_IFINFO = struct.Struct("=BxHiII")
_IFADDR = struct.Struct("=BBBBI")
_ROUTE = struct.Struct("=BBBBBBBBI")


@dataclass(frozen=True, slots=True)
class Link:
    """A network device."""

    index: int
    name: str
    mtu: int
    master: int
    kind: str


def _ifinfo(index: int = 0, flags: int = 0, change: int = 0, family: int = 0) -> bytes:
    return _IFINFO.pack(family, 0, index, flags, change)


def _mac(address: str) -> bytes:
    return bytes.fromhex(address.replace(":", ""))


def _no_link_local() -> bytes:
    """No fe80:: address by itself: the network has no IPv6."""
    mode = attribute(IFLA_INET6_ADDR_GEN_MODE, bytes([ADDR_GEN_NONE]))
    return nested(IFLA_AF_SPEC, nested(socket.AF_INET6, mode))


def bridge(name: str, mac: str, mtu: int) -> Request:
    """A new bridge, down. With a MAC of its own, so that it does not change as containers come and go."""
    payload = (
        _ifinfo()
        + text(IFLA_IFNAME, name)
        + u32(IFLA_MTU, mtu)
        + attribute(IFLA_ADDRESS, _mac(mac))
        + nested(IFLA_LINKINFO, text(IFLA_INFO_KIND, "bridge"))
    )
    return Request(RTM_NEWLINK, payload, f"create bridge {name}", NLM_F_CREATE | NLM_F_EXCL)


def veth(host: str, master: int, netns: int, ifname: str, mac: str, mtu: int) -> Request:
    """A pair: one end up and on the bridge `master`, the other made inside the namespace of descriptor `netns`."""
    peer = (
        _ifinfo()
        + text(IFLA_IFNAME, ifname)
        + u32(IFLA_MTU, mtu)
        + attribute(IFLA_ADDRESS, _mac(mac))
        + u32(IFLA_NET_NS_FD, netns)
    )
    payload = (
        _ifinfo(flags=IFF_UP, change=IFF_UP)
        + text(IFLA_IFNAME, host)
        + u32(IFLA_MTU, mtu)
        + u32(IFLA_MASTER, master)
        + nested(
            IFLA_LINKINFO,
            text(IFLA_INFO_KIND, "veth"),
            nested(IFLA_INFO_DATA, nested(VETH_INFO_PEER, peer)),
        )
    )
    what = f"connect {ifname} to the bridge by {host}"
    return Request(RTM_NEWLINK, payload, what, NLM_F_CREATE | NLM_F_EXCL)


def up(index: int, what: str, *, ipv6: bool = True) -> Request:
    """Switch a device on; without `ipv6` it gets no link-local address."""
    payload = _ifinfo(index, IFF_UP, IFF_UP) + (b"" if ipv6 else _no_link_local())
    return Request(RTM_NEWLINK, payload, f"switch on {what}")


def isolate(index: int, what: str) -> Request:
    """A bridge port that may not talk to other isolated ports (`enable_icc=false`)."""
    option = nested(IFLA_PROTINFO, attribute(IFLA_BRPORT_ISOLATED, b"\1"))
    return Request(RTM_SETLINK, _ifinfo(index, family=socket.AF_BRIDGE) + option, f"isolate {what}")


def delete(name: str) -> Request:
    """Remove a device; one that is gone already is no error."""
    return Request(RTM_DELLINK, _ifinfo() + text(IFLA_IFNAME, name), f"remove {name}", 0, IGNORE_MISSING)


def address(index: int, ip: str, prefix: int, what: str) -> Request:
    """Give a device an address; IPv6 without duplicate detection, which would delay its use by a second."""
    packed = ip_address(ip).packed
    family = socket.AF_INET if len(packed) == 4 else socket.AF_INET6
    body = _IFADDR.pack(family, prefix, IFA_F_PERMANENT, 0, index)
    body += attribute(IFA_LOCAL, packed) + attribute(IFA_ADDRESS, packed)
    if len(packed) == 4:
        if prefix < 31:
            body += attribute(
                IFA_BROADCAST, IPv4Network((packed, prefix), strict=False).broadcast_address.packed
            )
    else:
        body += u32(IFA_FLAGS, IFA_F_NODAD | IFA_F_PERMANENT)
    return Request(
        RTM_NEWADDR, body, f"give {what} the address {ip}", NLM_F_CREATE | NLM_F_EXCL, IGNORE_EXISTING
    )


def default_route(index: int, gateway: str, what: str) -> Request:
    """The way out; replaces another one of the same family."""
    packed = ip_address(gateway).packed
    family = socket.AF_INET if len(packed) == 4 else socket.AF_INET6
    body = _ROUTE.pack(family, 0, 0, 0, RT_TABLE_MAIN, RTPROT_BOOT, RT_SCOPE_UNIVERSE, RTN_UNICAST, 0)
    body += attribute(RTA_GATEWAY, packed) + u32(RTA_OIF, index)
    return Request(RTM_NEWROUTE, body, f"route {what} through {gateway}", NLM_F_CREATE | NLM_F_REPLACE)


def find_request(name: str) -> Request:
    """Ask for one device; `parse` the answer. NetlinkError ENODEV when there is none."""
    return Request(RTM_GETLINK, _ifinfo() + text(IFLA_IFNAME, name), f"find {name}")


def parse(body: bytes) -> Link:
    """The answer to `find_request`."""
    found = attributes(body[16:])
    info = attributes(found.get(IFLA_LINKINFO, b""))
    return Link(
        index=_IFINFO.unpack_from(body)[2],
        name=found[IFLA_IFNAME].rstrip(b"\0").decode(),
        mtu=int.from_bytes(found.get(IFLA_MTU, b""), sys.byteorder),
        master=int.from_bytes(found.get(IFLA_MASTER, b""), sys.byteorder),
        kind=info.get(IFLA_INFO_KIND, b"").rstrip(b"\0").decode(),
    )


def find(netlink: Netlink, name: str) -> Link | None:
    """The device of that name."""
    try:
        return parse(netlink.call(find_request(name))[0][0])
    except NetlinkError as error:
        if error.errno in IGNORE_MISSING:
            return None
        raise


def all_links(netlink: Netlink) -> list[Link]:
    """Every device of the namespace."""
    return [parse(body) for body in netlink.dump(RTM_GETLINK, _ifinfo(), "list the network devices")]


def routed_networks(netlink: Netlink) -> list[tuple[IPv4Network | IPv6Network, int]]:
    """Destinations of the host's routes with the index of their device; default routes have prefix length 0."""
    found: list[tuple[IPv4Network | IPv6Network, int]] = []
    for family in (socket.AF_INET, socket.AF_INET6):
        body = _ROUTE.pack(family, 0, 0, 0, 0, 0, 0, 0, 0)
        for answer in netlink.dump(RTM_GETROUTE, body, "list the routes"):
            _, length, _, _, table, _, _, kind, _ = _ROUTE.unpack_from(answer)
            values = attributes(answer[12:])
            if table == RT_TABLE_LOCAL or kind != RTN_UNICAST:
                continue
            size = 4 if family == socket.AF_INET else 16
            packed = values.get(RTA_DST, bytes(size))
            index = int.from_bytes(values.get(RTA_OIF, b""), sys.byteorder)
            found.append((ip_network((packed, length), strict=False), index))
    return found


def default_mtu(netlink: Netlink) -> int:
    """MTU of the device that carries the host's default route; 1500 without one."""
    for network, index in routed_networks(netlink):
        if network.prefixlen == 0 and index:
            for link in all_links(netlink):
                if link.index == index:
                    return link.mtu
    return 1500
