"""What the network layer remembers: networks, endpoints, published ports; in memory and in SQLite alike.

Every change is in SQLite before it is in memory, and before any device exists for it: whatever the kernel holds of
ours after a crash can be found from here.
"""

from __future__ import annotations

from stackwright.embedded.networks.types import Endpoint, Network, PublishedPort
from stackwright.embedded.state import Database, decode, encode

_TABLES = [
    "CREATE TABLE networks (id TEXT PRIMARY KEY, data TEXT NOT NULL)",
    "CREATE TABLE endpoints (id TEXT PRIMARY KEY, data TEXT NOT NULL)",
    "CREATE TABLE published_ports (container_id TEXT PRIMARY KEY, data TEXT NOT NULL)",
    "CREATE TABLE leaving (id TEXT PRIMARY KEY, data TEXT NOT NULL)",
]


class Store:
    """Four tables. The dictionaries are for reading; change them by the methods only."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.networks: dict[str, Network] = {}
        self.endpoints: dict[str, Endpoint] = {}
        self.ports: dict[str, list[PublishedPort]] = {}
        self.left: list[Network] = []
        """Networks that an earlier engine removed without coming to their bridges."""

    def load(self) -> None:
        """Read everything; in order of creation."""
        self._database.migrate("networks", _TABLES)
        rows = self._database.execute("SELECT data FROM networks ORDER BY rowid")
        self.networks = {n.id: n for n in (decode(row["data"], Network) for row in rows)}
        self.left = [
            decode(row["data"], Network) for row in self._database.execute("SELECT data FROM leaving")
        ]
        rows = self._database.execute("SELECT data FROM endpoints ORDER BY rowid")
        self.endpoints = {e.id: e for e in (decode(row["data"], Endpoint) for row in rows)}
        rows = self._database.execute("SELECT container_id, data FROM published_ports ORDER BY rowid")
        self.ports = {row["container_id"]: decode(row["data"], list[PublishedPort]) for row in rows}

    def put_network(self, network: Network) -> None:
        """Add or replace."""
        self._put("networks", network.id, encode(network))
        self.networks[network.id] = network

    def leave(self, network: Network) -> None:
        """It is gone for whoever asks, whatever becomes of this engine; its bridge is still to be removed."""

        def move() -> None:
            self._database.execute("DELETE FROM networks WHERE id = ?", (network.id,))
            self._database.execute("INSERT INTO leaving VALUES (?, ?)", (network.id, encode(network)))

        self._database.removal(move)

    def drop_network(self, network_id: str) -> None:
        """Nothing of it is left (or ever was)."""

        def forget() -> None:
            for table in ("networks", "leaving"):
                self._database.execute(f"DELETE FROM {table} WHERE id = ?", (network_id,))

        self._database.removal(forget)
        self.networks.pop(network_id, None)

    def put_endpoint(self, endpoint: Endpoint) -> None:
        """Add or replace."""
        self._put("endpoints", endpoint.id, encode(endpoint))
        self.endpoints[endpoint.id] = endpoint

    def drop_endpoint(self, endpoint_id: str) -> None:
        self._database.execute("DELETE FROM endpoints WHERE id = ?", (endpoint_id,))
        self.endpoints.pop(endpoint_id, None)

    def put_ports(self, container_id: str, ports: list[PublishedPort]) -> None:
        """Replace those of a container."""
        sql = "INSERT OR REPLACE INTO published_ports (container_id, data) VALUES (?, ?)"
        self._database.execute(sql, (container_id, encode(ports)))
        self.ports[container_id] = ports

    def drop_ports(self, container_id: str) -> list[PublishedPort]:
        """Forget those of a container; what they were."""
        if container_id in self.ports:
            self._database.execute("DELETE FROM published_ports WHERE container_id = ?", (container_id,))
        return self.ports.pop(container_id, [])

    def in_network(self, network_id: str) -> list[Endpoint]:
        return [e for e in self.endpoints.values() if e.network_id == network_id]

    def of_container(self, container_id: str) -> list[Endpoint]:
        return [e for e in self.endpoints.values() if e.container_id == container_id]

    def _put(self, table: str, key: str, data: str) -> None:
        sql = f"INSERT INTO {table} (id, data) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET data = excluded.data"
        self._database.execute(sql, (key, data))
