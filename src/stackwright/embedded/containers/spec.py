"""What a container is to the kernel side of the engine: one frozen value, stored and sent as JSON.

Only the engine imports this module. The monitor and init read the same JSON into plain records
(`wire.Record`) with the same attribute names, so that they stay small: importing msgspec would
double their memory. Two rules follow: no dict anywhere in a spec (pairs instead), and every field
has a value after encoding (`to_wire` writes defaults out).

Field meanings follow the OCI runtime specification (config.md, config-linux.md) where it has them.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

DEFAULT_CAPABILITIES: tuple[str, ...] = (
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FSETID",
    "CAP_FOWNER",
    "CAP_MKNOD",
    "CAP_NET_RAW",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETFCAP",
    "CAP_SETPCAP",
    "CAP_NET_BIND_SERVICE",
    "CAP_SYS_CHROOT",
    "CAP_KILL",
    "CAP_AUDIT_WRITE",
)
"""Docker's default set (`docker run` without cap_add/cap_drop)."""

DEFAULT_MASKED_PATHS: tuple[str, ...] = (
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
)
DEFAULT_READONLY_PATHS: tuple[str, ...] = (
    "/proc/bus",
    "/proc/fs",
    "/proc/irq",
    "/proc/sys",
    "/proc/sysrq-trigger",
)


class Rootfs(msgspec.Struct, frozen=True, kw_only=True):
    """The container's root: an overlay, mounted only inside the container's own mount namespace.

    All paths are absolute host paths of existing directories. `lower` is topmost first, as
    ImageService.lower_dirs gives it. `merged` is an empty directory used as the mount point.
    """

    lower: tuple[str, ...]
    upper: str
    work: str
    merged: str
    readonly: bool = False


class User(msgspec.Struct, frozen=True, kw_only=True):
    """Numeric identity of the process; `users.resolve_user` makes it from "name:group"."""

    uid: int = 0
    gid: int = 0
    groups: tuple[int, ...] = ()
    home: str = "/"


class Rlimit(msgspec.Struct, frozen=True, kw_only=True):
    """`name` as Docker's ulimit names it ("nofile", "nproc"...); -1 means unlimited."""

    name: str
    soft: int
    hard: int


class ProcessSpec(msgspec.Struct, frozen=True, kw_only=True):
    """The process to run. `env` holds "NAME=value"; HOME, PATH and HOSTNAME are added by init if absent."""

    args: tuple[str, ...]
    env: tuple[str, ...] = ()
    cwd: str = "/"
    user: User = User()
    tty: bool = False
    open_stdin: bool = False
    stdin_once: bool = False
    """Close the container's stdin when the first attached client with stdin goes away (`docker run -i`)."""
    console_size: tuple[int, int] = (0, 0)
    """(rows, columns) of the terminal at start; zeros leave the kernel's default."""
    capabilities: tuple[str, ...] = DEFAULT_CAPABILITIES
    no_new_privileges: bool = False
    seccomp: str = "default"
    """default, unconfined, or the text of a profile (seccomp_profile.py)."""
    rlimits: tuple[Rlimit, ...] = ()
    oom_score_adj: int = 0
    init: bool = False
    """Run our reaper as PID 1, which forwards signals and reaps orphans (`docker run --init`)."""


class Mount(msgspec.Struct, frozen=True, kw_only=True):
    """One mount inside the container, applied in the order given (parents first).

    bind and volume: `source` is an existing host path (file or directory); a missing target is created.
    tmpfs: `options` are mount options ("size=64m", "mode=1777", "noexec"...), `source` is ignored.
    Mounts on /proc, /dev, /dev/shm, /sys... replace the default ones.
    """

    kind: Literal["bind", "volume", "tmpfs"]
    target: str
    source: str = ""
    readonly: bool = False
    options: tuple[str, ...] = ()
    propagation: str = "rprivate"
    recursive: bool = True


class Device(msgspec.Struct, frozen=True, kw_only=True):
    """A host device made available (`--device`); `permissions` is any of "rwm"."""

    source: str
    target: str
    permissions: str = "rwm"


class DeviceAllowance(msgspec.Struct, frozen=True, kw_only=True):
    """Devices that processes may use without a node being made for them (`--device-cgroup-rule`); None is any number."""

    kind: Literal["a", "b", "c"]
    major: int | None
    minor: int | None
    access: str


class Namespaces(msgspec.Struct, frozen=True, kw_only=True):
    """Which namespaces the container has of its own.

    "new": a fresh one; "host": the host's. net also "none": fresh with only `lo` up.
    A path such as /proc/<pid>/ns/net joins that namespace (`network_mode: container:x`,
    `pid: container:x`, `ipc: container:x`).
    """

    net: str = "new"
    pid: str = "new"
    ipc: str = "new"
    uts: str = "new"
    cgroup: str = "new"
    user: str = "host"


class BlkioLimit(msgspec.Struct, frozen=True, kw_only=True):
    """One throttle rule: `kind` is read_bps, write_bps, read_iops or write_iops on the device at `path`."""

    kind: Literal["read_bps", "write_bps", "read_iops", "write_iops"]
    path: str
    rate: int


class Resources(msgspec.Struct, frozen=True, kw_only=True):
    """Limits. None (or 0) means not set. Sizes in bytes, `nano_cpus` in 10⁻⁹ CPUs, periods in µs."""

    memory: int | None = None
    memory_reservation: int | None = None
    memory_swap: int | None = None
    """Memory plus swap; -1 unlimited swap; None with `memory` set: twice the memory, as Docker does."""
    memory_swappiness: int | None = None
    oom_kill_disable: bool = False
    nano_cpus: int | None = None
    cpu_shares: int | None = None
    cpu_period: int | None = None
    cpu_quota: int | None = None
    cpuset_cpus: str = ""
    cpuset_mems: str = ""
    pids: int | None = None
    blkio_weight: int | None = None
    blkio: tuple[BlkioLimit, ...] = ()


class LogConfig(msgspec.Struct, frozen=True, kw_only=True):
    """json-file: Docker's format at `<directory>/json.log`, rotated; none: only attached clients see output."""

    driver: Literal["json-file", "none"] = "json-file"
    max_size: int = 0
    """Bytes after which the file is rotated; 0 never."""
    max_file: int = 1


class DnsConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Present: the monitor serves DNS at 127.0.0.11:53 inside the container's network namespace."""

    tables: tuple[str, ...] = ()
    """Paths of the networks' name tables (written by networks.service)."""
    upstream: tuple[str, ...] = ()
    """Addresses of the servers that get every other question."""


class PortBinding(msgspec.Struct, frozen=True, kw_only=True):
    """A published port. `host_port` 0 asks for any free one; what was bound comes back in `Running.ports`.

    `container_ip` may stay empty when it is only known after network set-up.
    """

    proto: Literal["tcp", "udp"] = "tcp"
    host_ip: str = ""
    host_port: int = 0
    container_ip: str = ""
    container_port: int


class ContainerSpec(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the starter needs to run one container.

    `directory` (exists, private to the container) receives json.log, exit.json, monitor.json, monitor.sock.
    """

    id: str
    directory: str
    rootfs: Rootfs
    process: ProcessSpec
    hostname: str = ""
    domainname: str = ""
    mounts: tuple[Mount, ...] = ()
    shm_size: int = 64 * 1024 * 1024
    """Bytes; 0 for no /dev/shm at all."""
    masked_paths: tuple[str, ...] = DEFAULT_MASKED_PATHS
    readonly_paths: tuple[str, ...] = DEFAULT_READONLY_PATHS
    sysctls: tuple[tuple[str, str], ...] = ()
    devices: tuple[Device, ...] = ()
    device_rules: tuple[DeviceAllowance, ...] = ()
    privileged: bool = False
    """All capabilities and devices, nothing masked, /sys writable; overrides the fields above."""
    namespaces: Namespaces = Namespaces()
    cgroup_parent: str = "stackwright"
    """Cgroup directory, relative to the hierarchy's root, under which the container's own is made."""
    resources: Resources = Resources()
    log: LogConfig = LogConfig()
    dns: DnsConfig | None = None
    ports: tuple[PortBinding, ...] = ()


class ExecSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A further process in a running container (`docker exec`). `process.env` is complete (image + exec)."""

    id: str
    process: ProcessSpec
    privileged: bool = False


def to_wire(value: msgspec.Struct) -> Any:
    """The struct as JSON-ready builtins, defaults included."""
    return msgspec.to_builtins(value)


def container_spec(stored: bytes | str) -> ContainerSpec:
    """Read back what `encode` wrote. Raises msgspec.ValidationError for anything else."""
    return msgspec.json.decode(stored, type=ContainerSpec)


def encode(spec: msgspec.Struct) -> bytes:
    """JSON text for the engine's database."""
    return msgspec.json.encode(spec)
