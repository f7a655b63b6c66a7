"""Networks' addresses: subnets that overlap, addresses outside of them or given twice."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from itertools import combinations
from typing import TYPE_CHECKING

from stackwright.checks.finding import Hit
from stackwright.checks.rule import ADVICE, ERROR, WARNING, rule
from stackwright.checks.subject import Subject
from stackwright.model.marks import Map

if TYPE_CHECKING:
    from stackwright.model.marks import Mark


def _subnet(text: object) -> IPv4Network | IPv6Network | None:
    try:
        return ip_network(str(text), strict=False)
    except ValueError:
        return None


def _address(text: object) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(str(text))
    except ValueError:
        return None


def _pools(subject: Subject) -> Iterator[tuple[str, Map, IPv4Network | IPv6Network, Mark]]:
    """``(network, pool, subnet, mark)`` for each subnet that the file gives."""
    for name, network in subject.section("networks").items():
        for pool in ((network or {}).get("ipam") or {}).get("config") or ():
            subnet = _subnet(pool.get("subnet")) if pool.get("subnet") else None
            if subnet is not None and not network.get("external"):
                yield name, pool, subnet, pool.mark_at("subnet")


@rule(
    "SW303",
    "subnets-overlap",
    ERROR,
    reason="The engine refuses to make a network whose addresses another one already has.",
    mend="give one of them other addresses, or leave the choice to the engine",
)
def subnets_overlap(subject: Subject) -> Iterator[Hit]:
    """Two networks of the project with overlapping subnets."""
    for (one, _, first, mark), (other, _, second, second_mark) in combinations(_pools(subject), 2):
        if first.version == second.version and first.overlaps(second):
            message = f'networks "{one}" ({first}) and "{other}" ({second}) overlap'
            yield Hit(
                message,
                second_mark,
                path=f"networks.{other}.ipam",
                related=((f'the subnet of "{one}"', mark),),
            )


@rule(
    "SW304",
    "subnet-of-host",
    WARNING,
    reason="The host already reaches these addresses another way: containers, or the host itself, would lose that network.",
    mend="choose addresses that the host does not use",
)
def subnet_of_host(subject: Subject) -> Iterator[Hit]:
    """A subnet that overlaps a network of the host (only with ``--host``)."""
    for name, _, subnet, mark in _pools(subject):
        for interface, network in subject.host.networks:
            if network.version == subnet.version and network.overlaps(subnet):
                message = f'network "{name}" ({subnet}) overlaps {network}, which this machine reaches by {interface}'
                yield Hit(message, mark, path=f"networks.{name}.ipam")


_DOCKER_POOLS = (
    *(IPv4Network(f"172.{second}.0.0/16") for second in range(17, 32)),
    IPv4Network("192.168.0.0/16"),
)


@rule(
    "SW305",
    "subnet-in-pool",
    ADVICE,
    reason="Docker takes addresses for other networks from this range by itself: whichever network comes second fails.",
    mend="leave out the subnet, or choose one outside 172.17-172.31 and 192.168",
)
def subnet_in_pool(subject: Subject) -> Iterator[Hit]:
    """A fixed subnet in the range from which Docker chooses."""
    for name, _, subnet, mark in _pools(subject):
        if isinstance(subnet, IPv4Network) and any(pool.overlaps(subnet) for pool in _DOCKER_POOLS):
            message = f'network "{name}" fixes {subnet}, in the range from which Docker gives addresses to other networks'
            yield Hit(message, mark, path=f"networks.{name}.ipam")


@rule(
    "SW311",
    "address-outside-subnet",
    ERROR,
    reason="The engine refuses an address that does not belong to the network.",
    mend="choose a free address of the subnet",
)
def address_outside_subnet(subject: Subject) -> Iterator[Hit]:
    """A static address or a gateway outside the subnets of its network, or one that no host can have."""
    pools: dict[str, list[tuple[Map, IPv4Network | IPv6Network]]] = {}
    for name, pool, subnet, _ in _pools(subject):
        pools.setdefault(name, []).append((pool, subnet))
        gateway = _address(pool.get("gateway"))
        if gateway is not None and gateway not in subnet:
            yield Hit(
                f'network "{name}": the gateway {gateway} is not in {subnet}',
                pool.mark_at("gateway"),
                path=f"networks.{name}.ipam",
            )
    for service in subject.each:
        for network, attachment in service.mapping("networks").items():
            for key in ("ipv4_address", "ipv6_address"):
                address = _address(attachment.get(key)) if type(attachment) is Map else None
                own = [
                    (pool, subnet)
                    for pool, subnet in pools.get(network, [])
                    if address is not None and subnet.version == address.version
                ]
                if address is None or not own:
                    continue
                mark = service.at("networks", network, key)
                fitting = next(((pool, subnet) for pool, subnet in own if address in subnet), None)
                if fitting is None:
                    yield service.hit(
                        f'has the address {address}, which is not in {own[0][1]} of network "{network}"',
                        mark,
                        "networks",
                    )
                elif (
                    address in (fitting[1].network_address, fitting[1].broadcast_address)
                    and fitting[1].prefixlen < 31
                ):
                    yield service.hit(
                        f"has the address {address}, which is the first or last of {fitting[1]} and no host's",
                        mark,
                        "networks",
                    )
                elif str(fitting[0].get("gateway") or "") == str(address):
                    yield service.hit(
                        f'has the address {address} of the gateway of network "{network}"', mark, "networks"
                    )


@rule(
    "SW312",
    "address-twice",
    ERROR,
    reason="An address belongs to one container: the second one cannot start.",
    mend="give each its own address",
)
def address_twice(subject: Subject) -> Iterator[Hit]:
    """Two services with the same static address on one network."""
    seen: dict[tuple[str, str], str] = {}
    for service in subject.each:
        for network, attachment in service.mapping("networks").items():
            for key in ("ipv4_address", "ipv6_address"):
                address = str(attachment.get(key) or "") if type(attachment) is Map else ""
                if not address:
                    continue
                other = seen.setdefault((network, address), service.name)
                if other != service.name and service.together_with(subject.services[other]):
                    mark = service.at("networks", network, key)
                    yield service.hit(
                        f'and "{other}" both have the address {address} on network "{network}"',
                        mark,
                        "networks",
                    )


@rule(
    "SW313",
    "address-without-subnet",
    ERROR,
    reason="An engine gives a container a chosen address only on a network whose subnet was chosen, too.",
    mend="give the network a subnet (ipam.config), or remove the address",
)
def address_without_subnet(subject: Subject) -> Iterator[Hit]:
    """A static address on a network without a subnet of its own."""
    with_subnet = {name for name, _, _, _ in _pools(subject)}
    networks = subject.section("networks")
    for service in subject.each:
        for network, attachment in service.mapping("networks").items():
            definition = networks.get(network) or {}
            if (
                network in with_subnet
                or definition.get("external")
                or network not in networks
                or "$" in str(definition)
            ):
                continue
            for key in ("ipv4_address", "ipv6_address"):
                if type(attachment) is Map and attachment.get(key):
                    mark = service.at("networks", network, key)
                    yield service.hit(
                        f'has the address {attachment[key]} on network "{network}", which has no subnet of its own',
                        mark,
                        "networks",
                    )
