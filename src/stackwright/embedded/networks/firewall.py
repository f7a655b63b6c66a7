"""The engine's packet rules: one nftables table, in which networks and published ports are elements of sets.

The rules themselves never change while the engine runs, so adding a network or a port is one small message:

    prerouting (raw)  from a bridge to 127.0.0.0/8: drop. route_localnet is on there, and must not open the
                      host's own loopback to containers
    prerouting, output (nat)   to an address of this host: ports by (address, protocol, port), then by
                      (protocol, port), to the container. Not for what comes from our own bridges: where
                      br_netfilter is loaded (by Docker, say), a container calling itself this way would have its
                      packet bridged back into the port it came from. As with Docker, the proxy serves those
    postrouting (nat) host's loopback → container, and everything that leaves the bridges: masquerade
    forward           within a bridge: accept. Internal networks: nothing in or out. Answers and published ports:
                      accept. Anything else towards a bridge (another network, the outside): drop
"""

from __future__ import annotations

import errno
import logging
from collections.abc import Iterable
from ipaddress import IPv4Address

from stackwright.embedded.kernel.userns import in_user_namespace
from stackwright.embedded.networks import nftables as nft
from stackwright.embedded.networks.netlink import NETLINK_NETFILTER, Netlink, NetlinkError, Request
from stackwright.embedded.networks.types import Network, PublishedPort

log = logging.getLogger(__name__)

_INVALID = 1
_ESTABLISHED_OR_RELATED = 2 | 4
_OFF = {"false", "0", "f"}
_ABSENT = (errno.EOPNOTSUPP, errno.EPROTONOSUPPORT, errno.EAFNOSUPPORT, errno.EPERM, errno.ENOENT)


def option_off(network: Network, name: str) -> bool:
    """Whether a boolean driver option (`com.docker.network.bridge.…`) was set to false."""
    return network.options.get(f"com.docker.network.bridge.{name}", "").lower() in _OFF


class Firewall:
    """Owner of the table `stackwright_<instance>`. Every method is safe to repeat."""

    def __init__(self, instance: str) -> None:
        self.table = f"stackwright_{instance}"
        self._netlink: Netlink | None = None
        self._elements: dict[str, dict[bytes, bytes]] = {}
        self._proved = False
        self.available = True
        """False once the kernel turned out to have no nf_tables (or not to let us): no NAT then, only proxies."""

    def reset(self, networks: Iterable[Network], ports: Iterable[PublishedPort]) -> None:
        """Make the table exactly this, in one transaction (start, recovery). Connections in progress go on."""
        wanted: dict[str, dict[bytes, bytes]] = {}
        for network in networks:
            for set_name, key, value in _network_elements(network):
                wanted.setdefault(set_name, {})[key] = value
        for published in ports:
            for set_name, key, value in _port_elements(published):
                wanted.setdefault(set_name, {})[key] = value
        self._elements = wanted
        self._commit(self._whole())

    def add_network(self, network: Network) -> None:
        self._add(_network_elements(network))

    def remove_network(self, network: Network) -> None:
        self._remove(_network_elements(network))

    def add_ports(self, ports: Iterable[PublishedPort]) -> None:
        self._add([element for published in ports for element in _port_elements(published)])

    def remove_ports(self, ports: Iterable[PublishedPort]) -> None:
        self._remove([element for published in ports for element in _port_elements(published)])

    def remove(self) -> None:
        """Delete the table."""
        self._elements = {}
        try:
            if self._netlink is None:
                self._netlink = Netlink.open(NETLINK_NETFILTER)
            if nft.has_table(self._netlink, self.table):
                self._commit([nft.delete_table(self.table)])
        except OSError as error:
            if error.errno not in _ABSENT:
                raise
        finally:
            self.close()

    def close(self) -> None:
        """Close the socket; the rules stay."""
        if self._netlink:
            self._netlink.close()
            self._netlink = None

    def _add(self, elements: Iterable[tuple[str, bytes, bytes]]) -> None:
        requests = []
        for name, key, value in elements:
            known = self._elements.setdefault(name, {})
            if key in known:
                if known[key] == value:
                    continue
                requests.append(nft.delete_elements(self.table, name, [(key, known[key])]))
            requests.append(nft.add_elements(self.table, name, [(key, value)]))
            known[key] = value
        self._change(requests)

    def _remove(self, elements: Iterable[tuple[str, bytes, bytes]]) -> None:
        requests = []
        for name, key, value in elements:
            if self._elements.get(name, {}).get(key) == value:
                del self._elements[name][key]
                requests.append(nft.delete_elements(self.table, name, [(key, value)]))
        self._change(requests)

    def _change(self, requests: list[Request]) -> None:
        """A few elements; the whole table if somebody (a reload of the host's own firewall) removed it."""
        if not requests:
            return
        try:
            self._commit(requests)
        except NetlinkError as error:
            if error.errno != errno.ENOENT:
                raise
            log.warning("nftables table %s was removed by somebody: made again", self.table)
            self._commit(self._whole())

    def _whole(self) -> list[Request]:
        """The table as it should be, replacing whatever is there."""
        requests = [nft.table(self.table), nft.delete_table(self.table), nft.table(self.table)]
        requests += _sets(self.table)
        chains = (*_CHAINS, _FROM_PASTA) if in_user_namespace() else _CHAINS
        requests += [nft.chain(self.table, *hook) for hook in chains]
        requests += [nft.rule(self.table, name, *matches) for name, matches in _rules(chains)]
        return requests + [
            nft.add_elements(self.table, name, known.items())
            for name, known in self._elements.items()
            if known
        ]

    def _commit(self, requests: list[Request]) -> None:
        if not self.available:
            return
        try:
            if self._netlink is None:
                self._netlink = Netlink.open(NETLINK_NETFILTER)
            nft.commit(self._netlink, requests)
            self._proved = True
        except OSError as error:
            if self._proved or error.errno not in _ABSENT:
                raise
            self.available = False
            log.warning("no nftables here (%s): no way out of the containers, ports only by proxy", error)


def _network_elements(network: Network) -> list[tuple[str, bytes, bytes]]:
    name = nft.ifname(network.bridge)
    found = [("bridges", name, b""), ("within", name + name, b"")]
    if network.internal:
        found.append(("internal", name, b""))
    elif not option_off(network, "enable_ip_masquerade"):
        found.append(("masqueraded", name, b""))
    return found


def _port_elements(published: PublishedPort) -> list[tuple[str, bytes, bytes]]:
    host = published.host_ip or "0.0.0.0"
    if ":" in host or ":" in published.container_ip or not published.container_ip:
        return []  # IPv6 goes through the monitor's proxy
    target = IPv4Address(published.container_ip).packed + nft.port(published.container_port)
    key = nft.protocol(published.proto) + nft.port(published.host_port)
    if host == "0.0.0.0":
        return [("ports", key, target)]
    return [("bound_ports", IPv4Address(host).packed + key, target)]


def _sets(table: str) -> list[Request]:
    return [
        nft.new_set(table, "bridges", 1, [nft.IFNAME], 16),
        nft.new_set(table, "internal", 2, [nft.IFNAME], 16),
        nft.new_set(table, "masqueraded", 3, [nft.IFNAME], 16),
        nft.new_set(table, "within", 4, [nft.IFNAME, nft.IFNAME], 32),
        nft.new_set(
            table, "ports", 5, [nft.INET_PROTO, nft.INET_SERVICE], 8, [nft.IPV4_ADDR, nft.INET_SERVICE], 8
        ),
        nft.new_set(
            table,
            "bound_ports",
            6,
            [nft.IPV4_ADDR, nft.INET_PROTO, nft.INET_SERVICE],
            12,
            [nft.IPV4_ADDR, nft.INET_SERVICE],
            8,
        ),
    ]


_CHAINS = (
    ("guard", "filter", nft.PREROUTING, -300),
    ("forward", "filter", nft.FORWARD, 0),
    ("prerouting", "nat", nft.PREROUTING, -100),
    ("output", "nat", nft.OUTPUT, -100),
    ("postrouting", "nat", nft.POSTROUTING, 100),
)


_FROM_PASTA = ("from_pasta", "filter", nft.INPUT, 0)
"""Only in an ordinary user's own network. pasta before 2023.04 announces windows in segments without any flag,
which connection tracking takes for nobody's: not translated, they would be answered with a reset by ourselves."""


def _rules(chains: Iterable[tuple[str, str, int, int]]) -> list[tuple[str, tuple[bytes, ...]]]:
    """(chain, expressions) in order; the module's docstring says them in words."""
    accept, drop = nft.verdict(nft.ACCEPT), nft.verdict(nft.DROP)
    from_bridge = nft.load_iifname() + nft.in_set("bridges")
    from_internal = nft.load_iifname() + nft.in_set("internal")
    within = nft.load_iifname(0) + nft.load_oifname(4) + nft.in_set("within")
    loopback = nft.mask(b"\xff\0\0\0") + nft.equal(b"\x7f\0\0\0")
    protocol_and_port = nft.load_l4proto(1) + nft.load_destination_port(2)
    bound = (
        nft.local_destination(),
        nft.load_network_header(16, 4, 0) + protocol_and_port + nft.map_to("bound_ports", 0, 0),
        nft.destination_nat(0),
    )
    anywhere = (
        nft.local_destination(),
        protocol_and_port + nft.map_to("ports", 1, 0),
        nft.destination_nat(0),
    )
    stray = [(_FROM_PASTA[0], (nft.connection_state(_INVALID), drop))] if _FROM_PASTA in chains else []
    return [
        *stray,
        ("guard", (from_bridge, nft.ipv4(), nft.load_network_header(16, 4) + loopback, drop)),
        ("prerouting", (from_bridge, accept)),
        ("prerouting", (nft.ipv4(), *bound)),
        ("prerouting", (nft.ipv4(), *anywhere)),
        ("output", (nft.ipv4(), *bound)),
        ("output", (nft.ipv4(), *anywhere)),
        (
            "postrouting",
            (
                nft.load_oifname() + nft.in_set("bridges"),
                nft.ipv4(),
                nft.load_network_header(12, 4) + loopback,
                nft.masquerade(),
            ),
        ),
        (
            "postrouting",
            (
                nft.load_iifname() + nft.in_set("masqueraded"),
                nft.load_oifname() + nft.in_set("bridges", invert=True),
                nft.masquerade(),
            ),
        ),
        ("forward", (within, accept)),
        ("forward", (from_internal, drop)),
        ("forward", (nft.load_oifname() + nft.in_set("internal"), drop)),
        (
            "forward",
            (
                nft.load_oifname() + nft.in_set("bridges"),
                nft.connection_state(_ESTABLISHED_OR_RELATED),
                accept,
            ),
        ),
        ("forward", (nft.load_oifname() + nft.in_set("bridges"), nft.translated_destination(), accept)),
        ("forward", (nft.load_oifname() + nft.in_set("bridges"), drop)),
    ]
