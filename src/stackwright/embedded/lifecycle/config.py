"""The body of `POST /containers/create` as types, with Docker's field names outside and ours inside.

Parsed once: whatever leaves `parse_create` has the right shape; meaning (does the image exist, is the port a
number) is judged where it is used. Unknown fields are dropped as Docker does, `null` counts as absent.
Engine API 1.50, ContainerCreate: ContainerConfig, HostConfig, NetworkingConfig.
"""

from __future__ import annotations

from functools import cache
from typing import Any, TypeVar

import msgspec

from stackwright.embedded.errors import BadParameter

T = TypeVar("T")

_UPPER = {
    "uts_mode": "UTSMode", "ipam_config": "IPAMConfig", "ipv4_address": "IPv4Address",
    "ipv6_address": "IPv6Address", "link_local_ips": "LinkLocalIPs", "network_id": "NetworkID",
    "endpoint_id": "EndpointID", "ip_address": "IPAddress", "ip_prefix_len": "IPPrefixLen",
    "ipv6_gateway": "IPv6Gateway", "global_ipv6_address": "GlobalIPv6Address",
    "global_ipv6_prefix_len": "GlobalIPv6PrefixLen", "dns_names": "DNSNames", "host_ip": "HostIp",
    "container_id_file": "ContainerIDFile", "device_ids": "DeviceIDs", "io_maximum_iops": "IOMaximumIOps",
    "io_maximum_bandwidth": "IOMaximumBandwidth",
}  # fmt: skip
# Keys whose null values mean "present, with no settings" rather than "absent".
_NULL_IS_EMPTY = {"EndpointsConfig", "ExposedPorts", "Volumes"}


def docker_name(field: str) -> str:
    """`cap_add` → `CapAdd`; the few that do not follow the rule are in a table."""
    return _UPPER.get(field) or "".join(part.capitalize() for part in field.split("_"))


class Docker(msgspec.Struct, rename=docker_name, kw_only=True):
    """Base of everything exchanged in the Engine API's own field names."""


class HealthConfig(Docker):
    """`Healthcheck`; durations in nanoseconds, 0 = default. `Test`: [] inherit, ["NONE"] off."""

    test: list[str] = []
    interval: int = 0
    timeout: int = 0
    start_period: int = 0
    start_interval: int = 0
    retries: int = 0


class Config(Docker):
    """What is portable about a container: command, environment, user…"""

    hostname: str = ""
    domainname: str = ""
    user: str = ""
    attach_stdin: bool = False
    attach_stdout: bool = False
    attach_stderr: bool = False
    exposed_ports: dict[str, Any] = {}
    tty: bool = False
    open_stdin: bool = False
    stdin_once: bool = False
    env: list[str] = []
    cmd: list[str] | str | None = None
    healthcheck: HealthConfig | None = None
    image: str = ""
    volumes: dict[str, Any] = {}
    working_dir: str = ""
    entrypoint: list[str] | str | None = None
    network_disabled: bool = False
    mac_address: str = ""
    on_build: list[str] | None = None
    labels: dict[str, str] = {}
    stop_signal: str = ""
    stop_timeout: int | None = None
    shell: list[str] = []


class RestartPolicy(Docker):
    """`Name`: "", no, always, unless-stopped, on-failure (with `MaximumRetryCount`, 0 = no limit)."""

    name: str = ""
    maximum_retry_count: int = 0


class LogConfig(Docker):
    """Log driver; "" is json-file."""

    type: str = ""
    config: dict[str, str] = {}


class PortMapping(Docker):
    """One row of `PortBindings`: host address and port as text ("" = any, "8000-8010" = first free)."""

    host_ip: str = ""
    host_port: str = ""


class Ulimit(Docker):
    """A resource limit by its short name (nofile); -1 = unlimited."""

    name: str = ""
    soft: int = 0
    hard: int = 0


class DeviceMapping(Docker):
    """A host device given to the container."""

    path_on_host: str = ""
    path_in_container: str = ""
    cgroup_permissions: str = "rwm"


class MountConfig(Docker):
    """One entry of `Mounts` (long syntax)."""

    type: str = "volume"
    source: str = ""
    target: str = ""
    read_only: bool = False
    consistency: str = ""
    bind_options: dict[str, Any] | None = None
    volume_options: dict[str, Any] | None = None
    tmpfs_options: dict[str, Any] | None = None


class HostConfig(Docker):
    """What ties a container to this host: mounts, ports, limits, privileges."""

    binds: list[str] = []
    container_id_file: str = ""
    log_config: LogConfig = msgspec.field(default_factory=LogConfig)
    network_mode: str = ""
    port_bindings: dict[str, list[PortMapping]] = {}
    restart_policy: RestartPolicy = msgspec.field(default_factory=RestartPolicy)
    auto_remove: bool = False
    volume_driver: str = ""
    volumes_from: list[str] = []
    console_size: list[int] = msgspec.field(default_factory=lambda: [0, 0])
    annotations: dict[str, str] = {}
    cap_add: list[str] | str = []
    cap_drop: list[str] | str = []
    cgroupns_mode: str = ""
    dns: list[str] = []
    dns_options: list[str] = []
    dns_search: list[str] = []
    extra_hosts: list[str] = []
    group_add: list[str] = []
    ipc_mode: str = ""
    cgroup: str = ""
    links: list[str] = []
    oom_score_adj: int = 0
    pid_mode: str = ""
    privileged: bool = False
    publish_all_ports: bool = False
    readonly_rootfs: bool = False
    security_opt: list[str] = []
    storage_opt: dict[str, str] = {}
    tmpfs: dict[str, str] = {}
    uts_mode: str = ""
    userns_mode: str = ""
    shm_size: int = 0
    sysctls: dict[str, str] = {}
    runtime: str = ""
    isolation: str = ""
    cpu_shares: int = 0
    memory: int = 0
    nano_cpus: int = 0
    cgroup_parent: str = ""
    blkio_weight: int = 0
    blkio_weight_device: list[dict[str, Any]] = []
    blkio_device_read_bps: list[dict[str, Any]] = []
    blkio_device_write_bps: list[dict[str, Any]] = []
    blkio_device_read_iops: list[dict[str, Any]] = msgspec.field(default=[], name="BlkioDeviceReadIOps")
    blkio_device_write_iops: list[dict[str, Any]] = msgspec.field(default=[], name="BlkioDeviceWriteIOps")
    cpu_period: int = 0
    cpu_quota: int = 0
    cpu_realtime_period: int = 0
    cpu_realtime_runtime: int = 0
    cpuset_cpus: str = ""
    cpuset_mems: str = ""
    devices: list[DeviceMapping] = []
    device_cgroup_rules: list[str] = []
    device_requests: list[dict[str, Any]] = []
    memory_reservation: int = 0
    memory_swap: int = 0
    memory_swappiness: int | None = None
    oom_kill_disable: bool = False
    pids_limit: int | None = None
    ulimits: list[Ulimit] = []
    mounts: list[MountConfig] = []
    masked_paths: list[str] | None = None
    readonly_paths: list[str] | None = None
    init: bool | None = None


class ExecConfig(Docker):
    """Body of POST /containers/{id}/exec."""

    attach_stdin: bool = False
    attach_stdout: bool = False
    attach_stderr: bool = False
    detach_keys: str = ""
    tty: bool = False
    env: list[str] = []
    cmd: list[str] = []
    privileged: bool = False
    user: str = ""
    working_dir: str = ""
    console_size: list[int] = msgspec.field(default_factory=lambda: [0, 0])


class EndpointIPAM(Docker):
    """Addresses asked for in one network."""

    ipv4_address: str = ""
    ipv6_address: str = ""
    link_local_ips: list[str] = []


class EndpointSettings(Docker):
    """What a container wants from one network; the assigned values live in the network's own endpoint."""

    ipam_config: EndpointIPAM | None = None
    links: list[str] = []
    aliases: list[str] = []
    mac_address: str = ""
    driver_opts: dict[str, str] | None = None
    gw_priority: int = 0


class NetworkingConfig(Docker):
    """Networks to join at creation, by name or id."""

    endpoints_config: dict[str, EndpointSettings] = {}


class CreateRequest(msgspec.Struct, kw_only=True):
    """The three parts of a create body."""

    config: Config
    host_config: HostConfig
    networking: NetworkingConfig


def without_nulls(value: Any, *, parent: str = "") -> Any:
    """Drop members that are null (Go's zero value), so that the defaults apply."""
    if isinstance(value, dict):
        if parent in _NULL_IS_EMPTY:
            return {k: without_nulls(v, parent=k) if v is not None else {} for k, v in value.items()}
        return {k: without_nulls(v, parent=k) for k, v in value.items() if v is not None}
    if isinstance(value, list):
        return [without_nulls(item) for item in value]
    return value


@cache
def _names_of(kind: type[msgspec.Struct]) -> dict[str, str]:
    return {field.encode_name.lower(): field.encode_name for field in msgspec.structs.fields(kind)}


def convert(body: Any, kind: type[T]) -> T:
    """Decoded JSON → `kind`; raises BadParameter naming the field that does not fit.

    Docker reads field names in any case, and clients rely on it (docker-py's `detachKeys`).
    """
    if isinstance(body, dict) and issubclass(kind, msgspec.Struct):
        names = _names_of(kind)
        body = {names.get(key.lower(), key) if isinstance(key, str) else key: body[key] for key in body}
    try:
        return msgspec.convert(without_nulls(body), kind)
    except msgspec.ValidationError as error:
        raise BadParameter(f"invalid JSON: {error}") from error


def parse_create(body: dict[str, Any]) -> CreateRequest:
    """Body of ContainerCreate → its three parts. Raises BadParameter."""
    return CreateRequest(
        config=convert(body, Config),
        host_config=convert(body.get("HostConfig") or {}, HostConfig),
        networking=convert(body.get("NetworkingConfig") or {}, NetworkingConfig),
    )


def as_words(value: list[str] | str | None) -> list[str]:
    """Cmd, Entrypoint, CapAdd may be one string or a list (Docker's strslice)."""
    if value is None:
        return []
    return [value] if isinstance(value, str) else list(value)


def to_docker(value: Docker) -> dict[str, Any]:
    """Back to the shape that inspect prints."""
    result: dict[str, Any] = msgspec.to_builtins(value)
    return result
