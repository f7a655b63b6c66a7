"""Capabilities and security options of a container: Docker's words → what the kernel side takes. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from stackwright.embedded.containers.seccomp_profile import parse
from stackwright.embedded.containers.spec import DEFAULT_CAPABILITIES, DeviceAllowance
from stackwright.embedded.containers.syscalls import DEFAULT, UNCONFINED
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


_DEVICE_RULE = re.compile(r"([acb]) ([0-9]+|\*):([0-9]+|\*) ([rwm]{1,3})")
_IPC_SYSCTLS = frozenset(
    f"kernel.{name}"
    for name in ("msgmax", "msgmnb", "msgmni", "sem", "shmall", "shmmax", "shmmni", "shm_rmid_forced")
)
_UTS_SYSCTLS = frozenset({"kernel.domainname", "kernel.hostname"})


@dataclass(frozen=True, slots=True)
class SecurityOptions:
    """`SecurityOpt` read. `seccomp`: default, unconfined, or a profile's text. `system_paths_unconfined`: nothing masked, nothing read-only in /proc and /sys."""

    no_new_privileges: bool = False
    seccomp: str = DEFAULT
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
    """The options this engine knows. Raises BadParameter for others, and for a profile that it would not apply."""
    result = {"no_new_privileges": False, "paths": False}
    filtering = DEFAULT
    for option in options:
        key, separator, value = option.replace("=", ":", 1).partition(":")
        if key == "no-new-privileges":
            if separator and value not in ("true", "false"):
                raise BadParameter(f'invalid --security-opt 2: "{option}"')
            result["no_new_privileges"] = value != "false"
        elif key == "seccomp":
            filtering = _seccomp(value)
        elif key == "systempaths":
            result["paths"] = value == "unconfined"
        elif key == "apparmor":
            if value != "unconfined":
                raise BadParameter(
                    f"--security-opt apparmor={value}: this engine loads no AppArmor profiles; containers are confined by "
                    "seccomp, capabilities and masked paths (apparmor=unconfined says that this is meant)"
                )
        elif key not in ("label", "writable-cgroups"):
            raise BadParameter(f'invalid --security-opt 1: "{option}"')
    return SecurityOptions(result["no_new_privileges"], filtering, result["paths"])


def _seccomp(value: str) -> str:
    if value in ("", "builtin", DEFAULT):
        return DEFAULT
    if value != UNCONFINED:
        parse(value)
    return value


def device_allowances(rules: Iterable[str]) -> tuple[DeviceAllowance, ...]:
    """`DeviceCgroupRules`: `c 189:* rmw` and the like. Raises BadParameter."""
    return tuple(_device_allowance(rule) for rule in rules)


def _device_allowance(rule: str) -> DeviceAllowance:
    match = _DEVICE_RULE.fullmatch(rule)
    if not match:
        raise BadParameter(f"invalid device cgroup rule format: '{rule}'")
    major, minor = (None if number == "*" else int(number) for number in match.group(2, 3))
    return DeviceAllowance(kind=match[1], major=major, minor=minor, access=match[4])  # type: ignore[arg-type]


def check_sysctls(names: Iterable[str], *, own_network: bool, own_ipc: bool, own_uts: bool) -> None:
    """Only settings of a namespace that the container has of its own (runc's list): any other is the host's.

    Raises BadParameter.
    """
    for name in names:
        # Slashes and dots are one to the kernel's files; so nothing may lead out of the folder of its namespace.
        parts = name.replace("/", ".").split(".")
        if "" in parts:
            raise BadParameter(f'invalid sysctl "{name}"')
        dotted = ".".join(parts)
        if dotted in _UTS_SYSCTLS:
            allowed = own_uts
        elif dotted in _IPC_SYSCTLS or dotted.startswith("fs.mqueue."):
            allowed = own_ipc
        else:
            allowed = own_network and dotted.startswith("net.")
        if not allowed:
            raise BadParameter(f'sysctl "{name}" is not in a separate kernel namespace')


def _capability(name: str) -> str:
    upper = name.upper()
    if upper == "ALL":
        return upper
    full = upper if upper.startswith("CAP_") else f"CAP_{upper}"
    if full not in ALL_CAPABILITIES:
        raise BadParameter(f'invalid CapAdd: unknown capability: "{full}"')
    return full
