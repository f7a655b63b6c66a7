"""unshare(2), setns(2) and the names a UTS namespace holds."""

from __future__ import annotations

import os

from .call import check, encode, libc

CLONE_NEWTIME = 0x00000080
CLONE_NEWNS = 0x00020000
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

FLAGS = {
    "mnt": CLONE_NEWNS,
    "pid": CLONE_NEWPID,
    "ipc": CLONE_NEWIPC,
    "uts": CLONE_NEWUTS,
    "net": CLONE_NEWNET,
    "cgroup": CLONE_NEWCGROUP,
    "user": CLONE_NEWUSER,
}


def unshare(flags: int) -> None:
    """unshare(2). CLONE_NEWPID takes effect for children only."""
    check(libc.unshare(flags), f"unshare {_names(flags)}")


def setns(fd: int, flags: int) -> None:
    """setns(2) with a namespace descriptor, or a pidfd and several flags (Linux 5.8)."""
    check(libc.setns(fd, flags), f"join {_names(flags)}")


def enter(path: str, kind: str) -> None:
    """Join the namespace file at `path`; `kind` is "net", "pid"..."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        setns(fd, FLAGS[kind])
    finally:
        os.close(fd)


def sethostname(name: str) -> None:
    """sethostname(2)."""
    raw = encode(name) or b""
    check(libc.sethostname(raw, len(raw)), f"set host name {name}")


def setdomainname(name: str) -> None:
    """setdomainname(2)."""
    raw = encode(name) or b""
    check(libc.setdomainname(raw, len(raw)), f"set domain name {name}")


def _names(flags: int) -> str:
    names = [name for name, flag in FLAGS.items() if flags & flag]
    return f"{'/'.join(names)} namespace"
