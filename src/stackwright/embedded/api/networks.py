"""Routes of /networks (Engine API 1.50, Network)."""

from __future__ import annotations

from typing import Any

import msgspec
from aiohttp import web

from stackwright.embedded.api.call import Call, answer, nothing
from stackwright.embedded.api.routing import Route
from stackwright.embedded.errors import BadParameter
from stackwright.embedded.lifecycle.config import Docker, EndpointSettings
from stackwright.embedded.lifecycle.engine import Engine
from stackwright.embedded.networks.types import Ipam, Network, Pool


class PoolConfig(Docker):
    """One of `IPAM.Config`."""

    subnet: str = ""
    gateway: str = ""
    ip_range: str = msgspec.field(default="", name="IPRange")
    auxiliary_addresses: dict[str, str] = msgspec.field(default_factory=dict)


class IpamConfig(Docker):
    """`IPAM`."""

    driver: str = "default"
    config: list[PoolConfig] = msgspec.field(default_factory=list)
    options: dict[str, str] = msgspec.field(default_factory=dict)


class NetworkCreate(Docker):
    """Body of POST /networks/create."""

    name: str = ""
    driver: str = "bridge"
    internal: bool = False
    attachable: bool = False
    ingress: bool = False
    config_only: bool = False
    enable_ipv4: bool | None = msgspec.field(default=None, name="EnableIPv4")
    enable_ipv6: bool = msgspec.field(default=False, name="EnableIPv6")
    ipam: IpamConfig | None = msgspec.field(default=None, name="IPAM")
    options: dict[str, str] = msgspec.field(default_factory=dict)
    labels: dict[str, str] = msgspec.field(default_factory=dict)


class Connect(Docker):
    """Body of connect and disconnect."""

    container: str = ""
    force: bool = False
    endpoint_config: EndpointSettings | None = None


class NetworkRoutes:
    """Over NetworkService; connect and disconnect go through the container's wiring."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._networks = engine.services.networks

    def table(self) -> list[Route]:
        """The routes."""
        return [
            Route("GET", "/networks", self.list),
            Route("POST", "/networks/create", self.create),
            Route("POST", "/networks/prune", self.prune),
            Route("GET", "/networks/{id}", self.inspect),
            Route("DELETE", "/networks/{id}", self.remove),
            Route("POST", "/networks/{id}/connect", self.connect),
            Route("POST", "/networks/{id}/disconnect", self.disconnect),
        ]

    async def list(self, call: Call) -> web.StreamResponse:
        """GET /networks?filters=."""
        filters = {key: sorted(values) for key, values in call.filters().items()}
        return answer([self._shape(network) for network in self._networks.list(filters)])

    async def inspect(self, call: Call) -> web.StreamResponse:
        """GET /networks/{id}."""
        return answer(self._shape(self._networks.get(call.path["id"])))

    async def create(self, call: Call) -> web.StreamResponse:
        """POST /networks/create."""
        wanted = await call.json(NetworkCreate)
        if not wanted.name:
            raise BadParameter("network name is required")
        ipam = None
        if wanted.ipam is not None:
            pools = tuple(
                Pool(
                    subnet=p.subnet,
                    gateway=p.gateway,
                    ip_range=p.ip_range,
                    aux_addresses=p.auxiliary_addresses,
                )
                for p in wanted.ipam.config
            )
            ipam = Ipam(driver=wanted.ipam.driver or "default", options=wanted.ipam.options, config=pools)
        network = await self._networks.create(
            wanted.name,
            driver=wanted.driver or "bridge",
            ipam=ipam,
            internal=wanted.internal,
            labels=wanted.labels,
            options=wanted.options,
            attachable=wanted.attachable,
            enable_ipv4=True if wanted.enable_ipv4 is None else wanted.enable_ipv4,
            enable_ipv6=wanted.enable_ipv6,
        )
        self._tell("create", network)
        return answer({"Id": network.id, "Warning": ""}, 201)

    async def remove(self, call: Call) -> web.StreamResponse:
        """DELETE /networks/{id}."""
        self._tell("destroy", await self._networks.remove(call.path["id"]))
        return nothing()

    async def prune(self, call: Call) -> web.StreamResponse:
        """POST /networks/prune?filters=: those that no container, running or not, is to use."""
        filters = {key: sorted(values) for key, values in call.filters().items()}
        removed = await self._networks.prune(filters)
        for network in removed:
            self._tell("destroy", network)
        self._engine.services.events.pruned("network", 0)
        return answer({"NetworksDeleted": [network.name for network in removed] or None})

    async def connect(self, call: Call) -> web.StreamResponse:
        """POST /networks/{id}/connect."""
        body = await call.json(Connect)
        container = self._engine.services.containers.get(body.container)
        async with self._engine.supervisor.live(container).lock:
            await self._engine.wiring.connect(
                container, call.path["id"], body.endpoint_config or EndpointSettings()
            )
        return web.Response(status=200)

    async def disconnect(self, call: Call) -> web.StreamResponse:
        """POST /networks/{id}/disconnect."""
        body = await call.json(Connect)
        container = self._engine.services.containers.get(body.container)
        async with self._engine.supervisor.live(container).lock:
            await self._engine.wiring.disconnect(container, call.path["id"])
        return web.Response(status=200)

    def _shape(self, network: Network) -> dict[str, Any]:
        names = {container.id: container.name for container in self._engine.services.containers}
        return self._networks.inspect(network, names)

    def _tell(self, action: str, network: Network) -> None:
        attributes = {**network.labels, "name": network.name, "type": network.driver}
        self._engine.services.events.publish("network", action, network.id, attributes)
