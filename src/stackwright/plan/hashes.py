"""Hashes of networks and volumes: the label `com.docker.compose.config-hash` that the reference gives them.

The text that is hashed is that of its own data in its own order, so that each tool knows the other's.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from stackwright.model.emit.json_text import compact
from stackwright.model.types.resources import IpamPool, Network, Volume


def network_hash(network: Network) -> str:
    """Hex SHA-256 of a network that we create."""
    pools = [_pool(pool) for pool in network.ipam.config]
    return _digest(
        name=network.name,
        driver=network.driver,
        driver_opts=_sorted(network.driver_opts),
        ipam={
            **({"driver": network.ipam.driver} if network.ipam.driver else {}),
            **({"config": pools} if pools else {}),
        },
        internal=network.internal,
        attachable=network.attachable,
        labels=_sorted(network.labels),
        enable_ipv4=network.enable_ipv4,
        enable_ipv6=network.enable_ipv6,
    )


def volume_hash(volume: Volume) -> str:
    """Hex SHA-256 of a volume that we create."""
    return _digest(
        name=volume.name,
        driver=volume.driver or "local",
        driver_opts=_sorted(volume.driver_opts),
        labels=_sorted(volume.labels),
    )


def _pool(pool: IpamPool) -> dict[str, Any]:
    values = {
        "subnet": pool.subnet,
        "gateway": pool.gateway,
        "ip_range": pool.ip_range,
        "aux_addresses": _sorted(pool.aux_addresses),
    }
    return {key: value for key, value in values.items() if value}


def _sorted(values: dict[str, str]) -> dict[str, str]:
    return dict(sorted(values.items()))


def _digest(**values: Any) -> str:
    # Left out as Go leaves out: what is empty or false, but not a false that somebody wrote where nothing is
    # told from false, nor the address management, which is a structure.
    kept = {
        key: value
        for key, value in values.items()
        if value or key == "ipam" or (key.startswith("enable_") and value is not None)
    }
    return sha256(compact(kept).encode()).hexdigest()
