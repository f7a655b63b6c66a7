"""What the process sees as its file system. Runs in init, in the container's own mount namespace.

Sources of bind mounts are opened before pivot_root and attached after it, so that a target path is
resolved inside the container's root only: a symbolic link in the image cannot lead out of it.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress

from stackwright.embedded.kernel import mount as k
from stackwright.embedded.kernel.call import KernelError
from stackwright.embedded.kernel.namespaces import CLONE_NEWNS, enter, setns
from stackwright.embedded.kernel.userns import in_user_namespace, maps_one_user

from . import devices

TYPE_CHECKING = False
if TYPE_CHECKING:
    from stackwright.embedded.kernel.cgroups import Cgroup

    from .spec import ContainerSpec, Mount

_QUIET = k.MS_NOSUID | k.MS_NODEV | k.MS_NOEXEC


class Sources:
    """Mount trees opened before the host's file system goes away; each is used once."""

    def __init__(self) -> None:
        self.mounts: list[tuple[Mount, int, bool]] = []
        self.cgroups: list[tuple[str, int]] = []
        self.devices: list[devices.Node] = []
        self.shm = -1
        self.proc = -1
        self.sys = -1


def open_sources(spec: ContainerSpec, group: Cgroup) -> Sources:
    """Open everything of the host's that the container gets to see."""
    sources = Sources()
    for entry in sorted(spec.mounts, key=lambda m: m.target.rstrip("/").count("/")):
        if entry.kind == "tmpfs":
            sources.mounts.append((entry, -1, True))
            continue
        try:
            is_directory = stat.S_ISDIR(os.stat(entry.source).st_mode)
        except OSError as error:
            raise KernelError(f"bind source path {entry.source}", error.errno or 0) from None
        sources.mounts.append((entry, k.open_tree(entry.source, recursive=entry.recursive), is_directory))
    for directory, name in group.view():
        sources.cgroups.append((name, k.open_tree(directory, recursive=False)))
    sources.devices = devices.nodes(spec)
    if in_user_namespace():
        devices.open_trees(sources.devices)
    if spec.namespaces.ipc != "new":
        sources.shm = _foreign_shm(spec.namespaces.ipc)
    return sources


def mount_early(spec: ContainerSpec, sources: Sources) -> None:
    """Make /proc and /sys while the host's are still in sight: to a user namespace the kernel gives only what it
    sees already (mount_namespaces(7)), and none at all of the host's processes. Nothing to do for root. Call in the
    container's own mount namespace.
    """
    if in_user_namespace():
        if spec.namespaces.pid == "host":
            sources.proc = k.open_tree("/proc", recursive=True)
        else:
            sources.proc = _made_over("/proc", "proc", _QUIET)
        sources.sys = _made_over("/sys", "sysfs", _QUIET | (0 if spec.privileged else k.MS_RDONLY))


def _made_over(place: str, fstype: str, flags: int) -> int:
    k.mount(fstype, place, fstype, flags)
    tree = k.open_tree(place, recursive=False)
    k.umount(place, k.MNT_DETACH)
    return tree


def enter_root(spec: ContainerSpec) -> None:
    """Mount the overlay, pivot into it and let go of the host's file system."""
    # Slave, not private: what the host unmounts must not stay busy in here.
    k.mount(None, "/", None, k.MS_SLAVE | k.MS_REC)
    root = spec.rootfs
    k.overlay(root.lower, root.upper, root.work, root.merged)
    old = os.open("/", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    os.chdir(root.merged)
    k.pivot_root(".", ".")
    # The old root now lies on top of the new one, where "/.." leads into it: no path is followed before it is gone.
    os.fchdir(old)
    k.umount(".", k.MNT_DETACH)
    os.close(old)
    os.chdir("/")


def mount_all(spec: ContainerSpec, sources: Sources) -> None:
    """The default mounts of the OCI specification (config-linux.md), then the container's own."""
    _mount_or_attach(sources.proc, "/proc", "proc", _QUIET)
    _mount_new("tmpfs", "/dev", "tmpfs", k.MS_NOSUID | k.MS_STRICTATIME, "mode=755,size=65536k")
    terminals = "newinstance,ptmxmode=0666,mode=0620" + ("" if maps_one_user() else ",gid=5")
    _mount_new("devpts", "/dev/pts", "devpts", k.MS_NOSUID | k.MS_NOEXEC, terminals)
    with suppress(KernelError):  # a host without POSIX message queues
        _mount_new("mqueue", "/dev/mqueue", "mqueue", _QUIET)
    if sources.shm >= 0 or spec.shm_size:
        os.mkdir("/dev/shm", 0o1777)
    if sources.shm >= 0:
        _attach(sources.shm, "/dev/shm")
    elif spec.shm_size:
        k.mount("shm", "/dev/shm", "tmpfs", _QUIET, f"mode=1777,size={spec.shm_size}")
    devices.populate(sources.devices)
    _mount_sys(spec, sources)
    for entry, tree, is_directory in sources.mounts:
        if entry.kind == "tmpfs":
            _mount_tmpfs(entry)
        else:
            _bind(entry, tree, is_directory)


def protect(spec: ContainerSpec) -> None:
    """Mask and write-protect paths; the root last, when every mount point was made."""
    if not spec.privileged:
        for path in spec.readonly_paths:
            if os.path.lexists(path):
                k.mount(path, path, None, k.MS_BIND | k.MS_REC)
                k.remount_readonly(path)
        for path in spec.masked_paths:
            _mask(path)
    if spec.rootfs.readonly:
        k.remount_readonly("/")


def make_target(path: str, *, directory: bool) -> None:
    """Create a missing mount point, parents included."""
    if os.path.exists(path):
        return
    if directory:
        os.makedirs(path, 0o755, exist_ok=True)
        return
    os.makedirs(os.path.dirname(path), 0o755, exist_ok=True)
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o644))


def _mount_new(source: str, target: str, fstype: str, flags: int, data: str = "") -> None:
    make_target(target, directory=True)
    k.mount(source, target, fstype, flags, data)


def _mount_or_attach(tree: int, target: str, fstype: str, flags: int) -> None:
    if tree < 0:
        _mount_new(fstype, target, fstype, flags)
    else:
        make_target(target, directory=True)
        _attach(tree, target)


def _mount_sys(spec: ContainerSpec, sources: Sources) -> None:
    readonly = 0 if spec.privileged else k.MS_RDONLY
    _mount_or_attach(sources.sys, "/sys", "sysfs", _QUIET | readonly)
    if sources.cgroups:
        k.mount("tmpfs", "/sys/fs/cgroup", "tmpfs", _QUIET, "mode=755")
        for name, tree in sources.cgroups:
            target = f"/sys/fs/cgroup/{name}"
            os.mkdir(target, 0o755)
            if readonly:
                _readonly_tree(tree, target)
            else:
                _attach(tree, target)
        if readonly:
            k.mount(None, "/sys/fs/cgroup", None, k.MS_REMOUNT | k.MS_BIND | k.MS_RDONLY | _QUIET)
    else:
        with suppress(KernelError):  # no cgroups on this host: an empty directory, as it is
            k.mount("cgroup", "/sys/fs/cgroup", "cgroup2", _QUIET | readonly)


def _mount_tmpfs(entry: Mount) -> None:
    flags, data = k.parse_options(entry.options, k.MS_NOSUID | k.MS_NODEV | k.MS_NOEXEC)
    if entry.readonly:
        flags |= k.MS_RDONLY
    _mount_new("tmpfs", entry.target, "tmpfs", flags, data)


def _bind(entry: Mount, tree: int, is_directory: bool) -> None:
    make_target(entry.target, directory=is_directory)
    if entry.readonly:
        _readonly_tree(tree, entry.target)
    else:
        _attach(tree, entry.target)
    propagation = k.PROPAGATION.get(entry.propagation or "rprivate")
    if propagation is None:
        raise ValueError(f"unknown mount propagation {entry.propagation!r} for {entry.target}")
    k.mount(None, entry.target, None, propagation)


def _readonly_tree(tree: int, target: str) -> None:
    try:
        k.make_readonly(tree)
        _attach(tree, target)
    except KernelError:
        _attach(tree, target)  # before Linux 5.12: the top mount only
        k.remount_readonly(target)


def _attach(tree: int, target: str) -> None:
    k.move_mount(tree, target)
    os.close(tree)


def _mask(path: str) -> None:
    try:
        mode = os.lstat(path).st_mode
    except OSError:
        return
    if stat.S_ISDIR(mode):
        k.mount("tmpfs", path, "tmpfs", k.MS_RDONLY | _QUIET, "size=0k,nr_inodes=2,mode=755")
    else:
        k.mount("/dev/null", path, None, k.MS_BIND)


def _foreign_shm(ipc: str) -> int:
    """/dev/shm of the host or of the container whose ipc namespace is shared: it goes with the namespace."""
    if ipc == "host":
        return k.open_tree("/dev/shm")
    process = ipc.rpartition("/ns/")[0]
    own = os.open("/proc/self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
    try:
        enter(f"{process}/ns/mnt", "mnt")
        return k.open_tree("/dev/shm")
    finally:
        setns(own, CLONE_NEWNS)
        os.close(own)


def bind_console(slave: str) -> None:
    """Show the container's terminal as /dev/console."""
    make_target("/dev/console", directory=False)
    k.mount(slave, "/dev/console", None, k.MS_BIND)
