"""What a client asks for → a `Network`, and which networks a filter means. No effects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from stackwright.embedded.errors import BadParameter, Conflict, Forbidden, NotFound
from stackwright.embedded.ids import match_prefix
from stackwright.embedded.networks import filters as f
from stackwright.embedded.networks.types import Endpoint, Ipam, Network

_SINGLE = ("host", "null")
_MAX_DEVICE_NAME = 15
_LIST_FILTERS = ("name", "id", "driver", "label", "scope", "type", "dangling")
_PRUNE_FILTERS = ("label", "label!", "until")
_DEFAULT_BRIDGE_OPTIONS = {
    "com.docker.network.bridge.default_bridge": "true",
    "com.docker.network.bridge.enable_icc": "true",
    "com.docker.network.bridge.enable_ip_masquerade": "true",
    "com.docker.network.bridge.host_binding_ipv4": "0.0.0.0",
}


def now() -> str:
    """This moment as the Engine API writes it: RFC 3339 with nanoseconds."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f000Z")


def predefined(name: str, network_id: str) -> Network:
    """One of bridge, host, none, as Docker has them from the start."""
    driver = {"bridge": "bridge", "host": "host", "none": "null"}[name]
    options = dict(_DEFAULT_BRIDGE_OPTIONS) if name == "bridge" else {}
    return Network(
        id=network_id,
        name=name,
        created=now(),
        driver=driver,
        chosen_subnets=name == "bridge",
        options=options,
    )


def check_request(name: str, driver: str, options: Mapping[str, str], existing: Sequence[Network]) -> None:
    """Refuse what cannot become a network, with Docker's words and status."""
    if not name or name.strip() != name or "/" in name:
        raise BadParameter(f'invalid network name: "{name}"')
    if name in ("bridge", "host", "none", "default"):
        raise Forbidden(f"operation is not permitted on predefined {name} network")
    if any(network.name == name for network in existing):
        raise Conflict(f"network with name {name} already exists")
    if driver in _SINGLE:
        raise Forbidden(f'only one instance of "{driver}" network is allowed')
    if driver != "bridge":
        raise NotFound(f'could not find plugin {driver} in plugin registry: plugin "{driver}" not found')
    device = options.get("com.docker.network.bridge.name", "")
    if len(device.encode()) > _MAX_DEVICE_NAME or "/" in device or any(c.isspace() for c in device):
        raise BadParameter(
            f'invalid bridge name "{device}": at most {_MAX_DEVICE_NAME} characters, no "/" or space'
        )
    if device and any(network.bridge == device for network in existing):
        raise Forbidden(f"network already uses bridge {device}")
    mtu = options.get("com.docker.network.driver.mtu", "1500")
    if not mtu.isdigit() or not 68 <= int(mtu) <= 65535:
        raise BadParameter(f'invalid MTU "{mtu}": a number from 68 to 65535')


def build(
    network_id: str,
    name: str,
    *,
    ipam: Ipam,
    chosen_subnets: bool,
    internal: bool,
    labels: Mapping[str, str],
    options: Mapping[str, str],
    attachable: bool,
    enable_ipv4: bool,
    enable_ipv6: bool,
) -> Network:
    """A custom bridge network, created now."""
    return Network(
        id=network_id,
        name=name,
        created=now(),
        internal=internal,
        attachable=attachable,
        enable_ipv4=enable_ipv4,
        enable_ipv6=enable_ipv6,
        ipam=ipam,
        chosen_subnets=chosen_subnets,
        options=dict(options),
        labels=dict(labels),
    )


def find(reference: str, networks: Mapping[str, Network]) -> Network:
    """By full id, name, or unambiguous id prefix."""
    if reference in networks:
        return networks[reference]
    for network in networks.values():
        if network.name == reference:
            return network
    found = match_prefix(reference, networks)
    if len(found) > 1:
        raise BadParameter(
            f"network {reference} is ambiguous ({len(found)} matches found based on ID prefix)"
        )
    if not found:
        raise NotFound(f"network {reference} not found")
    return networks[found[0]]


def select(
    networks: Mapping[str, Network], endpoints: Mapping[str, Endpoint], wanted: f.Filters
) -> tuple[Network, ...]:
    """Those networks that all filters of GET /networks mean."""
    f.check_names(wanted, _LIST_FILTERS)
    in_use = {endpoint.network_id for endpoint in endpoints.values()}
    for kind in wanted.get("type", ()):
        if kind not in ("custom", "builtin"):
            raise BadParameter(f"invalid filter: 'type'='{kind}'")

    def keep(network: Network) -> bool:
        builtin = "builtin" if network.predefined else "custom"
        dangling = network.id not in in_use and not network.predefined
        return (
            f.matches(network.name, wanted.get("name", ()))
            and f.matches(network.id, wanted.get("id", ()))
            and network.driver in (wanted.get("driver") or (network.driver,))
            and network.scope in (wanted.get("scope") or (network.scope,))
            and builtin in (wanted.get("type") or (builtin,))
            and f.has_labels(network.labels, wanted.get("label", ()))
            and ("dangling" not in wanted or f.is_true(wanted["dangling"]) == dangling)
        )

    return tuple(network for network in networks.values() if keep(network))


def prunable(
    networks: Mapping[str, Network], endpoints: Mapping[str, Endpoint], wanted: f.Filters
) -> tuple[Network, ...]:
    """Custom networks that nobody is in and that the filters of POST /networks/prune do not spare."""
    f.check_names(wanted, _PRUNE_FILTERS)
    in_use = {endpoint.network_id for endpoint in endpoints.values()}
    limits = [f.moment(text) for text in wanted.get("until", ())]
    return tuple(
        network
        for network in networks.values()
        if not network.predefined
        and network.id not in in_use
        and f.has_labels(network.labels, wanted.get("label", ()))
        and not f.excluded_by_label(network.labels, wanted.get("label!", ()))
        and all(datetime.fromisoformat(network.created) < limit for limit in limits)
    )
