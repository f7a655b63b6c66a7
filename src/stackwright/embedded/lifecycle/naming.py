"""What a running container calls itself and others: its identity files, its links."""

from __future__ import annotations

from pathlib import Path

from stackwright.embedded.errors import NotFound
from stackwright.embedded.ids import short_id
from stackwright.embedded.lifecycle.config import EndpointSettings, HostConfig
from stackwright.embedded.lifecycle.identity import (
    RESOLVER,
    extra_hosts,
    hosts_file,
    hosts_rows,
    own_rows,
    resolv_conf,
)
from stackwright.embedded.lifecycle.links import link_variables
from stackwright.embedded.lifecycle.record import Container
from stackwright.embedded.lifecycle.services import Services
from stackwright.embedded.lifecycle.specs import hostname_of
from stackwright.embedded.networks.types import Endpoint, Network


def network_mode(host: HostConfig) -> str:
    """`NetworkMode` with its defaults resolved: bridge, host, none, container:x or a network's name or id."""
    return "bridge" if host.network_mode in ("", "default") else host.network_mode


class Naming:
    """Fills the identity files from what was reserved in the networks."""

    def __init__(self, services: Services) -> None:
        self._networks = services.networks
        self._containers = services.containers

    def links(self, container: Container, settings: EndpointSettings) -> dict[str, str]:
        """Alias → name of the linked container. Raises NotFound for links of the default bridge; a link in a
        network is but a name, whose container may come later."""
        links = {}
        for text in (*container.host_config.links, *settings.links):
            target, _, alias = text.partition(":")
            name = target.removeprefix("/")
            try:
                name = self._containers.get(name).name
            except NotFound:
                if text in container.host_config.links:
                    raise
            links[(alias or name).rpartition("/")[2]] = name
        return links

    def identity(
        self, container: Container, reserved: list[tuple[Network, Endpoint]], *, resolver: bool
    ) -> dict[str, str]:
        """Contents of hosts, hostname and resolv.conf; `resolver`: the engine's own serves the container."""
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
        named = any(network.resolves_names for network, _ in reserved)
        return {
            "hostname": hostname_of(container) + "\n",
            "hosts": hosts_file(
                [a for _, e in reserved for a in (e.ipv4, e.ipv6) if a],
                hostname_of(container),
                container.config.domainname,
                extra_hosts(host.extra_hosts, gateway),
                self._link_rows(container),
            ),
            "resolv.conf": self.resolv_conf(host, resolver=resolver and (named or not host.dns)),
        }

    def resolv_conf(self, host: HostConfig, *, resolver: bool) -> str:
        """With the engine's resolver, or with the servers asked for, or else the host's.

        As in Docker, a container that is on the default bridge alone, where there are no names to be found, asks
        the servers of `--dns` itself.
        """
        servers = [RESOLVER] if resolver else host.dns
        return resolv_conf(_host_file("/etc/resolv.conf"), servers, host.dns_search, host.dns_options)

    def own_rows(self, container: Container, endpoint: Endpoint) -> str:
        """Its lines in /etc/hosts for one of its networks."""
        addresses = [address for address in (endpoint.ipv4, endpoint.ipv6) if address]
        return own_rows(addresses, hostname_of(container), container.config.domainname)

    def link_variables(self, container: Container) -> dict[str, str]:
        """What links of the default bridge set in the environment, for those that run."""
        variables: dict[str, str] = {}
        for alias, name in self.links(container, EndpointSettings()).items():
            linked = self._containers.get(name)
            for endpoint in self._networks.endpoints(container_id=linked.id):
                if linked.up and self._networks.get(endpoint.network_id).name == "bridge":
                    config = linked.config
                    variables |= link_variables(
                        container.name, name, alias, endpoint.ipv4, config.exposed_ports, config.env
                    )
        return variables

    def _link_rows(self, container: Container) -> list[tuple[str, str]]:
        """Links of the default bridge, which has no name service."""
        rows = []
        for alias, name in self.links(container, EndpointSettings()).items():
            linked = self._containers.get(name)
            for endpoint in self._networks.endpoints(container_id=linked.id):
                if endpoint.ipv4:
                    rows.append((endpoint.ipv4, " ".join(dict.fromkeys((alias, short_id(linked.id), name)))))
        return rows


def _host_file(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""
