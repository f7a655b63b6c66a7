"""The values of the network layer: networks, their address plans, and a container's place in one of them.

Stored in SQLite as JSON, hence plain types throughout; addresses are canonical text ("172.18.0.2", "fd00::2").
"""

from __future__ import annotations

from typing import Protocol

import msgspec

PREDEFINED = ("bridge", "host", "none")


class Pool(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of `IPAM.Config`: a subnet of a network. Empty strings mean "not given"."""

    subnet: str
    gateway: str = ""
    ip_range: str = ""
    aux_addresses: dict[str, str] = {}


class Ipam(msgspec.Struct, frozen=True, kw_only=True):
    """Address management of a network as the Engine API has it (`IPAM`)."""

    driver: str = "default"
    options: dict[str, str] = {}
    config: tuple[Pool, ...] = ()


class Network(msgspec.Struct, frozen=True, kw_only=True):
    """A network; `created` is RFC 3339 with nanoseconds. Immutable: one is removed and created anew."""

    id: str
    name: str
    created: str
    driver: str = "bridge"
    scope: str = "local"
    internal: bool = False
    attachable: bool = False
    ingress: bool = False
    enable_ipv4: bool = True
    enable_ipv6: bool = False
    ipam: Ipam = Ipam()
    chosen_subnets: bool = False
    """The subnets were the engine's choice, so it may choose others while nobody is in the network."""
    options: dict[str, str] = {}
    labels: dict[str, str] = {}

    @property
    def bridge(self) -> str:
        """Name of the bridge device: `sw` and eight digits of the id (or the driver option's name)."""
        return self.options.get("com.docker.network.bridge.name") or f"sw{self.id[:8]}"

    @property
    def predefined(self) -> bool:
        return self.name in PREDEFINED

    @property
    def resolves_names(self) -> bool:
        """Containers find each other by name here: on every network but the default bridge, as in Docker."""
        return self.driver == "bridge" and self.name != "bridge"


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """A container's place in a network, from `allocate` to `release`.

    `names` are what other containers of the network may call it (container name, short id, hostname, aliases);
    `links` maps a name only this container may use to the name it stands for. Empty strings: no such address.
    """

    id: str
    network_id: str
    container_id: str
    mac: str
    ipv4: str = ""
    ipv4_prefix: int = 0
    ipv4_gateway: str = ""
    ipv6: str = ""
    ipv6_prefix: int = 0
    ipv6_gateway: str = ""
    names: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    links: dict[str, str] = {}
    ifname: str = ""
    """Interface inside the container; set by `attach`, empty before."""

    @property
    def host_ifname(self) -> str:
        """The veth's end on the host: `swv` and eleven digits of the endpoint's id (15 bytes, the limit)."""
        return f"swv{self.id[:11]}"


class PublishedPort(msgspec.Struct, frozen=True, kw_only=True):
    """A port that is really published: numbers are final (no 0, no range). `host_ip` "" means all addresses."""

    proto: str
    host_ip: str
    host_port: int
    container_ip: str
    container_port: int


class Sandbox(Protocol):
    """What the network layer needs of a container's network namespace: two file descriptors.

    `netns` refers to the namespace (`/proc/<pid>/ns/net`), `netlink` is an AF_NETLINK/NETLINK_ROUTE socket that
    was opened inside it. Both stay the caller's to close.
    """

    @property
    def netns(self) -> int: ...

    @property
    def netlink(self) -> int: ...
