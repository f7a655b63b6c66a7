"""Networks and volumes: how they are made, and which of those that exist are not as the model wants them. Pure.

As in docker compose, the label `com.docker.compose.config-hash` decides; what has none (older tools) is taken as it
is. What differs is then found key by key, for people.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, TypeGuard

from stackwright.model.project import Project
from stackwright.plan import labels
from stackwright.plan.changes import Change, summary
from stackwright.plan.hashes import network_hash, volume_hash
from stackwright.plan.observed import Container, Observed
from stackwright.plan.refuse import Refusal

JSON = dict[str, Any]


def network_body(project: Project, key: str) -> JSON:
    """NetworkCreate for the network `key` of the model."""
    network = project.networks[key]
    body = {
        "Name": network.name,
        "Driver": network.driver or "bridge",
        "CheckDuplicate": True,
        "Internal": network.internal,
        "Attachable": network.attachable,
        "Options": network.driver_opts,
        "Labels": labels.network_labels(project, key),
        **({"EnableIPv6": network.enable_ipv6} if network.enable_ipv6 is not None else {}),
        **({"EnableIPv4": network.enable_ipv4} if network.enable_ipv4 is not None else {}),
    }
    if network.ipam.driver or network.ipam.config:
        body["IPAM"] = {
            "Driver": network.ipam.driver or "default",
            "Config": [
                {
                    "Subnet": pool.subnet,
                    **({"Gateway": pool.gateway} if pool.gateway else {}),
                    **({"IPRange": pool.ip_range} if pool.ip_range else {}),
                    **({"AuxiliaryAddresses": pool.aux_addresses} if pool.aux_addresses else {}),
                }
                for pool in network.ipam.config
            ],
        }
    return body


def volume_body(project: Project, key: str) -> JSON:
    """VolumeCreate for the volume `key` of the model."""
    volume = project.volumes[key]
    return {
        "Name": volume.name,
        "Driver": volume.driver or "local",
        "DriverOpts": volume.driver_opts,
        "Labels": labels.volume_labels(project, key),
    }


def networks_of(project: Project, names: Iterable[str]) -> list[str]:
    """Keys of the networks that these services are in."""
    return sorted({key for name in names for key in project.services[name].networks})


def volumes_of(project: Project, names: Iterable[str]) -> list[str]:
    """Keys of the named volumes that these services mount."""
    used = {
        mount.source for name in names for mount in project.services[name].volumes if mount.type == "volume"
    }
    return sorted(used & set(project.volumes))


def changed_networks(project: Project, observed: Observed, names: Iterable[str]) -> dict[str, str]:
    """Networks of these services that exist and were made from another definition, with what changed."""
    found = {}
    for key in networks_of(project, names):
        network = project.networks[key]
        seen = observed.network_details.get(network.name)
        if not network.external and _made_otherwise(seen, network_hash(network)):
            found[key] = _reason(network_changes(seen, network_body(project, key)))
    return found


def changed_volumes(project: Project, observed: Observed, names: Iterable[str]) -> dict[str, str]:
    """Volumes of these services that exist and were made from another definition, with what changed."""
    found = {}
    for key in volumes_of(project, names):
        volume = project.volumes[key]
        seen = observed.volume_details.get(volume.name)
        if not volume.external and _made_otherwise(seen, volume_hash(volume)):
            found[key] = _reason(volume_changes(seen, volume_body(project, key)))
    return found


def _made_otherwise(seen: JSON | None, wanted: str) -> TypeGuard[JSON]:
    """Whether what the engine shows was made by Compose from a definition with another hash."""
    known = _labels(seen).get(labels.CONFIG_HASH)
    return seen is not None and bool(known) and known != wanted


def _reason(differences: list[Change]) -> str:
    return summary(differences) or "its definition changed in what an engine does not show"


def question(project: Project, key: str) -> str:
    """What is asked before a changed volume is made anew, in docker compose's words."""
    name = project.volumes[key].name
    return (
        f'Volume "{name}" exists but doesn\'t match configuration in compose file. '
        "Recreate (data will be lost)?"
    )


def strangers(project: Project, observed: Observed, names: Iterable[str]) -> tuple[list[Refusal], list[str]]:
    """Networks and volumes of our names that others made: networks are refused, volumes used with a warning."""
    names = list(names)
    refused, warnings = [], []
    for key in networks_of(project, names):
        network = project.networks[key]
        seen = observed.network_details.get(network.name)
        if seen is None or network.external or _labels(seen).get(labels.NETWORK) == key:
            continue
        refused.append(
            Refusal(
                f"network {network.name} is there, and was not made for networks.{key} of a Compose file",
                f"networks.{key}",
                f"set external: true to use it as it is, or remove it: docker network rm {network.name}",
            )
        )
    for key in volumes_of(project, names):
        volume = project.volumes[key]
        seen = observed.volume_details.get(volume.name)
        owner = _labels(seen).get(labels.PROJECT)
        if seen is None or volume.external or owner == project.name:
            continue
        whose = f"was made for project {owner}" if owner else "was not made by Compose"
        warnings.append(
            f"volume {volume.name} is there already and {whose}; it is used as it is (external: true says so)"
        )
    return refused, warnings


def users_of_network(project: Project, observed: Observed, names: Iterable[str], key: str) -> list[Container]:
    """The containers of those of these services that are in the network `key`."""
    return [one for name in names if key in project.services[name].networks for one in observed.of(name)]


def users_of_volume(project: Project, observed: Observed, names: Iterable[str], key: str) -> list[Container]:
    """The containers of those of these services that mount the volume `key`."""
    return [one for name in names if key in volumes_of(project, [name]) for one in observed.of(name)]


def network_changes(seen: JSON, body: JSON) -> list[Change]:
    """What differs between an existing network (NetworkInspect) and the one that is wanted."""
    found = [
        *_one("driver", seen.get("Driver"), body["Driver"]),
        *_one("internal", bool(seen.get("Internal")), body["Internal"]),
        *_one("attachable", bool(seen.get("Attachable")), body["Attachable"]),
        *_pairs("driver_opts", seen.get("Options"), body["Options"]),
        *_pairs("labels", _own(_labels(seen)), _own(body["Labels"])),
    ]
    for key, path in (("EnableIPv6", "enable_ipv6"), ("EnableIPv4", "enable_ipv4")):
        if key in seen and key in body:
            found += _one(path, bool(seen[key]), body[key])
    if "IPAM" in body:  # where the model names no addresses, the engine has chosen
        found += _one("ipam", _pools(seen), _pools(body))
    return sorted(found, key=lambda change: change.path)


def volume_changes(seen: JSON, body: JSON) -> list[Change]:
    """What differs between an existing volume (VolumeInspect) and the one that is wanted."""
    return [
        *_one("driver", seen.get("Driver"), body["Driver"]),
        *_pairs("driver_opts", seen.get("Options"), body["DriverOpts"]),
        *_pairs("labels", _own(_labels(seen)), _own(body["Labels"])),
    ]


def _labels(seen: JSON | None) -> dict[str, str]:
    return dict((seen or {}).get("Labels") or {})


def _own(table: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in table.items() if not key.startswith("com.docker.compose.")}


def _pools(source: JSON) -> str:
    pools = (source.get("IPAM") or {}).get("Config") or ()
    return json.dumps(
        [{key: value for key, value in pool.items() if value} for pool in pools], sort_keys=True
    )


def _one(path: str, old: Any, new: Any) -> list[Change]:
    return [] if old == new else [Change(path, _text(old), _text(new))]


def _text(value: Any) -> str | None:
    return str(value).lower() if isinstance(value, bool) else None if value is None else str(value)


def _pairs(path: str, old: Mapping[str, str] | None, new: Mapping[str, str] | None) -> list[Change]:
    before, after = dict(old or {}), dict(new or {})
    return [
        Change(f"{path}.{key}", before.get(key), after.get(key))
        for key in sorted({*before, *after})
        if before.get(key) != after.get(key)
    ]
