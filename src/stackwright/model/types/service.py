# ruff: noqa: RUF012 - msgspec copies empty defaults
"""``services.*`` (Compose Specification, Services)."""

from typing import Literal

from stackwright.model.types.base import Bytes, Extensions, Nanoseconds, Value
from stackwright.model.types.build import Build, Ulimit
from stackwright.model.types.deploy import Deploy, DeviceRequest
from stackwright.model.types.mounts import FileReference, Mount


class Dependency(Value, frozen=True, kw_only=True):
    """One entry of ``depends_on``. ``restart``: restart this service when the other is."""

    condition: Literal["service_started", "service_healthy", "service_completed_successfully"]
    restart: bool = False
    required: bool = True
    """False: only a warning when the other service is missing or fails to start."""
    extensions: Extensions = {}


class Healthcheck(Value, frozen=True, kw_only=True):
    """``test`` starts with ``CMD``, ``CMD-SHELL`` or ``NONE``. None: the image's or the engine's default."""

    test: list[str] = []
    timeout: Nanoseconds | None = None
    interval: Nanoseconds | None = None
    retries: int | None = None
    start_period: Nanoseconds | None = None
    start_interval: Nanoseconds | None = None
    disable: bool = False
    extensions: Extensions = {}


class Port(Value, frozen=True, kw_only=True):
    """One container port (ranges are expanded).

    ``published`` is empty for any free host port, a number, or a range such as ``8000-8010`` from
    which the engine picks one. ``protocol`` is ``tcp``, ``udp`` or ``sctp``.
    """

    name: str = ""
    mode: str = "ingress"
    host_ip: str = ""
    target: int = 0
    published: str = ""
    protocol: str = "tcp"
    app_protocol: str = ""
    extensions: Extensions = {}


class NetworkAttachment(Value, frozen=True, kw_only=True):
    """How a service is attached to one network."""

    aliases: list[str] = []
    driver_opts: dict[str, str] = {}
    gw_priority: int = 0
    interface_name: str = ""
    ipv4_address: str = ""
    ipv6_address: str = ""
    link_local_ips: list[str] = []
    mac_address: str = ""
    priority: int = 0
    extensions: Extensions = {}


class Logging(Value, frozen=True, kw_only=True):
    """Logging driver and its options."""

    driver: str = ""
    options: dict[str, str] = {}
    extensions: Extensions = {}


class EnvFile(Value, frozen=True, kw_only=True):
    """A file of environment variables; its values are already in ``Service.environment``."""

    path: str
    required: bool = True
    format: str = ""


class Device(Value, frozen=True, kw_only=True):
    """A host device given to the container, or a CDI device (``source`` alone)."""

    source: str = ""
    target: str = ""
    permissions: str = ""


class BlkioWeight(Value, frozen=True, kw_only=True):
    """A device's relative weight."""

    path: str
    weight: int = 0


class BlkioRate(Value, frozen=True, kw_only=True):
    """A device's rate: bytes or operations per second."""

    path: str
    rate: int = 0


class Blkio(Value, frozen=True, kw_only=True):
    """Block-device limits."""

    weight: int = 0
    weight_device: list[BlkioWeight] = []
    device_read_bps: list[BlkioRate] = []
    device_read_iops: list[BlkioRate] = []
    device_write_bps: list[BlkioRate] = []
    device_write_iops: list[BlkioRate] = []


class Hook(Value, frozen=True, kw_only=True):
    """A command run in the container after start, before stop, or on a watched change."""

    command: list[str] | None = None
    user: str = ""
    privileged: bool = False
    working_dir: str = ""
    environment: dict[str, str | None] = {}
    extensions: Extensions = {}


class PreStartHook(Hook, frozen=True, kw_only=True):
    """A container run to completion before the service's own starts."""

    image: str = ""
    """Empty: the service's image."""
    per_replica: bool = False


class WatchRule(Value, frozen=True, kw_only=True):
    """One rule of ``develop.watch``."""

    path: str
    action: Literal["rebuild", "sync", "restart", "sync+restart", "sync+exec"]
    target: str = ""
    exec: Hook = Hook()
    include: list[str] = []
    ignore: list[str] = []
    initial_sync: bool = False
    extensions: Extensions = {}


class Develop(Value, frozen=True, kw_only=True):
    """What ``watch`` does for the service."""

    watch: list[WatchRule] = []
    extensions: Extensions = {}


class Provider(Value, frozen=True, kw_only=True):
    """A service run by a plugin instead of containers. Option values are lists of texts."""

    type: str = ""
    options: dict[str, list[str]] = {}
    extensions: Extensions = {}


class CredentialSpec(Value, frozen=True, kw_only=True):
    """Credentials for a managed service account."""

    config: str = ""
    file: str = ""
    registry: str = ""


class ModelBinding(Value, frozen=True, kw_only=True):
    """Under which variables a service learns of a model."""

    endpoint_var: str = ""
    model_var: str = ""


class Service(Value, frozen=True, kw_only=True):
    """A service, everything in long form, paths absolute, environment resolved.

    Empty texts, lists and maps, and 0, mean "not given" unless an attribute says otherwise.
    """

    name: str
    profiles: list[str] = []
    annotations: dict[str, str] = {}
    attach: bool | None = None
    build: Build | None = None
    develop: Develop | None = None
    blkio_config: Blkio | None = None
    cap_add: list[str] = []
    cap_drop: list[str] = []
    cgroup_parent: str = ""
    cgroup: str = ""
    cpu_count: int = 0
    cpu_percent: float = 0.0
    cpu_period: int = 0
    """Microseconds."""
    cpu_quota: int = 0
    """Microseconds."""
    cpu_rt_period: int = 0
    """Microseconds."""
    cpu_rt_runtime: int = 0
    """Microseconds."""
    cpus: float = 0.0
    cpuset: str = ""
    cpu_shares: int = 0
    command: list[str] | None = None
    """None: the image's. An empty list: the image's is cleared."""
    configs: list[FileReference] = []
    container_name: str = ""
    credential_spec: CredentialSpec | None = None
    depends_on: dict[str, Dependency] = {}
    deploy: Deploy | None = None
    device_cgroup_rules: list[str] = []
    devices: list[Device] = []
    dns: list[str] = []
    dns_opt: list[str] = []
    dns_search: list[str] = []
    domainname: str = ""
    entrypoint: list[str] | None = None
    """None: the image's. An empty list: the image's is cleared."""
    provider: Provider | None = None
    environment: dict[str, str | None] = {}
    """``env_file`` and ``environment``, resolved. None: named, but set nowhere (not passed on)."""
    env_file: list[EnvFile] = []
    expose: list[str] = []
    external_links: list[str] = []
    extra_hosts: dict[str, list[str]] = {}
    group_add: list[str] = []
    gpus: list[DeviceRequest] = []
    hostname: str = ""
    healthcheck: Healthcheck | None = None
    image: str = ""
    init: bool | None = None
    ipc: str = ""
    isolation: str = ""
    labels: dict[str, str] = {}
    label_file: list[str] = []
    links: list[str] = []
    logging: Logging | None = None
    mem_limit: Bytes = 0
    mem_reservation: Bytes = 0
    memswap_limit: Bytes = 0
    """-1: unlimited swap."""
    mem_swappiness: int | None = None
    mac_address: str = ""
    models: dict[str, ModelBinding | None] = {}
    network_mode: str = ""
    """``none``, ``host``, ``service:<name>``, ``container:<name>`` or empty (see ``networks``)."""
    networks: dict[str, NetworkAttachment | None] = {}
    """By top-level key. Never empty unless ``network_mode`` is set or a provider runs the service."""
    oom_kill_disable: bool = False
    oom_score_adj: int = 0
    pid: str = ""
    pids_limit: int = 0
    platform: str = ""
    ports: list[Port] = []
    privileged: bool = False
    pull_policy: str = ""
    read_only: bool = False
    restart: str = ""
    """``no``, ``always``, ``unless-stopped``, ``on-failure`` or ``on-failure:<n>``."""
    runtime: str = ""
    scale: int | None = None
    secrets: list[FileReference] = []
    security_opt: list[str] = []
    shm_size: Bytes = 0
    stdin_open: bool = False
    stop_grace_period: Nanoseconds | None = None
    stop_signal: str = ""
    storage_opt: dict[str, str] = {}
    sysctls: dict[str, str] = {}
    tmpfs: list[str] = []
    tty: bool = False
    ulimits: dict[str, Ulimit] = {}
    use_api_socket: bool = False
    user: str = ""
    userns_mode: str = ""
    uts: str = ""
    volumes: list[Mount] = []
    volumes_from: list[str] = []
    working_dir: str = ""
    pre_start: list[PreStartHook] = []
    post_start: list[Hook] = []
    pre_stop: list[Hook] = []
    extensions: Extensions = {}

    @property
    def replicas(self) -> int:
        """How many containers: ``scale``, else ``deploy.replicas``, else 1."""
        if self.scale is not None:
            return self.scale
        if self.deploy is not None and self.deploy.replicas is not None:
            return self.deploy.replicas
        return 1

    @property
    def networks_by_priority(self) -> list[str]:
        """Network keys, the highest ``priority`` first, equal ones by name."""
        return sorted(self.networks, key=lambda key: (-_priority(self.networks[key]), key))


def _priority(attachment: NetworkAttachment | None) -> int:
    return attachment.priority if attachment else 0
