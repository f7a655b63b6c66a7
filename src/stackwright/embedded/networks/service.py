"""Networks of the embedded engine: what the API and the container manager call.

Order around a container's life:

    endpoint = await networks.allocate(network, container_id, names=…)     # address reserved, survives the engine
    dns = networks.dns_table(container_id)                                 # path for DnsConfig.tables
    await networks.attach(endpoint, sandbox, "eth0", default_route=True)   # between SandboxReady and Go
    await networks.publish(container_id, ports)                            # numbers as the monitor bound them
    …
    await networks.unpublish(container_id)                                 # after the container ended
    await networks.release(endpoint)                                       # address free, names gone
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from stackwright.embedded.errors import EngineError, Forbidden
from stackwright.embedded.ids import new_id
from stackwright.embedded.networks import definition, host, render
from stackwright.embedded.networks.addressing import Addressing
from stackwright.embedded.networks.adoption import adopt_endpoints, forget_ended
from stackwright.embedded.networks.conntrack import forget_datagrams
from stackwright.embedded.networks.directory import Directory
from stackwright.embedded.networks.ipam import parse as parse_plan
from stackwright.embedded.networks.names import NameTables
from stackwright.embedded.networks.netlink import NetlinkError
from stackwright.embedded.networks.rules import HostRules
from stackwright.embedded.networks.store import Store
from stackwright.embedded.networks.types import (
    PREDEFINED,
    Endpoint,
    Ipam,
    Network,
    PublishedPort,
    Sandbox,
)
from stackwright.embedded.networks.wiring import Wiring
from stackwright.embedded.state import Database

log = logging.getLogger(__name__)

BREATH = 0.02
"""Seconds before a removed network's devices go: whoever removed it mostly has other requests, which would wait for that."""


class NetworkService:
    """All networks of one engine (one state directory). Raises the errors of `embedded.errors`."""

    def __init__(self, database: Database, root: Path, instance: str) -> None:
        """`root`: folder for the DNS tables (`<state dir>/networks`); `instance`: six hex digits of this engine."""
        self._store = Store(database)
        self._tables = NameTables(root)
        self._directory = Directory(self._store, self._tables)
        self._wiring = Wiring()
        self._addressing = Addressing(self._store, self._wiring.routed_elsewhere)
        self._rules = HostRules(instance)
        self._leaving: dict[str, asyncio.Task[None]] = {}

    # --- the engine's life -------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Load the networks, make the predefined ones known. Touches no device: bridges come with first use."""
        self._store.load()
        self._tables.prepare()
        known = {network.name for network in self._store.networks.values()}
        for name in PREDEFINED:
            if name not in known:
                network = definition.predefined(name, new_id())
                if name == "bridge":
                    network = self._addressing.with_subnets(network)
                self._store.put_network(network)

    async def recover(self, running: Mapping[str, int]) -> None:
        """After a restart: adopt what belongs to the `running` containers (id → pid of init), remove the rest.

        Endpoints and port rules of containers that are not in `running` are released; bridges, veths and nft
        rules of ours that nobody needs are removed, missing ones are made again.
        """
        await asyncio.to_thread(self._wiring.remove_bridges, self._store.left)
        for network in self._store.left:
            self._store.drop_network(network.id)
        forget_ended(self._store, running)
        self._tables.keep_only(set(self._store.networks), set(running))
        used = {endpoint.network_id for endpoint in self._store.endpoints.values()}
        networks = [n for n in self._store.networks.values() if n.driver == "bridge"]
        await asyncio.to_thread(self._wiring.remove_bridges, [n for n in networks if n.id not in used])
        if not used:
            await asyncio.to_thread(self._rules.remove)
            return
        for network in networks:
            if network.id in used:
                self._wiring.create_bridge(network)
                adopt_endpoints(network, running, self._store, self._wiring)
                self._directory.publish(network)
        for container_id in running:
            self._directory.place(container_id)
        self._rules.make((n for n in networks if n.id in used), self._all_ports())

    async def close(self, *, keep_devices: bool) -> None:
        """Engine's end. `keep_devices=False` (nothing runs): remove every device and rule of ours."""
        await self._departures()
        self._directory.settle()
        if not keep_devices:
            bridges = [n for n in self._store.networks.values() if n.driver == "bridge"]
            await asyncio.to_thread(self._wiring.remove_bridges, bridges)
            await asyncio.to_thread(self._rules.remove)
            self._tables.clear()
        self._rules.close()
        self._wiring.close()

    # --- networks ----------------------------------------------------------------------------------------------

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
        plan = parse_plan(ipam or Ipam())
        if plan.config:  # addresses that are only just leaving are free; others are chosen beside them
            await self._departures()
        definition.check_request(name, driver or "bridge", options or {}, list(self._present().values()))
        self._addressing.refuse_overlap(plan, self._wiring.has_bridge)
        network = definition.build(
            new_id(),
            name,
            ipam=plan,
            chosen_subnets=not plan.config,
            internal=internal,
            labels=labels or {},
            options=options or {},
            attachable=attachable,
            enable_ipv4=enable_ipv4,
            enable_ipv6=enable_ipv6,
        )
        try:
            return self._make_bridge(network)
        except (OSError, EngineError) as error:
            self._store.drop_network(network.id)
            if isinstance(error, EngineError):
                raise
            raise EngineError(f"network {name} could not be made: {error.strerror}") from error

    def get(self, reference: str) -> Network:
        """By full name, id, or unambiguous id prefix; NotFound "network x not found"."""
        return definition.find(reference, self._present())

    def _present(self) -> dict[str, Network]:
        return {key: n for key, n in self._store.networks.items() if key not in self._leaving}

    def list(self, filters: Mapping[str, Sequence[str]] | None = None) -> tuple[Network, ...]:
        """GET /networks; filters: name, id, driver, label, scope, type (custom, builtin), dangling."""
        return definition.select(self._present(), self._store.endpoints, filters or {})

    async def remove(self, reference: str) -> Network:
        """Forbidden for predefined networks and while endpoints are active (Docker's texts).

        The network is gone for everybody when this returns; its bridge follows within the tenths of a second that
        the kernel takes for it. Whoever asks for certain addresses waits for that, so that they are free again.
        """
        network = self.get(reference)
        if network.predefined:
            raise Forbidden(f"{network.name} is a pre-defined network and cannot be removed")
        if self._store.in_network(network.id):
            raise Forbidden(
                f"error while removing network: network {network.name} id {network.id} has active endpoints"
            )
        self._store.leave(network)
        self._directory.leave(network.id)
        self._leaving[network.id] = asyncio.create_task(
            self._depart(network), name=f"remove {network.bridge}"
        )
        return network

    async def _depart(self, network: Network) -> None:
        await asyncio.sleep(BREATH)
        try:
            await asyncio.to_thread(self._wiring.remove_bridges, [network])
            self._rules.dismiss(network)
            self._directory.drop(network.id)
            self._store.drop_network(network.id)
            self._addressing.forget(network.id)
        except OSError as error:
            log.warning("the next engine removes what is left of network %s: %s", network.name, error)
            self._store.networks.pop(network.id, None)
        finally:
            del self._leaving[network.id]

    async def _departures(self) -> None:
        if self._leaving:
            await asyncio.wait(set(self._leaving.values()))

    async def prune(self, filters: Mapping[str, Sequence[str]] | None = None) -> tuple[Network, ...]:
        """Remove custom networks without endpoints; filters: label, label!, until. The removed ones."""
        found = definition.prunable(self._present(), self._store.endpoints, filters or {})
        return tuple([await self.remove(network.id) for network in found])

    # --- endpoints ---------------------------------------------------------------------------------------------

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
        `links` maps aliases to container names. BadParameter or Forbidden for an address that cannot be had.
        """
        network = self.get(network.id)
        endpoint = Endpoint(
            id=new_id(),
            network_id=network.id,
            container_id=container_id,
            mac="",
            names=tuple(names),
            aliases=tuple(aliases),
            links=dict(links or {}),
        )
        if network.driver == "bridge":
            network = self._make_bridge(network)
            endpoint = self._addressing.with_addresses(endpoint, network, ipv4, ipv6, mac)
        self._store.put_endpoint(endpoint)
        self._directory.publish(network)
        self._directory.place(container_id)
        return endpoint

    async def release(self, endpoint: Endpoint, *, ended: bool = False) -> None:
        """Give the addresses back and withdraw the names; safe to call twice.

        `ended`: its container has, so that nobody minds if the names are found a moment longer.
        """
        if endpoint.id not in self._store.endpoints:
            return
        self._store.drop_endpoint(endpoint.id)
        self._addressing.remember(endpoint)
        self._directory.withdraw(endpoint)
        if not ended:
            self._directory.settle()

    async def attach(
        self, endpoint: Endpoint, sandbox: Sandbox, ifname: str, default_route: bool
    ) -> Endpoint:
        """Wire the endpoint: bridge if missing, veth, lo up, addresses, routes. Returns it with `ifname` set.

        An endpoint of host or none only brings lo up (none) or does nothing (host). A container without a way out
        gets one through any network that is not internal, whatever `default_route` says. Empty `ifname`: next ethN.
        """
        network = self._store.networks[endpoint.network_id]
        if network.driver == "null":
            self._wiring.loopback_up(sandbox)
        if network.driver != "bridge":
            return endpoint
        others = [
            e for e in self._store.of_container(endpoint.container_id) if e.ifname and e.id != endpoint.id
        ]
        taken = {e.ifname for e in others}
        ifname = ifname or next(f"eth{n}" for n in range(len(taken) + 1) if f"eth{n}" not in taken)
        has_way_out = any(not self._store.networks[e.network_id].internal for e in others)
        self._rules.let_through(network)
        wired = msgspec.structs.replace(endpoint, ifname=ifname)
        self._store.put_endpoint(wired)
        way_out = not network.internal and (default_route or not has_way_out)
        try:
            self._connect(network, wired, sandbox, default_route=way_out)
        except OSError as error:
            self._store.put_endpoint(endpoint)
            raise EngineError(f"failed to set up container networking: {error.strerror or error}") from error
        return wired

    async def detach(self, endpoint: Endpoint, sandbox: Sandbox | None = None) -> None:
        """Take the interface away from a running container; not needed for one that ended (the veth dies with it).

        With `sandbox`, another of its networks becomes the way out. `release` the endpoint afterwards.
        """
        await asyncio.to_thread(self._wiring.disconnect, endpoint)
        if sandbox is None:
            return
        for other in self._store.of_container(endpoint.container_id):
            if (
                other.id != endpoint.id
                and other.ifname
                and not self._store.networks[other.network_id].internal
            ):
                self._wiring.route_through(other, sandbox)
                return

    def endpoints(self, *, container_id: str = "", network_id: str = "") -> tuple[Endpoint, ...]:
        """Endpoints of a container and/or a network, in the order of allocation."""
        return tuple(
            endpoint
            for endpoint in self._store.endpoints.values()
            if container_id in ("", endpoint.container_id) and network_id in ("", endpoint.network_id)
        )

    def dns_table(self, container_id: str) -> Path:
        """The container's own table file for `DnsConfig.tables`; follows connect and disconnect while it runs."""
        return self._tables.of_container(container_id)

    # --- ports -------------------------------------------------------------------------------------------------

    async def publish(self, container_id: str, ports: Sequence[PublishedPort]) -> None:
        """Add the kernel's shortcuts (nft DNAT) for ports that the monitor listens on; no-op where nft is absent."""
        if ports:
            self._store.put_ports(container_id, list(ports))
            self._rules.publish(ports)

    async def unpublish(self, container_id: str) -> None:
        """Remove the shortcuts of a container; safe to call twice."""
        self._rules.unpublish(self._store.ports.get(container_id, ()))
        ports = self._store.drop_ports(container_id)
        datagrams = {
            p.container_ip for p in ports if p.proto == "udp" and p.container_ip and ":" not in p.container_ip
        }
        if datagrams:
            await asyncio.to_thread(forget_datagrams, datagrams)

    def published(self, container_id: str) -> tuple[PublishedPort, ...]:
        """What `publish` was last told for this container (kept in SQLite)."""
        return tuple(self._store.ports.get(container_id, ()))

    # --- what clients see --------------------------------------------------------------------------------------

    def inspect(self, network: Network, container_names: Mapping[str, str]) -> dict[str, Any]:
        """Engine API `Network`; `container_names` (id → name) fills `Containers`."""
        return render.network_json(network, self._store.in_network(network.id), container_names)

    def endpoint_settings(self, endpoint: Endpoint) -> dict[str, Any]:
        """Engine API `EndpointSettings` of a running container's endpoint (`NetworkSettings.Networks[name]`)."""
        return render.endpoint_json(self._store.endpoints.get(endpoint.id, endpoint))

    # --- inside ------------------------------------------------------------------------------------------------

    def _make_bridge(self, network: Network) -> Network:
        """The network with its bridge and rules in place; another subnet if ours was taken while nobody used it."""
        if self._wiring.has_bridge(network):
            return network
        with host.allocation_lock():
            if not self._addressing.still_fits(network):
                network = self._addressing.with_subnets(network)
            self._store.put_network(network)
            self._wiring.create_bridge(network)
        self._rules.admit(network, self._all_ports())
        return network

    def _connect(
        self, network: Network, endpoint: Endpoint, sandbox: Sandbox, *, default_route: bool
    ) -> None:
        self._make_bridge(network)
        try:
            self._wiring.connect(network, endpoint, sandbox, endpoint.ifname, default_route=default_route)
        except NetlinkError:
            if self._wiring.find_bridge(network):
                raise
            self._make_bridge(network)  # somebody removed the bridge under us
            self._wiring.connect(network, endpoint, sandbox, endpoint.ifname, default_route=default_route)

    def _all_ports(self) -> Iterator[PublishedPort]:
        for ports in self._store.ports.values():
            yield from ports
