"""Bridges and veth pairs: the devices behind networks and endpoints.

An attach is three system calls' worth of netlink: one message makes the pair, with one end on the bridge and the
other already inside the container; two batches configure the inside. About a millisecond in all.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable
from ipaddress import ip_network

from stackwright.embedded.networks import links
from stackwright.embedded.networks.firewall import option_off
from stackwright.embedded.networks.host import sysctl
from stackwright.embedded.networks.ipam import Subnet, mac_of
from stackwright.embedded.networks.netlink import Netlink, NetlinkError, Request
from stackwright.embedded.networks.types import Endpoint, Network, Sandbox

_MTU_OPTION = "com.docker.network.driver.mtu"


class Wiring:
    """Owner of the host's netlink socket and of the devices of one engine."""

    def __init__(self) -> None:
        self._socket: Netlink | None = None
        self._bridges: dict[str, links.Link] = {}

    @property
    def _netlink(self) -> Netlink:
        if self._socket is None:
            self._socket = Netlink.open()
        return self._socket

    def close(self) -> None:
        if self._socket:
            self._socket.close()
            self._socket = None
        self._bridges.clear()

    # --- bridges -----------------------------------------------------------------------------------------------

    def find_bridge(self, network: Network) -> links.Link | None:
        """The bridge of `network` if it is there (asks the kernel)."""
        found = links.find(self._netlink, network.bridge)
        if found:
            self._bridges[network.id] = found
        else:
            self._bridges.pop(network.id, None)
        return found

    def has_bridge(self, network: Network) -> bool:
        """Whether this process made or saw the bridge (asks nobody)."""
        return network.id in self._bridges

    def create_bridge(self, network: Network) -> None:
        """Make the bridge, or complete one that a killed engine left half made."""
        mtu = int(network.options.get(_MTU_OPTION, "0") or 0) or links.default_mtu(self._netlink)
        if not self.find_bridge(network):
            self._netlink.call(links.bridge(network.bridge, mac_of("", network.id), mtu))
        bridge = self.find_bridge(network)
        if bridge is None:
            raise NetlinkError(errno.ENODEV, f"bridge {network.bridge} vanished while it was made")
        requests = [
            links.address(bridge.index, pool.gateway, ip_network(pool.subnet).prefixlen, network.bridge)
            for pool in network.ipam.config
        ]
        sysctl(f"ipv4/conf/{network.bridge}/route_localnet", "1")
        self._netlink.call(*requests, links.up(bridge.index, network.bridge, ipv6=network.enable_ipv6))

    def remove_bridges(self, networks: Iterable[Network]) -> None:
        """Remove bridges with everything on them. Takes the kernel some 10 ms each: call it in a thread."""
        names = []
        with Netlink.open() as netlink:
            indexes = set()
            for network in networks:
                self._bridges.pop(network.id, None)
                bridge = links.find(netlink, network.bridge)
                if bridge and bridge.kind == "bridge":
                    indexes.add(bridge.index)
                    names.append(bridge.name)
            if indexes:
                ports = [link.name for link in links.all_links(netlink) if link.master in indexes]
                netlink.call(*(links.delete(name) for name in (*ports, *names)))

    def routed_elsewhere(self, network: Network) -> list[Subnet]:
        """Destinations of the host's routes, except over the network's own bridge and default routes."""
        own = links.find(self._netlink, network.bridge)
        return [
            subnet
            for subnet, index in links.routed_networks(self._netlink)
            if subnet.prefixlen and not (own and index == own.index)
        ]

    # --- endpoints ---------------------------------------------------------------------------------------------

    def connect(
        self, network: Network, endpoint: Endpoint, sandbox: Sandbox, ifname: str, *, default_route: bool
    ) -> None:
        """Make the pair and configure the inside. Undone when it fails half-way."""
        bridge = self._bridges[network.id]
        host = endpoint.host_ifname
        self._netlink.call(links.veth(host, bridge.index, sandbox.netns, ifname, endpoint.mac, bridge.mtu))
        try:
            if option_off(network, "enable_icc"):
                self._isolate(host)
            with Netlink.of_descriptor(sandbox.netlink) as inside:
                answers = inside.call(links.up(links.LOOPBACK, "lo"), links.find_request(ifname))
                index = links.parse(answers[1][0]).index
                requests = []
                if endpoint.ipv4:
                    requests.append(links.address(index, endpoint.ipv4, endpoint.ipv4_prefix, ifname))
                if endpoint.ipv6:
                    requests.append(links.address(index, endpoint.ipv6, endpoint.ipv6_prefix, ifname))
                requests.append(links.up(index, ifname, ipv6=bool(endpoint.ipv6)))
                if default_route:
                    requests += _default_routes(index, endpoint)
                inside.call(*requests)
        except OSError:
            self._netlink.call(links.delete(host))
            raise

    def loopback_up(self, sandbox: Sandbox) -> None:
        """Only `lo`: network `none`."""
        with Netlink.of_descriptor(sandbox.netlink) as inside:
            inside.call(links.up(links.LOOPBACK, "lo"))

    def route_through(self, endpoint: Endpoint, sandbox: Sandbox) -> None:
        """Make the endpoint's gateway the container's way out (after the one that was it left)."""
        with Netlink.of_descriptor(sandbox.netlink) as inside:
            link = links.find(inside, endpoint.ifname)
            if link:
                inside.call(*_default_routes(link.index, endpoint))

    def disconnect(self, endpoint: Endpoint) -> None:
        """Remove the pair; takes the kernel some 10 ms: call it in a thread."""
        with Netlink.open() as netlink:
            netlink.call(links.delete(endpoint.host_ifname))

    def ports(self, network: Network) -> dict[str, links.Link]:
        """Devices on the network's bridge by name."""
        bridge = self.find_bridge(network)
        if bridge is None:
            return {}
        return {link.name: link for link in links.all_links(self._netlink) if link.master == bridge.index}

    def remove_links(self, names: Iterable[str]) -> None:
        """Remove devices by name; missing ones are no error."""
        requests = [links.delete(name) for name in names]
        if requests:
            self._netlink.call(*requests)

    def _isolate(self, name: str) -> None:
        port = links.find(self._netlink, name)
        if port:
            self._netlink.call(links.isolate(port.index, name))


def _default_routes(index: int, endpoint: Endpoint) -> list[Request]:
    gateways = [gateway for gateway in (endpoint.ipv4_gateway, endpoint.ipv6_gateway) if gateway]
    return [links.default_route(index, gateway, endpoint.ifname or "the container") for gateway in gateways]
