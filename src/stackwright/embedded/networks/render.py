"""Networks and endpoints as the Engine API shows them (GET /networks/{id}, `NetworkSettings.Networks`)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from stackwright.embedded.networks.types import Endpoint, Network, Pool


def network_json(
    network: Network, endpoints: Iterable[Endpoint], container_names: Mapping[str, str]
) -> dict[str, Any]:
    """Engine API `Network`. `endpoints` are those in it, `container_names` maps container ids to names."""
    return {
        "Name": network.name,
        "Id": network.id,
        "Created": network.created,
        "Scope": network.scope,
        "Driver": network.driver,
        "EnableIPv4": network.enable_ipv4,
        "EnableIPv6": network.enable_ipv6,
        "IPAM": {
            "Driver": network.ipam.driver,
            "Options": network.ipam.options or None,
            "Config": [_pool_json(pool) for pool in network.ipam.config],
        },
        "Internal": network.internal,
        "Attachable": network.attachable,
        "Ingress": network.ingress,
        "ConfigFrom": {"Network": ""},
        "ConfigOnly": False,
        "Containers": {e.container_id: _member_json(e, container_names) for e in endpoints},
        "Options": dict(network.options),
        "Labels": dict(network.labels),
    }


def endpoint_json(endpoint: Endpoint) -> dict[str, Any]:
    """Engine API `EndpointSettings` of an endpoint that is in use."""
    return {
        "IPAMConfig": None,
        "Links": [f"{name}:{alias}" for alias, name in endpoint.links.items()] or None,
        "Aliases": list(endpoint.aliases) or None,
        "MacAddress": endpoint.mac,
        "DriverOpts": None,
        "GwPriority": 0,
        "NetworkID": endpoint.network_id,
        "EndpointID": endpoint.id,
        "Gateway": endpoint.ipv4_gateway,
        "IPAddress": endpoint.ipv4,
        "IPPrefixLen": endpoint.ipv4_prefix,
        "IPv6Gateway": endpoint.ipv6_gateway,
        "GlobalIPv6Address": endpoint.ipv6,
        "GlobalIPv6PrefixLen": endpoint.ipv6_prefix,
        "DNSNames": list(dict.fromkeys((*endpoint.names, *endpoint.aliases))) or None,
    }


def _pool_json(pool: Pool) -> dict[str, Any]:
    shown: dict[str, Any] = {"Subnet": pool.subnet}
    if pool.ip_range:
        shown["IPRange"] = pool.ip_range
    shown["Gateway"] = pool.gateway
    if pool.aux_addresses:
        shown["AuxiliaryAddresses"] = dict(pool.aux_addresses)
    return shown


def _member_json(endpoint: Endpoint, container_names: Mapping[str, str]) -> dict[str, str]:
    return {
        "Name": container_names.get(endpoint.container_id, "").lstrip("/"),
        "EndpointID": endpoint.id,
        "MacAddress": endpoint.mac,
        "IPv4Address": f"{endpoint.ipv4}/{endpoint.ipv4_prefix}" if endpoint.ipv4 else "",
        "IPv6Address": f"{endpoint.ipv6}/{endpoint.ipv6_prefix}" if endpoint.ipv6 else "",
    }
