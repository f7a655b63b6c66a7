"""A container's place in the networks: reserved before it starts, wired while it waits, given back when it
ended."""

from __future__ import annotations

from dataclasses import dataclass, field

from stackwright.embedded.containers.runtime import Sandbox
from stackwright.embedded.containers.spec import DnsConfig, PortBinding
from stackwright.embedded.errors import BadParameter, Conflict, EngineError, Forbidden, NotFound
from stackwright.embedded.ids import short_id
from stackwright.embedded.lifecycle.config import EndpointSettings, HostConfig, NetworkingConfig
from stackwright.embedded.lifecycle.files import ContainerFiles
from stackwright.embedded.lifecycle.naming import Naming, network_mode
from stackwright.embedded.lifecycle.record import Container
from stackwright.embedded.lifecycle.services import Services
from stackwright.embedded.lifecycle.specs import hostname_of
from stackwright.embedded.networks.sandbox import open_sandbox
from stackwright.embedded.networks.types import PREDEFINED, Endpoint, Network, PublishedPort


@dataclass(slots=True)
class Wires:
    """What `Wiring.prepare` reserved, for one start. `shares` is the container whose network is used, if
    any."""

    net: str
    endpoints: list[tuple[Network, Endpoint]]
    default: int
    dns: DnsConfig | None
    identity: dict[str, str]
    variables: dict[str, str] = field(default_factory=dict)
    """Environment that links of the default bridge give."""
    shares: Container | None = None


class Wiring:
    """Between the container manager and the network service."""

    def __init__(self, services: Services, files: ContainerFiles) -> None:
        self._services = services
        self._files = files
        self._networks = services.networks
        self._containers = services.containers
        self._naming = Naming(services)

    def endpoints_for(
        self, host: HostConfig, networking: NetworkingConfig, mac: str
    ) -> dict[str, EndpointSettings]:
        """What to join at creation, by network name, the main network first. Raises NotFound,
        BadParameter."""
        mode = network_mode(host)
        wanted = {
            self._name("bridge" if name == "default" else name): settings
            for name, settings in networking.endpoints_config.items()
        }
        if mode.startswith("container:"):
            if wanted:
                raise BadParameter("conflicting options: container network mode and other networks")
            return {}
        main = self._name(mode)
        settings = wanted.pop(main, None) or EndpointSettings()
        settings.mac_address = settings.mac_address or mac
        if main in ("host", "none") and wanted:
            raise BadParameter(f"container cannot be connected to network {main} and to others at once")
        for name, other in ((main, settings), *wanted.items()):
            self._check(name, other)
        return {main: settings, **wanted}

    async def prepare(self, container: Container) -> Wires:
        """Reserve addresses and names in every network of the container; undone when one fails."""
        mode = network_mode(container.host_config)
        if mode.startswith("container:"):
            return self._share(container, self._containers.get(mode.removeprefix("container:")))
        reserved: list[tuple[Network, Endpoint]] = []
        try:
            for name, settings in container.endpoints.items():
                network = self._networks.get(name)
                reserved.append((network, await self._allocate(container, network, settings)))
        except EngineError:
            for _, endpoint in reserved:
                await self._networks.release(endpoint)
            raise
        bridged = [network for network, _ in reserved if network.driver not in ("host", "null")]
        return Wires(
            net="new" if bridged else {"host": "host", "null": "none"}[reserved[0][0].driver],
            endpoints=reserved,
            default=self._default_route(container, reserved),
            dns=self._dns(container) if bridged else None,
            identity=self._naming.identity(container, reserved, resolver=bool(bridged)),
            variables=self._naming.link_variables(container) if "bridge" in container.endpoints else {},
        )

    async def configure(self, container: Container, wires: Wires, sandbox: Sandbox) -> None:
        """Called with the container's fresh network namespace: interfaces, addresses, routes, published
        ports."""
        address = ""
        for index, (network, endpoint) in enumerate(wires.endpoints):
            attached = await self._networks.attach(endpoint, sandbox, f"eth{index}", index == wires.default)
            wires.endpoints[index] = (network, attached)
            if not address and not network.internal:
                address = attached.ipv4 or attached.ipv6
            self._tell("connect", network, container)
        if sandbox.ports:
            sandbox.ports = tuple(_with_address(port, address) for port in sandbox.ports)
            await self._networks.publish(
                container.id,
                [
                    PublishedPort(
                        proto=p.proto,
                        host_ip=p.host_ip,
                        host_port=p.host_port,
                        container_ip=p.container_ip,
                        container_port=p.container_port,
                    )
                    for p in sandbox.ports
                ],
            )

    async def release(self, container: Container) -> None:
        """After the container ended (or failed to start): rules, addresses and names are given back."""
        await self._networks.unpublish(container.id)
        for endpoint in self._networks.endpoints(container_id=container.id):
            await self._networks.release(endpoint, ended=True)
            network = self._networks.get(endpoint.network_id)
            self._tell("disconnect", network, container)

    async def connect(self, container: Container, reference: str, settings: EndpointSettings) -> None:
        """`docker network connect`, running or not. Raises Forbidden, Conflict, NotFound."""
        network = self._networks.get(reference)
        if network_mode(container.host_config) in ("host",) or network.driver in ("host", "null"):
            raise Forbidden(
                "container cannot be disconnected from host network or connected to host network"
                if network.driver == "host"
                else "container sharing network namespace with another container or host cannot be connected "
                "to any other network"
            )
        if network_mode(container.host_config).startswith("container:"):
            raise Conflict(
                "container sharing network namespace with another container or host cannot be connected "
                "to any other network"
            )
        if network.name in container.endpoints:
            raise Forbidden(f"endpoint with name {container.name} already exists in network {network.name}")
        self._check(network.name, settings)
        if container.up:
            endpoint = await self._allocate(container, network, settings)
            others = [self._networks.get(name) for name in container.endpoints]
            used = {e.ifname for e in self._networks.endpoints(container_id=container.id)}
            ifname = next(n for i in range(len(used) + 1) if (n := f"eth{i}") not in used)
            try:
                with open_sandbox(container.pid) as sandbox:
                    is_default = (
                        all(n.internal or n.driver == "null" for n in others) and not network.internal
                    )
                    endpoint = await self._networks.attach(endpoint, sandbox, ifname, is_default)
            except (EngineError, OSError):
                await self._networks.release(endpoint)
                raise
            self._introduce(container, network, endpoint)
        container.endpoints = {
            **{n: s for n, s in container.endpoints.items() if self._networks.get(n).driver != "null"},
            network.name: settings,
        }
        self._containers.save(container)
        self._tell("connect", network, container)

    async def disconnect(self, container: Container, reference: str) -> None:
        """`docker network disconnect`. Raises Forbidden, NotFound."""
        network = self._networks.get(reference)
        if network.driver == "host" and network.name in container.endpoints:
            raise Forbidden("container cannot be disconnected from host network or connected to host network")
        if network.name not in container.endpoints:
            raise Forbidden(f"container {container.id} is not connected to network {network.name}")
        for endpoint in self._networks.endpoints(container_id=container.id, network_id=network.id):
            if container.up:
                with open_sandbox(container.pid) as sandbox:
                    await self._networks.detach(endpoint, sandbox)
                hosts = self._files.identity(container.id, "hosts")
                left = hosts.replace(self._naming.own_rows(container, endpoint), "")
                self._files.write_identity(container.id, {"hosts": left})
            await self._networks.release(endpoint)
        container.endpoints = {n: s for n, s in container.endpoints.items() if n != network.name}
        if not container.endpoints:
            container.endpoints = {"none": EndpointSettings()}
        self._containers.save(container)
        self._tell("disconnect", network, container)

    def _introduce(self, container: Container, network: Network, endpoint: Endpoint) -> None:
        """Its files know of one network more, as in Docker: a row in hosts; the engine's resolver, if only now
        there are names to be found and nobody has written another resolv.conf."""
        files, host = self._files, container.host_config
        hosts = files.identity(container.id, "hosts") + self._naming.own_rows(container, endpoint)
        files.write_identity(container.id, {"hosts": hosts})
        direct = self._naming.resolv_conf(host, resolver=False)
        if network.resolves_names and files.identity(container.id, "resolv.conf") == direct:
            files.write_identity(container.id, {"resolv.conf": self._naming.resolv_conf(host, resolver=True)})

    async def _allocate(self, container: Container, network: Network, settings: EndpointSettings) -> Endpoint:
        ipam = settings.ipam_config
        return await self._networks.allocate(
            network,
            container.id,
            ipv4=ipam.ipv4_address if ipam else "",
            ipv6=ipam.ipv6_address if ipam else "",
            mac=settings.mac_address,
            names=tuple(dict.fromkeys((container.name, short_id(container.id), hostname_of(container)))),
            aliases=settings.aliases,
            links=self._naming.links(container, settings),
        )

    def _share(self, container: Container, other: Container) -> Wires:
        if not other.up:
            raise Conflict(f"cannot join network of a non running container: {other.id}")
        return Wires(f"/proc/{other.pid}/ns/net", [], -1, None, {}, shares=other)

    def _default_route(self, container: Container, reserved: list[tuple[Network, Endpoint]]) -> int:
        """The network with the way out: highest GwPriority, the main network among equals, never an
        internal one."""
        candidates = [i for i, (network, _) in enumerate(reserved) if not network.internal]
        if not candidates:
            return -1
        settings = container.endpoints
        return max(candidates, key=lambda i: (settings[reserved[i][0].name].gw_priority, -i))

    def _dns(self, container: Container) -> DnsConfig:
        return DnsConfig(
            tables=(str(self._networks.dns_table(container.id)),),
            upstream=tuple(container.host_config.dns),
        )

    def _name(self, reference: str) -> str:
        """The name of a network given by name or id; one that does not exist keeps what it was called."""
        try:
            return self._networks.get(reference).name
        except NotFound:
            return reference

    def _check(self, name: str, settings: EndpointSettings) -> None:
        """Docker's rule for fixed addresses."""
        ipam = settings.ipam_config
        if ipam and (ipam.ipv4_address or ipam.ipv6_address) and name in PREDEFINED:
            raise BadParameter(
                f"invalid config for network {name}: invalid endpoint settings:\n"
                "user specified IP address is supported on user defined networks only"
            )

    def _tell(self, action: str, network: Network, container: Container) -> None:
        self._services.events.publish(
            "network",
            action,
            network.id,
            {"container": container.id, "name": network.name, "type": network.driver},
        )


def _with_address(port: PortBinding, address: str) -> PortBinding:
    return PortBinding(
        proto=port.proto,
        host_ip=port.host_ip,
        host_port=port.host_port,
        container_ip=port.container_ip or address,
        container_port=port.container_port,
    )
