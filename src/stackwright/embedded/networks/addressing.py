"""Deciding subnets and addresses against what is taken: `ipam`'s functions, and the memory they need."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from stackwright.embedded.errors import BadParameter, Forbidden
from stackwright.embedded.networks import ipam
from stackwright.embedded.networks.store import Store
from stackwright.embedded.networks.types import Endpoint, Ipam, Network, Pool


class Addressing:
    """`routed(network)`: destinations of the host's routes, apart from those of the network itself."""

    def __init__(self, store: Store, routed: Callable[[Network], list[ipam.Subnet]]) -> None:
        self._store = store
        self._routed = routed
        self._last: dict[tuple[str, str], str] = {}
        self._cursor: dict[tuple[str, int], str] = {}

    def with_subnets(self, network: Network) -> Network:
        """Fill in the pools that the client left to us; they overlap with no route and no other network."""
        pools = () if network.chosen_subnets else network.ipam.config
        if network.enable_ipv4 and not any(":" not in pool.subnet for pool in pools):
            taken = self._routed(network)
            taken += [
                s for n in self._store.networks.values() if n.id != network.id for s in ipam.subnets(n.ipam)
            ]
            pools = (ipam.choose_subnet(taken), *pools)
        if network.enable_ipv6 and not any(":" in pool.subnet for pool in pools):
            pools = (*pools, ipam.unique_local_subnet(network.id))
        return msgspec.structs.replace(network, ipam=msgspec.structs.replace(network.ipam, config=pools))

    def still_fits(self, network: Network) -> bool:
        """Whether its subnets are complete and (if they were our choice, and nobody is in it yet) still free."""
        wanted = ((4, network.enable_ipv4), (6, network.enable_ipv6))
        if not all(ipam.pool_of(network.ipam, version) for version, enabled in wanted if enabled):
            return False
        if not network.chosen_subnets or self._store.in_network(network.id):
            return True
        taken = self._routed(network)
        return not any(ipam.overlap(own, other) for own in ipam.subnets(network.ipam) for other in taken)

    def refuse_overlap(self, plan: Ipam, in_use: Callable[[Network], bool]) -> None:
        """Forbidden when a wanted subnet is another network's. A choice of ours that is not in use gives way:
        it is made anew on first use.
        """
        for wanted in ipam.subnets(plan):
            for network in self._store.networks.values():
                if any(ipam.overlap(wanted, other) for other in ipam.subnets(network.ipam)):
                    if network.chosen_subnets and not in_use(network):
                        continue
                    raise Forbidden("Pool overlaps with other one on this address space")

    def with_addresses(
        self, endpoint: Endpoint, network: Network, ipv4: str, ipv6: str, mac: str
    ) -> Endpoint:
        """The endpoint with the addresses asked for, or free ones. Forbidden, BadParameter as `ipam.claim`."""
        if (ipv4 or ipv6) and network.chosen_subnets:
            raise BadParameter(
                f"invalid config for network {network.name}: invalid endpoint settings: user specified IP address is "
                "supported only when connecting to networks with user configured subnets"
            )
        four, pool4 = self._address(endpoint, network, 4, ipv4)
        six, pool6 = self._address(endpoint, network, 6, ipv6)
        return msgspec.structs.replace(
            endpoint,
            mac=mac or ipam.mac_of(four, endpoint.id),
            ipv4=four,
            ipv4_prefix=ipam.prefix_of(pool4),
            ipv4_gateway=pool4.gateway if pool4 and not network.internal else "",
            ipv6=six,
            ipv6_prefix=ipam.prefix_of(pool6),
            ipv6_gateway=pool6.gateway if pool6 and not network.internal else "",
        )

    def _address(
        self, endpoint: Endpoint, network: Network, version: int, asked: str
    ) -> tuple[str, Pool | None]:
        members = self._store.in_network(network.id)
        used = {member.ipv4 if version == 4 else member.ipv6 for member in members}
        if asked:
            return ipam.claim(network.ipam, asked, used)
        pool = ipam.pool_of(network.ipam, version)
        if pool is None:
            return "", None
        before = self._last.get((endpoint.container_id, network.id), "") if version == 4 else ""
        cursor = self._cursor.get((network.id, version), "")
        address = ipam.next_address(pool, used, after=cursor, preferred=before)
        self._cursor[network.id, version] = address
        return address, pool

    def remember(self, endpoint: Endpoint) -> None:
        """The endpoint was given back: the container gets the same address next time if it is still free."""
        self._last[endpoint.container_id, endpoint.network_id] = endpoint.ipv4

    def forget(self, network_id: str) -> None:
        """A network is gone."""
        self._last = {key: value for key, value in self._last.items() if key[1] != network_id}
        for version in (4, 6):
            self._cursor.pop((network_id, version), None)
