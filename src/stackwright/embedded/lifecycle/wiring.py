"""A container's place in the networks: reserved before it starts, wired while it waits, given back when it
ended."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from stackwright.embedded.containers.runtime import Sandbox
from stackwright.embedded.containers.spec import DnsConfig, Namespaces, PortBinding
from stackwright.embedded.errors import BadParameter, Conflict, EngineError, Forbidden, NotFound
from stackwright.embedded.ids import short_id
from stackwright.embedded.lifecycle.config import EndpointSettings, HostConfig, NetworkingConfig
from stackwright.embedded.lifecycle.identity import extra_hosts, hosts_file, hosts_rows, resolv_conf
from stackwright.embedded.lifecycle.record import Container
from stackwright.embedded.lifecycle.services import Services
from stackwright.embedded.lifecycle.specs import hostname_of
from stackwright.embedded.networks.sandbox import open_sandbox
from stackwright.embedded.networks.types import Endpoint, Network, PublishedPort

RESOLVER = "127.0.0.11"


@dataclass(slots=True)
class Wires:
    """What `Wiring.prepare` reserved, for one start. `shares` is the container whose network is used, if
    any."""

    net: str
    endpoints: list[tuple[Network, Endpoint]]
    default: int
    dns: DnsConfig | None
    identity: dict[str, str]
    shares: Container | None = None


def network_mode(host: HostConfig) -> str:
    """`NetworkMode` with its defaults resolved: bridge, host, none, container:x or a network's name or id."""
    return "bridge" if host.network_mode in ("", "default") else host.network_mode


class Wiring:
    """Between the container manager and the network service."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._networks = services.networks
        self._containers = services.containers

    def endpoints_for(
        self, host: HostConfig, networking: NetworkingConfig, mac: str
    ) -> dict[str, EndpointSettings]:
        """What to join at creation, by network name, the main network first. Raises NotFound,
        BadParameter."""
        mode = network_mode(host)
        wanted = {
            self._networks.get(name if name != "default" else "bridge").name: settings
            for name, settings in networking.endpoints_config.items()
        }
        if mode.startswith("container:"):
            if wanted:
                raise BadParameter(
                    "conflicting options: cannot attach both user-defined and container networks"
                )
            self._containers.get(mode.removeprefix("container:"))
            return {}
        main = self._networks.get(mode)
        settings = wanted.pop(main.name, None) or EndpointSettings()
        settings.mac_address = settings.mac_address or mac
        if main.driver in ("host", "null") and wanted:
            raise BadParameter(f"container cannot be connected to network {main.name} and to others at once")
        for name, other in ((main.name, settings), *wanted.items()):
            self._check(self._networks.get(name), other)
        return {main.name: settings, **wanted}

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
            identity=self._identity(container, reserved, resolver=bool(bridged)),
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
            await self._networks.release(endpoint)
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
        self._check(network, settings)
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
                    await self._networks.attach(endpoint, sandbox, ifname, is_default)
            except (EngineError, OSError):
                await self._networks.release(endpoint)
                raise
        container.endpoints = {
            **{n: s for n, s in container.endpoints.items() if self._networks.get(n).driver != "null"},
            network.name: settings,
        }
        self._containers.save(container)
        self._tell("connect", network, container)

    async def disconnect(self, container: Container, reference: str, *, force: bool = False) -> None:
        """`docker network disconnect`. Raises Forbidden, NotFound."""
        network = self._networks.get(reference)
        if network.driver == "host" and network.name in container.endpoints:
            raise Forbidden("container cannot be disconnected from host network or connected to host network")
        if network.name not in container.endpoints:
            if force:
                return
            raise Forbidden(f"container {container.id} is not connected to network {network.name}")
        for endpoint in self._networks.endpoints(container_id=container.id, network_id=network.id):
            if container.up:
                with open_sandbox(container.pid) as sandbox:
                    await self._networks.detach(endpoint, sandbox)
            await self._networks.release(endpoint)
        container.endpoints = {n: s for n, s in container.endpoints.items() if n != network.name}
        if not container.endpoints:
            container.endpoints = {"none": EndpointSettings()}
        self._containers.save(container)
        self._tell("disconnect", network, container)

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
            links=self._links(container, settings),
        )

    def _links(self, container: Container, settings: EndpointSettings) -> dict[str, str]:
        links = {}
        for text in (*container.host_config.links, *settings.links):
            target, _, alias = text.partition(":")
            linked = self._containers.get(target.removeprefix("/"))
            links[(alias or linked.name).rpartition("/")[2]] = linked.name
        return links

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

    def _identity(
        self, container: Container, reserved: list[tuple[Network, Endpoint]], *, resolver: bool
    ) -> dict[str, str]:
        host = container.host_config
        if network_mode(host) == "host":
            own = hosts_rows(extra_hosts(host.extra_hosts, "127.0.0.1"))
            return {
                "hostname": hostname_of(container) + "\n",
                "hosts": _host_file("/etc/hosts") + own,
                "resolv.conf": _host_file("/etc/resolv.conf")
                if not (host.dns or host.dns_search or host.dns_options)
                else resolv_conf("", host.dns, host.dns_search, host.dns_options),
            }
        gateway = next((e.ipv4_gateway for _, e in reserved if e.ipv4_gateway), "127.0.0.1")
        servers = [RESOLVER] if resolver else host.dns
        return {
            "hostname": hostname_of(container) + "\n",
            "hosts": hosts_file(
                [a for _, e in reserved for a in (e.ipv4, e.ipv6) if a],
                hostname_of(container),
                container.config.domainname,
                extra_hosts(host.extra_hosts, gateway),
                self._link_rows(container),
            ),
            "resolv.conf": resolv_conf(
                _host_file("/etc/resolv.conf"), servers, host.dns_search, host.dns_options
            ),
        }

    def _link_rows(self, container: Container) -> list[tuple[str, str]]:
        """Links of the default bridge, which has no name service."""
        rows = []
        for alias, name in self._links(container, EndpointSettings()).items():
            linked = self._containers.get(name)
            for endpoint in self._networks.endpoints(container_id=linked.id):
                if endpoint.ipv4:
                    rows.append((endpoint.ipv4, " ".join(dict.fromkeys((alias, short_id(linked.id), name)))))
        return rows

    def _check(self, network: Network, settings: EndpointSettings) -> None:
        """Docker's rules for what may be asked of which network."""
        if settings.aliases and not network.resolves_names and network.name == "bridge":
            return
        ipam = settings.ipam_config
        if ipam and (ipam.ipv4_address or ipam.ipv6_address) and network.predefined:
            raise BadParameter(
                "invalid config for network bridge: invalid endpoint settings:\n"
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


def _host_file(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""


def namespaces_of(container: Container, wires: Wires, pid_of: dict[str, int]) -> Namespaces:
    """Namespace modes of HostConfig; `container:x` joins that of a running container (its pid in
    `pid_of`)."""
    host = container.host_config

    def mode(value: str, name: str, default: str = "new") -> str:
        if value.startswith("container:"):
            other = value.removeprefix("container:")
            if other not in pid_of:
                raise NotFound(f"cannot join {name} namespace of a non running container: {other}")
            return f"/proc/{pid_of[other]}/ns/{name}"
        return "host" if value == "host" else default

    return Namespaces(
        net=wires.net,
        pid=mode(host.pid_mode, "pid"),
        ipc=mode(host.ipc_mode, "ipc"),
        uts="host" if host.uts_mode == "host" else "new",
        cgroup="host" if host.cgroupns_mode == "host" else "new",
    )
