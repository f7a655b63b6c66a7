"""The name tables that the monitors' resolvers read: files, so that names outlive the engine.

    <root>/<network id>.json      {"network", "names": {name: [ipv4…]}, "names6": {…}, "addresses": {ip: name}}
    <root>/by-container/<id>.json {"include": [paths of the networks' tables], "forward": bool, "links": {alias: name}}

Written whole and renamed into place; `resolver` sees the change by the file's inode. Names are lower case.
No fsync: after a power loss the engine writes them anew from SQLite.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from stackwright.embedded.networks.types import Endpoint, Network


class NameTables:
    """Owner of the table files under `root`."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._containers = root / "by-container"

    def prepare(self) -> None:
        """Make the folders."""
        self._containers.mkdir(parents=True, exist_ok=True)

    def of_container(self, container_id: str) -> Path:
        """Path of a container's table."""
        return self._containers / f"{container_id}.json"

    def of_network(self, network_id: str) -> Path:
        """Path of a network's table."""
        return self._root / f"{network_id}.json"

    def write_network(self, network: Network, endpoints: Iterable[Endpoint]) -> None:
        """Names of everything that is in `network`; the same name of several containers lists them all."""
        names: dict[str, list[str]] = {}
        names6: dict[str, list[str]] = {}
        addresses: dict[str, str] = {}
        for endpoint in endpoints:
            for name in {n.lower(): None for n in (*endpoint.names, *endpoint.aliases)}:
                names.setdefault(name, [])
                if endpoint.ipv4:
                    names[name].append(endpoint.ipv4)
                if endpoint.ipv6:
                    names6.setdefault(name, []).append(endpoint.ipv6)
            if endpoint.names:
                addresses |= {ip: endpoint.names[0] for ip in (endpoint.ipv4, endpoint.ipv6) if ip}
        table = {"network": network.name.lower(), "names": names, "names6": names6, "addresses": addresses}
        _write(self.of_network(network.id), table)

    def write_container(self, container_id: str, places: Iterable[tuple[Network, Endpoint]]) -> None:
        """Where a container looks names up. Unknown ones are forwarded unless all its networks are internal."""
        links: dict[str, str] = {}
        include: list[str] = []
        forward = False
        for network, endpoint in places:
            if network.resolves_names:
                include.append(str(self.of_network(network.id)))
            links |= {alias.lower(): name.lower() for alias, name in endpoint.links.items()}
            forward = forward or not network.internal
        _write(self.of_container(container_id), {"include": include, "forward": forward, "links": links})

    def remove_network(self, network_id: str) -> None:
        self.of_network(network_id).unlink(missing_ok=True)

    def remove_container(self, container_id: str) -> None:
        self.of_container(container_id).unlink(missing_ok=True)

    def keep_only(self, network_ids: set[str], container_ids: set[str]) -> None:
        """Remove tables of what no longer is (recovery)."""
        for folder, wanted in ((self._root, network_ids), (self._containers, container_ids)):
            for path in folder.glob("*.json*"):
                if path.name.partition(".")[0] not in wanted or not path.name.endswith(".json"):
                    path.unlink(missing_ok=True)

    def clear(self) -> None:
        """Remove every table and the folders, if nothing else lies in them."""
        self.keep_only(set(), set())
        for folder in (self._containers, self._root):
            with suppress(OSError):
                folder.rmdir()


def _write(path: Path, table: dict[str, Any]) -> None:
    temporary = f"{path}.new"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
    try:
        os.write(descriptor, json.dumps(table, separators=(",", ":")).encode())
    finally:
        os.close(descriptor)
    Path(temporary).rename(path)
