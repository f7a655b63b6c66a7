"""/dev of a container, and which devices its cgroup lets it use."""

from __future__ import annotations

import os
import stat
from contextlib import suppress

from stackwright.embedded.kernel import mount
from stackwright.embedded.kernel.call import KernelError
from stackwright.embedded.kernel.cgroups.base import DeviceRule

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .spec import ContainerSpec

_DEFAULT = (
    ("/dev/null", 1, 3),
    ("/dev/zero", 1, 5),
    ("/dev/full", 1, 7),
    ("/dev/random", 1, 8),
    ("/dev/urandom", 1, 9),
    ("/dev/tty", 5, 0),
)
_LINKS = (
    ("/proc/self/fd", "/dev/fd"),
    ("/proc/self/fd/0", "/dev/stdin"),
    ("/proc/self/fd/1", "/dev/stdout"),
    ("/proc/self/fd/2", "/dev/stderr"),
    ("/proc/kcore", "/dev/core"),
    ("pts/ptmx", "/dev/ptmx"),
)
_CONSOLE, _PTMX = (5, 1), (5, 2)
_PTS_MAJOR = 136


class Node:
    """A device node to make in the container."""

    __slots__ = ("device", "gid", "mode", "path", "source", "tree", "uid")

    def __init__(self, path: str, mode: int, device: int, uid: int = 0, gid: int = 0) -> None:
        self.path, self.mode, self.device, self.uid, self.gid = path, mode, device, uid, gid
        self.source = path
        """Where the host has it."""
        self.tree = -1
        """The host's node as a mount, in a user namespace."""

    def placed(self, path: str) -> Node:
        """The same device under another name in the container."""
        self.path = path
        return self


def nodes(spec: ContainerSpec) -> list[Node]:
    """The default devices and those asked for; every one of the host's when privileged."""
    found = {
        path: Node(path, stat.S_IFCHR | 0o666, os.makedev(major, minor)) for path, major, minor in _DEFAULT
    }
    if spec.privileged:
        for node in _host_nodes("/dev"):
            found.setdefault(node.path, node)
    for device in spec.devices:
        for node in _requested(device.source, device.target):
            found[node.path] = node
    return list(found.values())


def populate(wanted: list[Node]) -> None:
    """Make nodes and links in a fresh /dev. Where mknod is refused the node is left out."""
    for node in wanted:
        if node.tree >= 0:
            _bind(node)
            continue
        with suppress(FileExistsError, PermissionError):
            parent = os.path.dirname(node.path)
            if parent != "/dev":
                os.makedirs(parent, 0o755, exist_ok=True)
            os.mknod(node.path, node.mode, node.device)
            if node.uid or node.gid:
                os.chown(node.path, node.uid, node.gid)
    for source, target in _LINKS:
        with suppress(FileExistsError):
            os.symlink(source, target)


def open_trees(wanted: list[Node]) -> None:
    """In a user namespace nobody makes nodes: open the host's, before its root goes away, to be bound."""
    for node in wanted:
        with suppress(KernelError):
            node.tree = mount.open_tree(node.source, recursive=False)


def _bind(node: Node) -> None:
    os.makedirs(os.path.dirname(node.path), 0o755, exist_ok=True)
    os.close(os.open(node.path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    mount.move_mount(node.tree, node.path)
    os.close(node.tree)


def rules(spec: ContainerSpec) -> list[DeviceRule]:
    """Docker's default list: make any node, use the harmless ones, and what was asked for."""
    allowed = [DeviceRule(True, kind, None, None, "m") for kind in "cb"]
    allowed += [DeviceRule(True, "c", major, minor, "rwm") for _, major, minor in _DEFAULT]
    allowed += [DeviceRule(True, "c", *number, "rwm") for number in (_CONSOLE, _PTMX)]
    allowed.append(DeviceRule(True, "c", _PTS_MAJOR, None, "rwm"))
    for device in spec.devices:
        for node in _requested(device.source, device.target):
            kind = "b" if stat.S_ISBLK(node.mode) else "c"
            major, minor = os.major(node.device), os.minor(node.device)
            allowed.append(DeviceRule(True, kind, major, minor, device.permissions))
    allowed += [
        DeviceRule(True, rule.kind, rule.major, rule.minor, rule.access) for rule in spec.device_rules
    ]
    return allowed


def _requested(source: str, target: str) -> list[Node]:
    """The device at `source`, or every device below it when it is a directory (/dev/snd)."""
    try:
        found = os.stat(source)
    except OSError as error:
        raise KernelError(
            f'error gathering device information while adding custom device "{source}"', error.errno or 0
        ) from None
    if stat.S_ISDIR(found.st_mode):
        return [node.placed(target + node.path[len(source) :]) for node in _host_nodes(source)]
    if not (stat.S_ISCHR(found.st_mode) or stat.S_ISBLK(found.st_mode)):
        raise ValueError(
            f'error gathering device information while adding custom device "{source}": not a device node'
        )
    return [Node(source, found.st_mode, found.st_rdev, found.st_uid, found.st_gid).placed(target)]


def _host_nodes(directory: str) -> list[Node]:
    found: list[Node] = []
    skipped = {"/dev/pts", "/dev/shm", "/dev/mqueue", "/dev/fd", "/dev/console", "/dev/ptmx"}
    for parent, folders, files in os.walk(directory):
        folders[:] = [name for name in folders if f"{parent}/{name}" not in skipped]
        for name in files:
            path = f"{parent}/{name}"
            with suppress(OSError):
                entry = os.lstat(path)
                if path not in skipped and (stat.S_ISCHR(entry.st_mode) or stat.S_ISBLK(entry.st_mode)):
                    found.append(Node(path, entry.st_mode, entry.st_rdev, entry.st_uid, entry.st_gid))
    return found
