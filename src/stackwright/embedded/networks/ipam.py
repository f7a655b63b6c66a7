"""Address management: which subnet a network gets, which address a container gets. Pure functions over values."""

from __future__ import annotations

import hashlib
from collections.abc import Container, Iterable, Iterator
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

from stackwright.embedded.errors import BadParameter, Forbidden, NotFound
from stackwright.embedded.networks.types import Ipam, Pool

Address = IPv4Address | IPv6Address
Subnet = IPv4Network | IPv6Network

DEFAULT_BRIDGE = IPv4Network("172.17.0.0/16")


def default_pools() -> Iterator[IPv4Network]:
    """Docker's default address pools: 172.17-172.31 as /16, then 192.168 in pieces of /20."""
    yield from (IPv4Network(f"172.{second}.0.0/16") for second in range(17, 32))
    yield from IPv4Network("192.168.0.0/16").subnets(new_prefix=20)


def choose_subnet(taken: Iterable[Subnet]) -> Pool:
    """The first default pool that overlaps nothing in `taken`. Forbidden when none is left."""
    used = [network for network in taken if isinstance(network, IPv4Network)]
    for candidate in default_pools():
        if not any(candidate.overlaps(other) for other in used):
            return Pool(subnet=str(candidate), gateway=str(candidate[1]))
    raise Forbidden(
        "could not find an available, non-overlapping IPv4 address pool among the defaults to assign to the network"
    )


def unique_local_subnet(seed: str) -> Pool:
    """An IPv6 /64 out of fd00::/8 that follows from `seed` (RFC 4193 asks for randomness; the id is random)."""
    digest = hashlib.sha256(seed.encode()).digest()
    network = IPv6Network((b"\xfd" + digest[:7] + bytes(8), 64))
    return Pool(subnet=str(network), gateway=str(network[1]))


def parse(ipam: Ipam) -> Ipam:
    """What a client sent → canonical pools with their gateways. BadParameter names what is wrong."""
    if ipam.driver not in ("", "default"):
        raise NotFound(f'could not find plugin {ipam.driver} in plugin registry: "{ipam.driver}" not found')
    pools = tuple(_parse_pool(pool) for pool in ipam.config if pool.subnet or pool.gateway or pool.ip_range)
    for position, pool in enumerate(pools):
        for other in pools[:position]:
            if overlap(ip_network(pool.subnet), ip_network(other.subnet)):
                raise Forbidden("Pool overlaps with other one on this address space")
    return Ipam(driver="default", options=dict(ipam.options), config=pools)


def _parse_pool(pool: Pool) -> Pool:
    if not pool.subnet:
        raise BadParameter("invalid network config: every IPAM config needs a subnet")
    try:
        network = ip_network(pool.subnet, strict=False)
    except ValueError:
        raise BadParameter(f"invalid subnet {pool.subnet}: not an address block in CIDR notation") from None
    if network.num_addresses < 4:
        raise BadParameter(f"invalid subnet {pool.subnet}: too small for a gateway and a container")
    gateway = _inside(pool.gateway.partition("/")[0], network, "gateway") if pool.gateway else network[1]
    ip_range = ""
    if pool.ip_range:
        try:
            inner = ip_network(pool.ip_range, strict=False)
        except ValueError:
            raise BadParameter(
                f"invalid ip-range {pool.ip_range}: not an address block in CIDR notation"
            ) from None
        if inner.version != network.version or not (inner[0] in network and inner[-1] in network):
            raise BadParameter(
                f"invalid ip-range {pool.ip_range}: parent subnet {network} doesn't contain ip-range"
            )
        ip_range = str(inner)
    aux = {
        name: str(_inside(value, network, "auxiliary address")) for name, value in pool.aux_addresses.items()
    }
    return Pool(subnet=str(network), gateway=str(gateway), ip_range=ip_range, aux_addresses=aux)


def _inside(text: str, network: Subnet, what: str) -> Address:
    try:
        found = ip_address(text)
    except ValueError:
        raise BadParameter(f"invalid {what} {text}: not an IP address") from None
    if found not in network:
        raise BadParameter(f"invalid {what} {text}: parent subnet {network} doesn't contain it")
    return found


def overlap(one: Subnet, other: Subnet) -> bool:
    """Whether two blocks share addresses; never across families."""
    if isinstance(one, IPv4Network) and isinstance(other, IPv4Network):
        return one.overlaps(other)
    if isinstance(one, IPv6Network) and isinstance(other, IPv6Network):
        return one.overlaps(other)
    return False


def subnets(ipam: Ipam) -> list[Subnet]:
    """The blocks of a plan."""
    return [ip_network(pool.subnet) for pool in ipam.config]


def pool_of(ipam: Ipam, version: int) -> Pool | None:
    """The first pool of a family (4 or 6)."""
    return next((pool for pool in ipam.config if ip_network(pool.subnet).version == version), None)


def prefix_of(pool: Pool | None) -> int:
    """Prefix length of a pool's subnet; 0 without a pool."""
    return ip_network(pool.subnet).prefixlen if pool else 0


def claim(ipam: Ipam, text: str, used: Container[str]) -> tuple[str, Pool]:
    """A given (static) address: canonical text and its pool. BadParameter outside, Forbidden when in use."""
    try:
        wanted = ip_address(text)
    except ValueError:
        raise BadParameter(f"invalid IP address: {text}") from None
    for pool in ipam.config:
        network = ip_network(pool.subnet)
        if wanted in network:
            if wanted in (network.network_address, network.broadcast_address) and wanted.version == 4:
                raise BadParameter(f"invalid IP address: {text} is the network's own or broadcast address")
            if str(wanted) in used or str(wanted) in _reserved(pool):
                raise Forbidden("Address already in use")
            return str(wanted), pool
    raise BadParameter(f"invalid endpoint settings: no configured subnet contains IP address {text}")


def next_address(pool: Pool, used: Container[str], after: str = "", preferred: str = "") -> str:
    """A free address: `preferred` if it can be had, else the next one behind `after`, round the pool.

    Going round (rather than taking the lowest) keeps the address of a container that just ended from meaning
    another one at once. Forbidden when the pool is exhausted.
    """
    block = ip_network(pool.ip_range or pool.subnet)
    whole = ip_network(pool.subnet)
    reserved = _reserved(pool)

    def free(candidate: Address) -> bool:
        text = str(candidate)
        edge = candidate == whole.network_address or (
            whole.version == 4 and candidate == whole.broadcast_address
        )
        return not edge and text not in used and text not in reserved

    if preferred and ip_address(preferred) in block and free(ip_address(preferred)):
        return preferred
    count = block.num_addresses
    start = 0
    if after and ip_address(after) in block:
        start = int(ip_address(after)) - int(block[0]) + 1
    for step in range(min(count, 1 << 17)):
        candidate = block[(start + step) % count]
        if free(candidate):
            return str(candidate)
    raise Forbidden(
        f"no available IPv{block.version} addresses on this network's address pools: {pool.subnet}"
    )


def _reserved(pool: Pool) -> set[str]:
    return {pool.gateway, *pool.aux_addresses.values()}


def mac_of(ipv4: str, seed: str) -> str:
    """Docker's MAC addresses: 02:42 and the IPv4 address, so that a reused address needs no new ARP entry."""
    tail = IPv4Address(ipv4).packed if ipv4 else hashlib.sha256(seed.encode()).digest()[:4]
    return "02:42:" + tail.hex(":")
