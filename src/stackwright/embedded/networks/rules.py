"""Everything that lets packets through: forwarding, our nftables table, and a pass through foreign iptables.

Made with the first use of a network in an engine's life, removed when nothing runs any more.
"""

from __future__ import annotations

from collections.abc import Iterable

from stackwright.embedded.networks import host
from stackwright.embedded.networks.firewall import Firewall
from stackwright.embedded.networks.types import Network, PublishedPort

_OUR_BRIDGES = "sw+"


class HostRules:
    """Owner of the engine's packet rules on the host. Every method is safe to repeat."""

    def __init__(self, instance: str) -> None:
        self._firewall = Firewall(instance)
        self._pass = host.ForwardPass(instance)
        self._made = False

    def make(self, networks: Iterable[Network], ports: Iterable[PublishedPort]) -> None:
        """Exactly these networks and ports, in one transaction; connections in progress go on."""
        networks = list(networks)
        host.enable_forwarding(ipv6=any(network.enable_ipv6 for network in networks))
        self._firewall.reset(networks, ports)
        for network in networks:
            self.let_through(network)
        self._made = True

    def admit(self, network: Network, ports: Iterable[PublishedPort]) -> None:
        """A network came into use. `ports`: those already published, should the table have to be made."""
        if not self._made:
            self.make([network], ports)
            return
        if network.enable_ipv6:
            host.enable_forwarding(ipv6=True)
        self._firewall.add_network(network)
        self.let_through(network)

    def let_through(self, network: Network) -> None:
        """See to it that a FORWARD policy of DROP (which Docker may set at any time) does not stop the network."""
        pattern = _OUR_BRIDGES if network.bridge.startswith("sw") else network.bridge
        self._pass.ensure(pattern, ipv6=network.enable_ipv6)

    def dismiss(self, network: Network) -> None:
        """A network is gone."""
        self._firewall.remove_network(network)

    def publish(self, ports: Iterable[PublishedPort]) -> None:
        self._firewall.add_ports(ports)

    def unpublish(self, ports: Iterable[PublishedPort]) -> None:
        self._firewall.remove_ports(ports)

    def remove(self) -> None:
        """Leave nothing. Takes the kernel some 10 ms: call it in a thread."""
        self._firewall.remove()
        self._pass.remove()
        self._made = False

    def close(self) -> None:
        """Close the sockets; the rules stay."""
        self._firewall.close()
