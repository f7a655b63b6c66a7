"""Networks of the embedded engine: what the API and the container manager call.

Order around a container's life:

    endpoint = await networks.allocate(network, container_id, names=…)      # address reserved, survives the engine
    dns = networks.dns_table(container_id)                                  # path for DnsConfig.tables
    await networks.attach(endpoint, sandbox, "eth0", default_route=True)    # between SandboxReady and Go
    await networks.publish(container_id, ports)                             # numbers as the monitor bound them
    …
    await networks.unpublish(container_id)                                  # after the container ended
    await networks.release(endpoint)                                        # address free, names gone
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stackwright.embedded.networks.types import Endpoint, Ipam, Network, PublishedPort, Sandbox
from stackwright.embedded.state import Database


class NetworkService:
    """All networks of one engine (one state directory). Raises the errors of `embedded.errors`."""

    def __init__(self, database: Database, root: Path, instance: str) -> None:
        """`root`: folder for the DNS tables (`<state dir>/networks`); `instance`: six hex digits of this engine."""
        raise NotImplementedError

    async def start(self) -> None:
        """Load the networks, make the predefined ones known. Touches no device: bridges come with first use."""
        raise NotImplementedError

    async def recover(self, running: Mapping[str, int]) -> None:
        """After a restart: adopt what belongs to the `running` containers (id → pid of init), remove the rest.

        Endpoints and port rules of containers that are not in `running` are released; bridges, veths and nft
        rules of ours that nobody needs are removed, missing ones are made again.
        """
        raise NotImplementedError

    async def close(self, *, keep_devices: bool) -> None:
        """Engine's end. `keep_devices=False` (nothing runs): remove every device and rule of ours."""
        raise NotImplementedError

    async def create(
        self,
        name: str,
        *,
        driver: str = "bridge",
        ipam: Ipam | None = None,
        internal: bool = False,
        labels: Mapping[str, str] | None = None,
        options: Mapping[str, str] | None = None,
        attachable: bool = False,
        enable_ipv4: bool = True,
        enable_ipv6: bool = False,
    ) -> Network:
        """POST /networks/create. Conflict on a name in use, Forbidden on overlapping pools, BadParameter else."""
        raise NotImplementedError

    def get(self, reference: str) -> Network:
        """By full name, id, or unambiguous id prefix; NotFound "network x not found"."""
        raise NotImplementedError

    def list(self, filters: Mapping[str, Sequence[str]] | None = None) -> list[Network]:
        """GET /networks; filters: name, id, driver, label, scope, type (custom, builtin), dangling."""
        raise NotImplementedError

    async def remove(self, reference: str) -> Network:
        """Forbidden for predefined networks and while endpoints are active (Docker's texts)."""
        raise NotImplementedError

    async def prune(self, filters: Mapping[str, Sequence[str]] | None = None) -> list[Network]:
        """Remove custom networks without endpoints; filters: label, label!, until. The removed ones."""
        raise NotImplementedError

    async def allocate(
        self,
        network: Network,
        container_id: str,
        *,
        ipv4: str = "",
        ipv6: str = "",
        mac: str = "",
        names: Sequence[str] = (),
        aliases: Sequence[str] = (),
        links: Mapping[str, str] | None = None,
    ) -> Endpoint:
        """Reserve addresses and publish the names. For host and none: an endpoint without addresses.

        `names`: container name, short id, hostname; `aliases`: as asked for (shown by inspect, resolved too).
        """
        raise NotImplementedError

    async def release(self, endpoint: Endpoint) -> None:
        """Give the addresses back and withdraw the names; safe to call twice."""
        raise NotImplementedError

    async def attach(
        self, endpoint: Endpoint, sandbox: Sandbox, ifname: str, default_route: bool
    ) -> Endpoint:
        """Wire the endpoint: bridge if missing, veth, lo up, addresses, routes. Returns it with `ifname` set.

        An endpoint of host or none only brings lo up (none) or does nothing (host).
        """
        raise NotImplementedError

    async def detach(self, endpoint: Endpoint, sandbox: Sandbox | None = None) -> None:
        """Take the interface away from a running container; not needed for one that ended (the veth dies with it)."""
        raise NotImplementedError

    def endpoints(self, *, container_id: str = "", network_id: str = "") -> list[Endpoint]:
        """Endpoints of a container or of a network, in the order of allocation."""
        raise NotImplementedError

    def dns_table(self, container_id: str) -> Path:
        """The container's own table file for `DnsConfig.tables`; follows connect and disconnect while it runs."""
        raise NotImplementedError

    async def publish(self, container_id: str, ports: Sequence[PublishedPort]) -> None:
        """Add the kernel's shortcuts (nft DNAT) for ports that the monitor listens on; no-op where nft is absent."""
        raise NotImplementedError

    async def unpublish(self, container_id: str) -> None:
        """Remove the shortcuts of a container; safe to call twice."""
        raise NotImplementedError

    def published(self, container_id: str) -> list[PublishedPort]:
        """What `publish` was last told for this container (kept in SQLite)."""
        raise NotImplementedError

    def inspect(self, network: Network, container_names: Mapping[str, str]) -> dict[str, Any]:
        """Engine API `Network`; `container_names` (id → name) fills `Containers`."""
        raise NotImplementedError

    def endpoint_settings(self, endpoint: Endpoint) -> dict[str, Any]:
        """Engine API `EndpointSettings` of a running container's endpoint (`NetworkSettings.Networks[name]`)."""
        raise NotImplementedError
