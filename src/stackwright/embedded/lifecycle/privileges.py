"""Capabilities and security options of a container: Docker's words → what the kernel side takes. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from stackwright.embedded.containers.spec import DEFAULT_CAPABILITIES
from stackwright.embedded.errors import BadParameter

ALL_CAPABILITIES: tuple[str, ...] = tuple(
    f"CAP_{name}"
    for name in [
        "CHOWN",
        "DAC_OVERRIDE",
        "DAC_READ_SEARCH",
        "FOWNER",
        "FSETID",
        "KILL",
        "SETGID",
        "SETUID",
        "SETPCAP",
        "LINUX_IMMUTABLE",
        "NET_BIND_SERVICE",
        "NET_BROADCAST",
        "NET_ADMIN",
        "NET_RAW",
        "IPC_LOCK",
        "IPC_OWNER",
        "SYS_MODULE",
        "SYS_RAWIO",
        "SYS_CHROOT",
        "SYS_PTRACE",
        "SYS_PACCT",
        "SYS_ADMIN",
        "SYS_BOOT",
        "SYS_NICE",
        "SYS_RESOURCE",
        "SYS_TIME",
        "SYS_TTY_CONFIG",
        "MKNOD",
        "LEASE",
        "AUDIT_WRITE",
        "AUDIT_CONTROL",
        "SETFCAP",
        "MAC_OVERRIDE",
        "MAC_ADMIN",
        "SYSLOG",
        "WAKE_ALARM",
        "BLOCK_SUSPEND",
        "AUDIT_READ",
        "PERFMON",
        "BPF",
        "CHECKPOINT_RESTORE",
    ]
)


@dataclass(frozen=True, slots=True)
class SecurityOptions:
    """`SecurityOpt` read. `system_paths_unconfined`: nothing masked, nothing read-only in /proc and /sys."""

    no_new_privileges: bool = False
    seccomp: Literal["default", "unconfined"] = "default"
    system_paths_unconfined: bool = False


def capabilities(add: Iterable[str], drop: Iterable[str]) -> tuple[str, ...]:
    """Docker's default set with `add` and `drop` applied; `ALL` is understood in both. Raises
    BadParameter."""
    added, dropped = [_capability(name) for name in add], [_capability(name) for name in drop]
    if "ALL" in added:
        wanted = [name for name in ALL_CAPABILITIES if name not in dropped]
    elif "ALL" in dropped:
        wanted = [name for name in added if name != "ALL"]
    else:
        wanted = [name for name in DEFAULT_CAPABILITIES if name not in dropped]
        wanted += [name for name in added if name not in wanted]
    return tuple(wanted)


def security_options(options: Iterable[str]) -> SecurityOptions:
    """The options this engine knows; those of security modules it does not use (AppArmor, SELinux) do
    nothing."""
    result = {"no_new_privileges": False, "unconfined": False, "paths": False}
    for option in options:
        key, separator, value = option.replace("=", ":", 1).partition(":")
        if key == "no-new-privileges":
            if separator and value not in ("true", "false"):
                raise BadParameter(f'invalid --security-opt 2: "{option}"')
            result["no_new_privileges"] = value != "false"
        elif key == "seccomp":
            result["unconfined"] = value == "unconfined"
        elif key == "systempaths":
            result["paths"] = value == "unconfined"
        elif key not in ("apparmor", "label", "writable-cgroups"):
            raise BadParameter(f'invalid --security-opt 1: "{option}"')
    return SecurityOptions(
        result["no_new_privileges"], "unconfined" if result["unconfined"] else "default", result["paths"]
    )


def _capability(name: str) -> str:
    upper = name.upper()
    if upper == "ALL":
        return upper
    full = upper if upper.startswith("CAP_") else f"CAP_{upper}"
    if full not in ALL_CAPABILITIES:
        raise BadParameter(f'invalid CapAdd: unknown capability: "{name}"')
    return full
