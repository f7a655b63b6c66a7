"""mount(2), umount2(2), pivot_root(2), and the descriptor-based open_tree, move_mount and mount_setattr."""

from __future__ import annotations

import ctypes
import os

from .call import AT_EMPTY_PATH, AT_FDCWD, AT_RECURSIVE, check, encode, libc, syscall
from .userns import in_user_namespace

MS_RDONLY = 1
MS_NOSUID = 2
MS_NODEV = 4
MS_NOEXEC = 8
MS_SYNCHRONOUS = 16
MS_REMOUNT = 32
MS_DIRSYNC = 128
MS_NOATIME = 1024
MS_NODIRATIME = 2048
MS_BIND = 4096
MS_MOVE = 8192
MS_REC = 16384
MS_UNBINDABLE = 1 << 17
MS_PRIVATE = 1 << 18
MS_SLAVE = 1 << 19
MS_SHARED = 1 << 20
MS_RELATIME = 1 << 21
MS_STRICTATIME = 1 << 24
MNT_DETACH = 2

PROPAGATION = {
    "private": MS_PRIVATE,
    "rprivate": MS_PRIVATE | MS_REC,
    "slave": MS_SLAVE,
    "rslave": MS_SLAVE | MS_REC,
    "shared": MS_SHARED,
    "rshared": MS_SHARED | MS_REC,
}

OPTION_FLAGS: dict[str, tuple[int, bool]] = {
    # mount option: (flag, sets it)
    "ro": (MS_RDONLY, True),
    "rw": (MS_RDONLY, False),
    "nosuid": (MS_NOSUID, True),
    "suid": (MS_NOSUID, False),
    "nodev": (MS_NODEV, True),
    "dev": (MS_NODEV, False),
    "noexec": (MS_NOEXEC, True),
    "exec": (MS_NOEXEC, False),
    "sync": (MS_SYNCHRONOUS, True),
    "async": (MS_SYNCHRONOUS, False),
    "dirsync": (MS_DIRSYNC, True),
    "noatime": (MS_NOATIME, True),
    "atime": (MS_NOATIME, False),
    "nodiratime": (MS_NODIRATIME, True),
    "diratime": (MS_NODIRATIME, False),
    "relatime": (MS_RELATIME, True),
    "norelatime": (MS_RELATIME, False),
    "strictatime": (MS_STRICTATIME, True),
    "nostrictatime": (MS_STRICTATIME, False),
}

_SYS_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
_SYS_OPEN_TREE = 428
_SYS_MOVE_MOUNT = 429
_SYS_MOUNT_SETATTR = 442
_OPEN_TREE_CLONE = 1
_MOVE_MOUNT_F_EMPTY_PATH = 4
_MOUNT_ATTR_RDONLY = 1
_PAGE = 4096


def parse_options(options: list[str] | tuple[str, ...], flags: int = 0) -> tuple[int, str]:
    """Split mount options into flags (added to `flags`) and the file system's own data string."""
    data = []
    for option in options:
        known = OPTION_FLAGS.get(option)
        if known is None:
            data.append(option)
        elif known[1]:
            flags |= known[0]
        else:
            flags &= ~known[0]
    return flags, ",".join(data)


def mount(source: str | None, target: str, fstype: str | None, flags: int = 0, data: str = "") -> None:
    """mount(2)."""
    result = libc.mount(
        encode(source), encode(target), encode(fstype), ctypes.c_ulong(flags), encode(data) if data else None
    )
    check(result, f"mount {fstype or source or 'flags'} on {target}")


def umount(target: str, flags: int = 0) -> None:
    """umount2(2)."""
    check(libc.umount2(encode(target), flags), f"unmount {target}")


def pivot_root(new_root: str, put_old: str) -> None:
    """pivot_root(2)."""
    number = _SYS_PIVOT_ROOT[os.uname().machine]
    syscall(f"pivot_root to {new_root}", number, encode(new_root), encode(put_old))


# Some distributions turn these on by default; the upper folder of a build step or a commit becomes a layer,
# and must hold whole files at their own places, not references into the layers below.
_PLAIN_UPPER = "redirect_dir=off,metacopy=off,index=off"


def overlay(lower: list[str] | tuple[str, ...], upper: str, work: str, target: str) -> None:
    """Mount an overlay (`lower` topmost first) on `target`.

    Option strings are limited to a page: with many layers they are named by descriptors instead of paths.
    """
    directories = [*lower, upper, work]
    data = _overlay_data(directories)
    if len(data) < _PAGE:
        mount("overlay", target, "overlay", 0, data)
        return
    before = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    opened: list[int] = []
    try:
        for path in directories:
            opened.append(os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC))
        os.chdir("/proc/self/fd")
        mount("overlay", target, "overlay", 0, _overlay_data([str(fd) for fd in opened]))
    finally:
        os.fchdir(before)
        for fd in (before, *opened):
            os.close(fd)


def _overlay_data(directories: list[str]) -> str:
    *lower, upper, work = (
        path.replace("\\", "\\\\").replace(":", "\\:").replace(",", "\\,") for path in directories
    )
    # In a user namespace overlayfs may not use attributes of the trusted.* kind; since Linux 5.11 it takes user.*,
    # and then it follows no redirections anyway and does not want to be told.
    plain = _PLAIN_UPPER.replace("redirect_dir=off", "userxattr") if in_user_namespace() else _PLAIN_UPPER
    return f"lowerdir={':'.join(lower)},upperdir={upper},workdir={work},{plain}"


def open_tree(path: str, *, recursive: bool = True) -> int:
    """A detached copy of the mount tree at `path`, as a descriptor for `move_mount`. Needs Linux 5.2."""
    flags = _OPEN_TREE_CLONE | os.O_CLOEXEC | (AT_RECURSIVE if recursive else 0)
    return syscall(f"open mount tree {path}", _SYS_OPEN_TREE, AT_FDCWD, encode(path), ctypes.c_uint(flags))


def move_mount(tree: int, target: str) -> None:
    """Attach a detached tree at `target`."""
    syscall(
        f"attach mount on {target}",
        _SYS_MOVE_MOUNT,
        tree,
        b"",
        AT_FDCWD,
        encode(target),
        ctypes.c_uint(_MOVE_MOUNT_F_EMPTY_PATH),
    )


class _MountAttr(ctypes.Structure):
    _fields_ = [
        ("attr_set", ctypes.c_uint64),
        ("attr_clr", ctypes.c_uint64),
        ("propagation", ctypes.c_uint64),
        ("userns_fd", ctypes.c_uint64),
    ]


def make_readonly(tree: int, *, recursive: bool = True) -> None:
    """Make a detached tree read-only, with everything mounted below it. Needs Linux 5.12 (ENOSYS before)."""
    attr = _MountAttr(attr_set=_MOUNT_ATTR_RDONLY)
    flags = AT_EMPTY_PATH | (AT_RECURSIVE if recursive else 0)
    syscall(
        "make mount read-only",
        _SYS_MOUNT_SETATTR,
        tree,
        b"",
        ctypes.c_uint(flags),
        ctypes.byref(attr),
        ctypes.c_size_t(ctypes.sizeof(attr)),
    )


_STATVFS_FLAGS = (
    (os.ST_RDONLY, MS_RDONLY),
    (os.ST_NOSUID, MS_NOSUID),
    (os.ST_NODEV, MS_NODEV),
    (os.ST_NOEXEC, MS_NOEXEC),
    (os.ST_NOATIME, MS_NOATIME),
    (os.ST_NODIRATIME, MS_NODIRATIME),
    (os.ST_RELATIME, MS_RELATIME),
)


def remount_readonly(target: str) -> None:
    """Make the one mount at `target` read-only, keeping its other flags (user namespaces may not drop them)."""
    present = os.statvfs(target).f_flag
    flags = MS_RDONLY
    for seen, flag in _STATVFS_FLAGS:
        if present & seen:
            flags |= flag
    mount(None, target, None, MS_REMOUNT | MS_BIND | flags)
