"""What an engine that was started again does with the endpoints of the one before."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from stackwright.embedded.networks.sandbox import open_sandbox
from stackwright.embedded.networks.store import Store
from stackwright.embedded.networks.types import Endpoint, Network
from stackwright.embedded.networks.wiring import Wiring

log = logging.getLogger(__name__)


def forget_ended(store: Store, running: Mapping[str, int]) -> None:
    """Release endpoints and ports of containers that are not in `running` (id → pid of init)."""
    for endpoint in list(store.endpoints.values()):
        if endpoint.container_id not in running:
            store.drop_endpoint(endpoint.id)
    for container_id in set(store.ports) - set(running):
        store.drop_ports(container_id)


def adopt_endpoints(network: Network, running: Mapping[str, int], store: Store, wiring: Wiring) -> None:
    """Plug in what has lost its place on the network's bridge; unplug what belongs to nobody.

    A container that cannot be plugged in is logged and stays without.
    """
    present = wiring.ports(network)
    wanted = {one.host_ifname: one for one in store.in_network(network.id) if one.ifname}
    wiring.remove_links(name for name in present if name.startswith("swv") and name not in wanted)
    for name, endpoint in wanted.items():
        if name not in present:
            _plug_in(network, endpoint, running[endpoint.container_id], wiring)


def _plug_in(network: Network, endpoint: Endpoint, pid: int, wiring: Wiring) -> None:
    try:
        wiring.remove_links([endpoint.host_ifname])
        with open_sandbox(pid) as sandbox:
            wiring.connect(network, endpoint, sandbox, endpoint.ifname, default_route=not network.internal)
    except OSError as error:
        log.warning(
            "container %s lost its place in network %s: %s", endpoint.container_id, network.name, error
        )
