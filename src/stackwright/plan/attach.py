"""A service's networks → endpoint settings (Engine API: EndpointSettings)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stackwright.model.project import Project
from stackwright.model.types import NetworkAttachment, Service

if TYPE_CHECKING:
    from stackwright.plan.container import Request

JSON = dict[str, Any]
SEVERAL_AT_CREATE = (1, 44)
"""Since this API version ContainerCreate takes more than one network."""


def network_mode(project: Project, service: Service, namespaces: dict[str, str]) -> str:
    """HostConfig.NetworkMode: what was asked for, else the service's first network by priority."""
    mode = service.network_mode
    if mode.startswith("service:"):
        return "container:" + namespaces[mode.removeprefix("service:")]
    if mode:
        return mode
    if not service.networks:
        return "none"
    return project.networks[service.networks_by_priority[0]].name


def networking(
    project: Project, service: Service, request: Request
) -> tuple[dict[str, JSON], tuple[tuple[str, JSON], ...]]:
    """Endpoints for ContainerCreate, and those to connect after it, as (network name, settings)."""
    if service.network_mode or not service.networks:
        return {}, ()
    every = [
        (project.networks[key].name, endpoint(service, key, request)) for key in service.networks_by_priority
    ]
    if request.api_version >= SEVERAL_AT_CREATE:
        return dict(every), ()
    return dict(every[:1]), tuple(every[1:])


def endpoint(service: Service, key: str, request: Request) -> JSON:
    """The settings of one attachment: aliases, links, fixed addresses."""
    settings = service.networks.get(key) or NetworkAttachment()
    aliases = [request.name]
    if request.aliases:
        aliases += [service.name, *settings.aliases]
    result: JSON = {"Aliases": list(dict.fromkeys(aliases))}
    links = [_link(text) for text in service.links] + list(service.external_links)
    if links:
        result["Links"] = [
            f"{request.namespaces.get(name, name)}:{alias}"
            for name, _, alias in (x.partition(":") for x in links)
        ]
    ipam = {
        "IPv4Address": settings.ipv4_address,
        "IPv6Address": settings.ipv6_address,
        "LinkLocalIPs": settings.link_local_ips,
    }
    if any(ipam.values()):
        result["IPAMConfig"] = {name: value for name, value in ipam.items() if value}
    mac = settings.mac_address or service.mac_address
    if mac and (settings.mac_address or request.api_version >= SEVERAL_AT_CREATE):
        result["MacAddress"] = mac
    if settings.driver_opts:
        result["DriverOpts"] = dict(settings.driver_opts)
    if settings.gw_priority:
        result["GwPriority"] = settings.gw_priority
    return result


def _link(text: str) -> str:
    return text if ":" in text else f"{text}:{text}"
