"""capabilities(7): names, and dropping them."""

from __future__ import annotations

import ctypes
import errno
import os

from .call import KernelError, check, libc
from .prctl import PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, PR_CAPBSET_DROP, prctl

NAMES = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
]
"""By number: `NAMES[n]` is capability n."""

_VERSION_3 = 0x20080522


class _Header(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]


class _Data(ctypes.Structure):
    _fields_ = [
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    ]


def mask(names: list[str] | tuple[str, ...]) -> int:
    """Bits of the named capabilities. Raises ValueError naming an unknown one."""
    bits = 0
    for name in names:
        try:
            bits |= 1 << NAMES.index(name)
        except ValueError:
            raise ValueError(f"unknown capability {name}") from None
    return bits


def last() -> int:
    """The highest capability this kernel knows."""
    fd = os.open("/proc/sys/kernel/cap_last_cap", os.O_RDONLY | os.O_CLOEXEC)
    try:
        return int(os.read(fd, 32))
    finally:
        os.close(fd)


def permitted() -> int:
    """Bits this process may still use: what a privileged container can get at most."""
    header, data = _Header(_VERSION_3, 0), (_Data * 2)()
    check(libc.capget(ctypes.byref(header), ctypes.byref(data)), "read capabilities")
    return int(data[0].permitted) | int(data[1].permitted) << 32


def limit_bounding(bits: int, highest: int) -> None:
    """Drop everything but `bits` from the bounding set; needs CAP_SETPCAP.

    `highest`: from `last()`, read while /proc was still the host's.
    """
    for number in range(highest + 1):
        if not bits >> number & 1:
            try:
                prctl("drop capability from bounding set", PR_CAPBSET_DROP, number)
            except KernelError as error:
                if error.errno != errno.EINVAL:
                    raise


def set_process(bits: int) -> None:
    """Permitted and effective become `bits` (of those still permitted), inheritable and ambient empty."""
    prctl("clear ambient capabilities", PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL)
    bits &= permitted()
    header, data = _Header(_VERSION_3, 0), (_Data * 2)()
    for half in (0, 1):
        data[half].effective = data[half].permitted = bits >> (32 * half) & 0xFFFFFFFF
    check(libc.capset(ctypes.byref(header), ctypes.byref(data)), "set capabilities")
