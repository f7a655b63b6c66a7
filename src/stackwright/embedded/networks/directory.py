"""Keeps the name tables true to what is stored: at once where a name comes, a moment later where one goes.

Who starts may be looked for with its first instruction. Who has ended is missed by nobody for some milliseconds, and
when a project goes down, its tables are written now and then, not once for each of its containers.
"""

from __future__ import annotations

import asyncio
import logging

from stackwright.embedded.networks.names import NameTables
from stackwright.embedded.networks.store import Store
from stackwright.embedded.networks.types import Endpoint, Network

log = logging.getLogger(__name__)

LAG = 0.01
"""Seconds for which a name that was withdrawn may still be found."""


class Directory:
    """What is found under which name in which network."""

    def __init__(self, store: Store, tables: NameTables) -> None:
        self._store, self._tables = store, tables
        self._networks: set[str] = set()
        self._containers: set[str] = set()
        self._timer: asyncio.TimerHandle | None = None

    def publish(self, network: Network) -> None:
        """Write the names of everything that is in `network`."""
        self._networks.discard(network.id)
        if network.resolves_names:
            self._tables.write_network(network, self._store.in_network(network.id))

    def place(self, container_id: str) -> None:
        """Write where a container looks names up."""
        self._containers.discard(container_id)
        endpoints = self._store.of_container(container_id)
        places = [(self._store.networks[e.network_id], e) for e in endpoints]
        self._tables.write_container(container_id, places)

    def withdraw(self, endpoint: Endpoint) -> None:
        """The endpoint is not stored any more: its names go, within `LAG`."""
        self._networks.add(endpoint.network_id)
        self._containers.add(endpoint.container_id)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(LAG, self.settle)

    def leave(self, network_id: str) -> None:
        """The network is on its way out: what waits to be written of it is not."""
        self._networks.discard(network_id)

    def drop(self, network_id: str) -> None:
        """The network, which was leaving, is gone: nobody looks its names up any more."""
        self._tables.remove_network(network_id)

    def settle(self) -> None:
        """Write what waits to be written."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        try:
            for network_id in tuple(self._networks):
                if network := self._store.networks.get(network_id):
                    self.publish(network)
            for container_id in tuple(self._containers):
                if self._store.of_container(container_id):
                    self.place(container_id)
                else:
                    self._tables.remove_container(container_id)
        except OSError as error:  # a full disk: the next name that comes or the next engine writes them
            log.warning("names of ended containers stay for now: %s", error)
        self._networks.clear()
        self._containers.clear()
