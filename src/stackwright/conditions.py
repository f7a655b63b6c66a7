"""Under which conditions a command was started, and where the fork server for such commands listens.

A process inherits more than it is told: groups, capabilities, limits, namespaces, its control group, what the interpreter
read from the environment. A worker is the fork server's child and inherits the fork server's, so these must be the same. This
module runs in every command: nothing may be imported here that the interpreter has not loaded at its start or built in.
"""

import _imp
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

SWITCH = "STACKWRIGHT_WARM"
_READ_AT_START = ("PYTHON", "LC_", "LANG", "LD_", "MALLOC_", "GLIBC_")
"""Environment variables with these beginnings are read once, by the interpreter or the C library."""
_INHERITED = (b"Uid", b"Gid", b"Groups", b"Cap", b"NoNewPrivs", b"Seccomp:", b"Cpus_allowed:")
"""Lines of /proc/self/status, see proc(5)."""
_NAMESPACES = ("cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts")


def conditions(environ: "Mapping[str, str]") -> str | None:
    """All that must be the same for fork server and client, as one text; None where /proc cannot tell."""
    try:
        with open("/proc/self/status", "rb", 0) as file:  # noqa: PTH123 - pathlib is a millisecond
            status = file.read(16384)
        with open("/proc/self/limits", "rb", 0) as file:  # noqa: PTH123
            limits = file.read(16384)
        with open("/proc/self/cgroup", "rb", 0) as file:  # noqa: PTH123
            groups = file.read(16384)
        spaces = [os.readlink(f"/proc/self/ns/{name}") for name in _NAMESPACES]  # noqa: PTH115
        root = os.readlink("/proc/self/root")  # noqa: PTH115
    except OSError:
        return None
    lines = [line.decode() for line in status.split(b"\n") if line.startswith(_INHERITED)]
    lines += [limits.decode(), groups.decode(), *spaces, root, str(os.nice(0))]
    lines += sorted(f"{name}={value}" for name, value in environ.items() if name.startswith(_READ_AT_START))
    lines += [sys.executable, sys.version, __file__, *sys.path[1:]]
    return "\n".join(lines)


def folder(environ: "Mapping[str, str]") -> str:
    """Where sockets and locks of this user are: a folder that a reboot empties."""
    if os.geteuid() == 0:
        return "/run/stackwright"
    return f"{environ.get('XDG_RUNTIME_DIR') or f'/tmp/stackwright-{os.geteuid()}'}/stackwright"


def socket_path(environ: "Mapping[str, str]", same: str) -> str:
    """Where the fork server for the conditions `same` listens. Two conditions of one path are told apart by the fork server."""
    # The import system's own hash: zlib and hashlib are files to be loaded first.
    digest = _imp.source_hash(0, same.encode()).hex()
    return f"{environ.get('STACKWRIGHT_WARM_DIR') or folder(environ)}/warm-{digest}.sock"


def wanted(environ: "Mapping[str, str]") -> bool:
    """Whether commands may leave a fork server behind: not where a build server counts what is left."""
    switch = environ.get(SWITCH)
    return switch not in ("0", "false", "no") if switch else not environ.get("CI")
