"""A container's record and its surroundings → the ContainerSpec that the runtime starts. Pure."""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from stackwright.embedded.containers.spec import (
    DEFAULT_MASKED_PATHS,
    DEFAULT_READONLY_PATHS,
    BlkioLimit,
    ContainerSpec,
    Device,
    DnsConfig,
    ExecSpec,
    LogConfig,
    Mount,
    Namespaces,
    PortBinding,
    ProcessSpec,
    Resources,
    Rlimit,
    Rootfs,
    User,
)
from stackwright.embedded.containers.syscalls import UNCONFINED
from stackwright.embedded.errors import BadParameter, NotFound
from stackwright.embedded.ids import short_id
from stackwright.embedded.lifecycle.config import HostConfig, as_words
from stackwright.embedded.lifecycle.config import LogConfig as DockerLogConfig
from stackwright.embedded.lifecycle.inherit import process_env
from stackwright.embedded.lifecycle.privileges import (
    ALL_CAPABILITIES,
    capabilities,
    device_allowances,
    security_options,
)
from stackwright.embedded.lifecycle.record import Container

DEFAULT_SHM = 64 * 1024 * 1024
_SIZE = re.compile(r"(\d+)([bkmg]?)b?", re.IGNORECASE)
_LOG_BUFFER = frozenset({"mode", "max-buffer-size"})
_LOG_OPTIONS = {
    "local": _LOG_BUFFER | {"max-file", "max-size", "compress"},
    "json-file": _LOG_BUFFER
    | {"max-file", "max-size", "compress", "labels", "labels-regex", "env", "env-regex", "tag"},
}
_UNITS = {"": 1, "b": 1, "k": 1024, "m": 1024**2, "g": 1024**3}
_BLKIO = (
    ("read_bps", "blkio_device_read_bps"),
    ("write_bps", "blkio_device_write_bps"),
    ("read_iops", "blkio_device_read_iops"),
    ("write_iops", "blkio_device_write_iops"),
)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is only known when a container starts."""

    directory: Path
    rootfs: Rootfs
    user: User
    mounts: tuple[Mount, ...]
    namespaces: Namespaces
    dns: DnsConfig | None
    ports: tuple[PortBinding, ...]
    cgroup_parent: str
    variables: Mapping[str, str] = field(default_factory=dict)
    """Of linked containers; what the container's own configuration says comes first."""


def hostname_of(container: Container) -> str:
    """What the container calls itself: as asked, the host's name in host mode, or the short id."""
    if not container.config.hostname and container.host_config.network_mode == "host":
        return socket.gethostname()
    return container.config.hostname or short_id(container.id)


def hidden_paths(host: HostConfig) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What of /proc and /sys is masked, and what is read-only. Raises BadParameter."""
    if host.privileged or security_options(host.security_opt).system_paths_unconfined:
        return (), ()
    masked, readonly = host.masked_paths, host.readonly_paths
    return (
        DEFAULT_MASKED_PATHS if masked is None else tuple(masked),
        DEFAULT_READONLY_PATHS if readonly is None else tuple(readonly),
    )


def build_spec(container: Container, around: Surroundings) -> ContainerSpec:
    """Raises BadParameter for options that cannot be carried out."""
    host, config = container.host_config, container.config
    security = security_options(host.security_opt)
    masked, readonly = hidden_paths(host)
    return ContainerSpec(
        id=container.id,
        directory=str(around.directory),
        rootfs=around.rootfs,
        process=ProcessSpec(
            args=(*as_words(config.entrypoint), *as_words(config.cmd)),
            env=tuple(
                f"{k}={v}"
                for k, v in {**around.variables, **process_env(config, hostname_of(container))}.items()
            ),
            cwd=config.working_dir or "/",
            user=around.user,
            tty=config.tty,
            open_stdin=config.open_stdin,
            stdin_once=config.stdin_once,
            console_size=(host.console_size[0], host.console_size[1])
            if len(host.console_size) == 2
            else (0, 0),
            capabilities=_capabilities(host),
            no_new_privileges=security.no_new_privileges,
            seccomp=UNCONFINED if host.privileged else security.seccomp,
            rlimits=tuple(Rlimit(name=u.name, soft=u.soft, hard=u.hard) for u in host.ulimits),
            oom_score_adj=host.oom_score_adj,
            init=bool(host.init),
        ),
        hostname=hostname_of(container),
        domainname=config.domainname,
        mounts=around.mounts,
        shm_size=0 if host.ipc_mode == "none" else host.shm_size or DEFAULT_SHM,
        masked_paths=masked,
        readonly_paths=readonly,
        sysctls=tuple(host.sysctls.items()),
        devices=tuple(
            Device(
                source=d.path_on_host,
                target=d.path_in_container or d.path_on_host,
                permissions=d.cgroup_permissions or "rwm",
            )
            for d in host.devices
        ),
        device_rules=device_allowances(host.device_cgroup_rules),
        privileged=host.privileged,
        namespaces=around.namespaces,
        cgroup_parent=around.cgroup_parent,
        resources=resources_of(host),
        log=log_config(host.log_config),
        dns=around.dns,
        ports=around.ports,
    )


def exec_spec(
    exec_id: str, container: Container, args: tuple[str, ...], user: User, *, env: list[str] | None = None,
    cwd: str = "", tty: bool = False, stdin: bool = False, privileged: bool = False,
    console_size: tuple[int, int] = (0, 0),
) -> ExecSpec:  # fmt: skip
    """A further process in the container with the container's own environment, privileges and directory."""
    environment = process_env(container.config, hostname_of(container))
    if tty:
        environment.setdefault("TERM", "xterm")
    for entry in env or ():
        name, equals, value = entry.partition("=")
        if equals:
            environment[name] = value
        else:
            environment.pop(name, None)
    host = container.host_config
    security = security_options(host.security_opt)
    return ExecSpec(
        id=exec_id,
        privileged=privileged,
        process=ProcessSpec(
            args=args,
            env=tuple(f"{k}={v}" for k, v in environment.items()),
            cwd=cwd or container.config.working_dir or "/",
            user=user,
            tty=tty,
            open_stdin=stdin,
            console_size=console_size,
            capabilities=ALL_CAPABILITIES if privileged else _capabilities(host),
            no_new_privileges=security.no_new_privileges,
            seccomp=UNCONFINED if privileged or host.privileged else security.seccomp,
            rlimits=tuple(Rlimit(name=u.name, soft=u.soft, hard=u.hard) for u in host.ulimits),
        ),
    )


def resources_of(host: HostConfig) -> Resources:
    """HostConfig's limits; 0 is "not set" in the Engine API."""
    return Resources(
        memory=host.memory or None,
        memory_reservation=host.memory_reservation or None,
        memory_swap=host.memory_swap or None,
        memory_swappiness=host.memory_swappiness,
        oom_kill_disable=host.oom_kill_disable,
        nano_cpus=host.nano_cpus or None,
        cpu_shares=host.cpu_shares or None,
        cpu_period=host.cpu_period or None,
        cpu_quota=host.cpu_quota or None,
        cpuset_cpus=host.cpuset_cpus,
        cpuset_mems=host.cpuset_mems,
        pids=host.pids_limit if host.pids_limit and host.pids_limit > 0 else None,
        blkio_weight=host.blkio_weight or None,
        blkio=tuple(
            BlkioLimit(kind=kind, path=str(row["Path"]), rate=int(row["Rate"]))  # type: ignore[arg-type]
            for kind, field in _BLKIO
            for row in getattr(host, field)
        ),
    )


def log_config(config: DockerLogConfig) -> LogConfig:
    """Docker's log drivers: json-file (and local, kept in the same format here), none."""
    if config.type == "none":
        return LogConfig(driver="none")
    if config.type not in ("", "json-file", "local"):
        raise BadParameter(f"logger: no log driver named '{config.type}' is registered")
    driver = config.type or "json-file"
    for option in sorted(config.config):
        if option not in _LOG_OPTIONS[driver]:
            whose = "log driver local" if driver == "local" else "json-file log driver"
            raise BadParameter(f"unknown log opt '{option}' for {whose}")
    try:
        size = parse_size(config.config.get("max-size", "0"))
        files = int(config.config.get("max-file", "1"))
    except ValueError as error:
        raise BadParameter(f"invalid log option: {error}") from error
    return LogConfig(max_size=size, max_file=max(files, 1))


def parse_size(text: str) -> int:
    """`10m` → bytes; -1 and 0 mean unlimited."""
    if text in ("-1", ""):
        return 0
    match = _SIZE.fullmatch(text.strip())
    if not match:
        raise ValueError(f"invalid size: '{text}'")
    return int(match[1]) * _UNITS[match[2].lower()]


def _capabilities(host: HostConfig) -> tuple[str, ...]:
    if host.privileged:
        return ALL_CAPABILITIES
    return capabilities(as_words(host.cap_add), as_words(host.cap_drop))


def namespaces_of(container: Container, net: str, pid_of: dict[str, int]) -> Namespaces:
    """Namespace modes of HostConfig; `container:x` joins that of a running container (its pid in
    `pid_of`)."""
    host = container.host_config

    def mode(value: str, name: str, default: str = "new") -> str:
        if value.startswith("container:"):
            other = value.removeprefix("container:")
            if other not in pid_of:
                raise NotFound(f"cannot join {name} namespace of a non running container: {other}")
            return f"/proc/{pid_of[other]}/ns/{name}"
        return "host" if value == "host" else default

    return Namespaces(
        net=net,
        pid=mode(host.pid_mode, "pid"),
        ipc=mode(host.ipc_mode, "ipc"),
        uts="host" if host.uts_mode == "host" else "new",
        cgroup="host" if host.cgroupns_mode == "host" else "new",
    )
