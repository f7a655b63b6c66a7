"""`POST /containers/create`: a request becomes a container on disk, or an error that leaves nothing
behind."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from stackwright.embedded.errors import BadParameter, Conflict
from stackwright.embedded.ids import new_id
from stackwright.embedded.images.types import Image
from stackwright.embedded.lifecycle.config import Config, CreateRequest, HostConfig, as_words
from stackwright.embedded.lifecycle.files import ContainerFiles, bind_source
from stackwright.embedded.lifecycle.inherit import inherit
from stackwright.embedded.lifecycle.mounts import parse_volumes_from, plan_mounts
from stackwright.embedded.lifecycle.names import invent_name
from stackwright.embedded.lifecycle.naming import network_mode
from stackwright.embedded.lifecycle.ports import check_ports
from stackwright.embedded.lifecycle.privileges import (
    capabilities,
    check_sysctls,
    device_allowances,
    security_options,
)
from stackwright.embedded.lifecycle.record import Container, MountPoint, now_ns
from stackwright.embedded.lifecycle.restart import check_policy
from stackwright.embedded.lifecycle.services import Services
from stackwright.embedded.lifecycle.signals import parse_signal
from stackwright.embedded.lifecycle.specs import DEFAULT_SHM, log_config
from stackwright.embedded.lifecycle.supervisor import Supervisor
from stackwright.embedded.lifecycle.wiring import Wiring
from stackwright.embedded.snapshots.cloning import Clone
from stackwright.embedded.snapshots.record import Snapshot

_SMALLEST_MEMORY = 6 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Created:
    """The new container and what the client should be warned of."""

    container: Container
    warnings: list[str]


@dataclass(frozen=True, slots=True)
class _Start:
    """What a container begins with that is not created from its image alone."""

    snapshot: Snapshot
    clone: Clone


class Creator:
    """Checks a request, fills it from the image, and writes the container down."""

    def __init__(
        self, services: Services, files: ContainerFiles, wiring: Wiring, supervisor: Supervisor
    ) -> None:
        self._services = services
        self._files = files
        self._wiring = wiring
        self._supervisor = supervisor

    async def create_from(self, snapshot: Snapshot, clone: Clone, name: str = "") -> Created:
        """POST /containers/create?snapshot=: a container that starts where a frozen one stood."""
        with self._services.frozen.holding(snapshot.frozen()):
            return await self.create(clone.request, name, _Start(snapshot, clone))

    async def create(self, request: CreateRequest, name: str = "", start: _Start | None = None) -> Created:
        """Raises NotFound (image, network), Conflict (name), BadParameter."""
        services, host = self._services, request.host_config
        containers = services.containers
        name = containers.check_name(name) if name else invent_name(lambda n: containers.find(n) is not None)
        image = services.images.get(start.snapshot.image_id if start else request.config.image)
        config = inherit(request.config, image.run_config)
        warnings = check_host_config(host)
        check_ports(config.exposed_ports, host)
        if config.stop_signal:
            parse_signal(config.stop_signal)
        config.exposed_ports = {**config.exposed_ports, **{port: {} for port in host.port_bindings}}
        host.network_mode = network_mode(host)
        host.shm_size = host.shm_size or DEFAULT_SHM
        endpoints = self._wiring.endpoints_for(host, request.networking, config.mac_address)
        mounts = start.clone.mounts if start else self._mounts(host, config)
        for mount in mounts:
            if mount.kind == "bind":
                bind_source(mount)
        container = Container(
            id=new_id(),
            name=name,
            created_ns=now_ns(),
            image_id=image.id,
            image=request.config.image,
            config=config,
            host_config=host,
            endpoints=endpoints,
            mounts=mounts,
            frozen=list(start.snapshot.layers) if start else [],
            snapshot=start.snapshot.id if start else "",
        )
        with services.images.leased(image.id):
            await self._write(container, image, start.clone.frozen if start else {})
        self._supervisor.tell(container, "create")
        return Created(container, warnings)

    def _mounts(self, host: HostConfig, config: Config) -> list[MountPoint]:
        inherited = [
            (self._services.containers.get(source).mounts, mode)
            for source, mode in map(parse_volumes_from, host.volumes_from)
        ]
        return plan_mounts(host, config.volumes, inherited)

    async def _write(self, container: Container, image: Image, frozen: Mapping[str, tuple[str, ...]]) -> None:
        made: list[MountPoint] = []
        self._files.create(container)
        try:
            for mount in container.mounts:
                if mount.kind == "volume" and await self._make_volume(container, mount, image, frozen):
                    made.append(mount)
            # Another request may have taken the name while volumes were being filled.
            self._services.containers.check_name(container.name)
            own = [mount.name for mount in made]
            self._services.containers.add(container, partial(self._services.volumes.settle, own))
        except BaseException:
            await self._files.remove(container.id)
            for mount in made:
                await self._services.volumes.remove(mount.name, force=True)
            raise

    async def _make_volume(
        self,
        container: Container,
        mount: MountPoint,
        image: Image,
        frozen: Mapping[str, tuple[str, ...]],
    ) -> bool:
        """Create the volume if need be and fill it from the image, or begin with what was frozen; whether it is new and
        anonymous."""
        services = self._services
        volumes = services.volumes
        anonymous = mount.anonymous and not mount.name
        content = frozen.get(mount.destination, ())
        volume = await volumes.create(
            mount.name, frozen=content, snapshot=container.snapshot if content else "", pending=anonymous
        )
        mount.name, mount.source = volume.name, volume.mountpoint
        if not mount.no_copy and not mount.readonly and not mount.subpath:
            layers = (*services.frozen.folders(container.frozen), *services.images.lower_dirs(image))
            await volumes.populate(volume, layers, mount.destination)
        return anonymous


def check_host_config(host: HostConfig) -> list[str]:
    """Raise BadParameter for what cannot be carried out; return warnings for what will be ignored."""
    check_policy(host.restart_policy, auto_remove=host.auto_remove)
    capabilities(as_words(host.cap_add), as_words(host.cap_drop))
    security_options(host.security_opt)
    device_allowances(host.device_cgroup_rules)
    check_sysctls(
        host.sysctls,
        own_network=network_mode(host) != "host",
        own_ipc=host.ipc_mode != "host",
        own_uts=host.uts_mode != "host",
    )
    log_config(host.log_config)
    if 0 < host.memory < _SMALLEST_MEMORY:
        raise BadParameter("Minimum memory limit allowed is 6MB")
    if host.memory and host.memory_swap > 0 and host.memory_swap < host.memory:
        raise BadParameter("Minimum memoryswap limit should be larger than memory limit, see usage")
    if host.memory_swap > 0 and not host.memory:
        raise BadParameter("You should always set the Memory limit when using Memoryswap limit, see usage")
    cpus = os.cpu_count() or 1
    if not 0 <= host.nano_cpus <= cpus * 10**9:
        raise BadParameter(
            f"range of CPUs is from 0.01 to {cpus}.00, as there are only {cpus} CPUs available"
        )
    if host.nano_cpus and (host.cpu_quota or host.cpu_period):
        raise BadParameter("Conflicting options: Nano CPUs and CPU Quota/Period cannot both be set")
    if host.shm_size < 0:
        raise BadParameter("SHM size can not be less than 0")
    if network_mode(host) in ("host", "none") and host.links:
        raise Conflict("conflicting options: host type networking can't be used with links")
    if host.device_requests:
        raise BadParameter('could not select device driver "" with capabilities: [[gpu]]')
    warnings = []
    if network_mode(host) == "host" and host.port_bindings:
        warnings.append("Published ports are discarded when using host network mode")
    if host.oom_kill_disable and not host.memory:
        warnings.append(
            "OOM killer is disabled for the container, but no memory limit is set, this can result in the "
            "system running out of resources."
        )
    return warnings
