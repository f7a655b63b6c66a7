"""`POST /containers/create`: a request becomes a container on disk, or an error that leaves nothing
behind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from stackwright.embedded.errors import BadParameter, NotFound
from stackwright.embedded.ids import new_id
from stackwright.embedded.images.types import Image
from stackwright.embedded.lifecycle.acceptable import check_host_config
from stackwright.embedded.lifecycle.config import Config, CreateRequest, HostConfig
from stackwright.embedded.lifecycle.files import ContainerFiles, bind_source
from stackwright.embedded.lifecycle.inherit import inherit
from stackwright.embedded.lifecycle.mounts import parse_volumes_from, plan_mounts
from stackwright.embedded.lifecycle.names import invent_name
from stackwright.embedded.lifecycle.naming import network_mode
from stackwright.embedded.lifecycle.ports import check_ports
from stackwright.embedded.lifecycle.record import Container, MountPoint, now_ns
from stackwright.embedded.lifecycle.services import Services
from stackwright.embedded.lifecycle.signals import parse_signal
from stackwright.embedded.lifecycle.specs import DEFAULT_SHM
from stackwright.embedded.lifecycle.supervisor import Supervisor
from stackwright.embedded.lifecycle.wiring import Wiring
from stackwright.embedded.snapshots.cloning import Clone
from stackwright.embedded.snapshots.record import Snapshot


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
        if config.working_dir and not config.working_dir.startswith("/"):
            raise BadParameter(
                f"the working directory '{config.working_dir}' is invalid, it needs to be an absolute path"
            )
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
        try:
            inherited = [
                (self._services.containers.get(source).mounts, mode)
                for source, mode in map(parse_volumes_from, host.volumes_from)
            ]
        except NotFound as error:  # 404 would mean the image, which clients pull then
            raise BadParameter(error.message) from error
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
            self._files.remove(container.id)
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
        existed = bool(mount.name) and volumes.exists(mount.name)
        volume = await volumes.create(
            mount.name, frozen=content, snapshot=container.snapshot if content else "", pending=anonymous
        )
        mount.name, mount.source = volume.name, volume.mountpoint
        if not existed:
            services.events.publish("volume", "create", volume.name, {"driver": volume.driver})
        if not mount.no_copy and not mount.readonly and not mount.subpath:
            layers = (*services.frozen.folders(container.frozen), *services.images.lower_dirs(image))
            await volumes.populate(volume, layers, mount.destination)
        return anonymous
