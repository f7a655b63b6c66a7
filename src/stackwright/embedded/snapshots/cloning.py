"""A snapshot and what a client wants otherwise → the request for a new container. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from stackwright.embedded.lifecycle.config import (
    Config,
    CreateRequest,
    EndpointSettings,
    HostConfig,
    NetworkingConfig,
    convert,
    to_docker,
)
from stackwright.embedded.lifecycle.mounts import parse_bind, plan_mounts
from stackwright.embedded.lifecycle.record import MountPoint
from stackwright.embedded.snapshots.record import Snapshot

_MOUNT_FIELDS = ("Binds", "Mounts", "Tmpfs", "VolumesFrom")


class Clone(msgspec.Struct, frozen=True, kw_only=True):
    """`request`: what to create; `mounts`: its mounts, new volumes without a name yet; `frozen`: destination → the
    frozen folders that a new volume there starts from."""

    request: CreateRequest
    mounts: list[MountPoint]
    frozen: dict[str, tuple[str, ...]]


def clone(snapshot: Snapshot, body: Mapping[str, Any]) -> Clone:
    """The container as it was, with those members replaced that the body of POST /containers/create has.

    Members of HostConfig count one by one. Volumes that were frozen become new anonymous ones; a bind, mount or volume
    of the body takes the place of what was at its destination. Raises BadParameter.
    """
    assert snapshot.config is not None and snapshot.host_config is not None
    wanted_host = dict(body.get("HostConfig") or {})
    asked = convert({key: wanted_host.pop(key) for key in _MOUNT_FIELDS if key in wanted_host}, HostConfig)
    own = {
        key: value for key, value in body.items() if key not in ("HostConfig", "NetworkingConfig", "Image")
    }
    config = convert({**to_docker(snapshot.config), **own}, Config)
    config.image = snapshot.image
    host = convert({**to_docker(snapshot.host_config), **wanted_host}, HostConfig)
    frozen = {volume.destination: volume for volume in snapshot.volumes}

    given = {mount.destination: mount for mount in plan_mounts(asked, ())}
    mounts = {**{mount.destination: _fresh(mount, frozen) for mount in snapshot.mounts}, **given}
    host.binds = [bind for bind in host.binds if parse_bind(bind).destination not in {*frozen, *given}]
    host.mounts = [mount for mount in host.mounts if mount.target not in {*frozen, *given}]
    host.binds, host.mounts = [*host.binds, *asked.binds], [*host.mounts, *asked.mounts]
    host.tmpfs = {**{k: v for k, v in host.tmpfs.items() if k not in given}, **asked.tmpfs}
    host.volumes_from = []

    networking = convert(body.get("NetworkingConfig") or {}, NetworkingConfig)
    if "NetworkingConfig" not in body and "NetworkMode" not in wanted_host:
        networking = NetworkingConfig(endpoints_config=_copies(snapshot.endpoints))
    return Clone(
        request=CreateRequest(config=config, host_config=host, networking=networking),
        mounts=sorted(mounts.values(), key=lambda mount: mount.destination.count("/")),
        frozen={destination: volume.layers for destination, volume in frozen.items()},
    )


def _fresh(mount: MountPoint, frozen: Mapping[str, Any]) -> MountPoint:
    copy = msgspec.structs.replace(mount)
    if mount.kind == "volume" and mount.destination in frozen:
        copy.name, copy.source, copy.anonymous = "", "", True
    return copy


def _copies(endpoints: Mapping[str, EndpointSettings]) -> dict[str, EndpointSettings]:
    return {name: msgspec.structs.replace(settings) for name, settings in endpoints.items()}
