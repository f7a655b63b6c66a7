"""What both versions of control groups do the same way, and the interface they share."""

from __future__ import annotations

import os
import signal
import time

from stackwright.embedded.kernel.call import KernelError
from stackwright.embedded.kernel.pseudofiles import write

from .hierarchies import Hierarchies

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from stackwright.embedded.containers.spec import Resources

CPU_PERIOD = 100_000
"""µs; the kernel's default, used with `nano_cpus`."""


class Figures:
    """Numbers of a group at one moment; times in ns, sizes in bytes. See runtime.Stats."""

    cpu_total = 0
    cpu_user = 0
    cpu_system = 0
    percpu: tuple[int, ...] = ()
    periods = 0
    throttled_periods = 0
    throttled_time = 0
    memory_usage = 0
    memory_max_usage: int | None = None
    memory_limit = 0
    oom_kills = 0
    pids = 0
    pids_limit: int | None = None
    blkio: tuple[tuple[int, int, str, int], ...] = ()

    def __init__(self) -> None:
        self.memory_stat: dict[str, int] = {}


class DeviceRule:
    """One line of the device list: may (or may not) `access` ("rwm") devices of `kind` ("a", "b", "c")."""

    __slots__ = ("access", "allow", "kind", "major", "minor")

    def __init__(self, allow: bool, kind: str, major: int | None, minor: int | None, access: str) -> None:
        self.allow, self.kind, self.major, self.minor, self.access = allow, kind, major, minor, access


class Cgroup:
    """One container's group. Every method is safe to call when the group is gone already."""

    def __init__(self, found: Hierarchies, path: str) -> None:
        self.hierarchies = found
        self.path = path

    def create(self) -> None:
        """Make the directories. Raises KernelError."""
        raise NotImplementedError

    def fork(self) -> int:
        """As os.fork for a process with a single thread. The child calls `join` before anything else."""
        return os.fork()

    def join(self) -> None:
        """Move the calling, single-threaded process in."""
        raise NotImplementedError

    def apply(self, resources: Resources, *, first: bool) -> list[str]:
        """Set the limits; returns a warning for each that this host cannot set.

        `first`: at creation, where unset values keep the kernel's defaults. Raises KernelError
        for a value that the kernel refuses.
        """
        raise NotImplementedError

    def restrict_devices(self, rules: Iterable[DeviceRule]) -> None:
        """Deny every device except for `rules`, in order."""
        raise NotImplementedError

    def freeze(self, frozen: bool) -> None:
        """Pause or resume every process; returns once it took effect. Raises KernelError."""
        raise NotImplementedError

    def frozen(self) -> bool:
        """Whether the group is paused."""
        raise NotImplementedError

    def oom_kills(self) -> int:
        """Processes that the out-of-memory killer has ended here."""
        raise NotImplementedError

    def figures(self) -> Figures:
        """Current numbers; zeros where there are none."""
        raise NotImplementedError

    def pids(self) -> list[int]:
        """Processes in the group, in this pid namespace's numbers."""
        raise NotImplementedError

    def directories(self) -> list[str]:
        """Directories that exist for this group."""
        raise NotImplementedError

    def view(self) -> list[tuple[str, str]]:
        """For /sys/fs/cgroup in the container: (directory of this group, name to show it under)."""
        raise NotImplementedError

    def kill(self, timeout: float = 5.0) -> bool:
        """SIGKILL everything in the group until it is empty; False when some process would not go."""
        deadline = time.monotonic() + timeout
        pause = 0.0005
        while True:
            pids = self.pids()
            if not pids:
                return True
            for pid in pids:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            if self.frozen():
                self.freeze(False)
            if time.monotonic() > deadline:
                return False
            time.sleep(pause)
            pause = min(pause * 2, 0.05)

    def remove(self, timeout: float = 2.0) -> bool:
        """Remove the directories and the parent when it is empty; False when a group is still busy."""
        deadline = time.monotonic() + timeout
        gone = True
        for directory in self.directories():
            while not _remove_tree(directory):
                if time.monotonic() > deadline:
                    gone = False
                    break
                time.sleep(0.002)
            _prune_parents(directory, self.path)
        return gone


def _remove_tree(directory: str) -> bool:
    """rmdir, children first (a container may have made groups of its own)."""
    try:
        os.rmdir(directory)
        return True
    except FileNotFoundError:
        return True
    except OSError:
        pass
    try:
        with os.scandir(directory) as entries:
            children = [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return False
    for child in children:
        _remove_tree(child)
    try:
        os.rmdir(directory)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def _prune_parents(directory: str, path: str) -> None:
    """Remove the parents we made, up to the hierarchy's root, while they are empty."""
    for _ in range(path.count("/")):
        directory = os.path.dirname(directory)
        try:
            os.rmdir(directory)
        except OSError:
            return


def make_directory(root: str, path: str) -> str:
    """mkdir -p of `path` below `root`, again when a neighbour pruned a parent meanwhile."""
    full = os.path.join(root, path)
    for _ in range(50):
        try:
            os.mkdir(full, 0o755)
            return full
        except FileExistsError:
            return full
        except FileNotFoundError:
            parent = root
            for part in path.split("/")[:-1]:
                parent = os.path.join(parent, part)
                try:
                    os.mkdir(parent, 0o755)
                except FileExistsError:
                    continue
                except FileNotFoundError:
                    break  # pruned again at this moment: from the start
        except OSError as error:
            raise KernelError(f"create cgroup {full}", error.errno or 0) from None
    raise KernelError(f"create cgroup {full}", 2)


def set_limit(path: str, value: int | str) -> None:
    """Write a limit that the user asked for; KernelError names the limit and the value."""
    try:
        write(path, value)
    except KernelError as error:
        raise KernelError(f"set {os.path.basename(path)} to {value}", error.errno or 0) from None


def cpu_quota(resources: Resources) -> tuple[int, int] | None:
    """(quota, period) in µs from `nano_cpus` or `cpu_quota`/`cpu_period`; None when neither is set."""
    if resources.nano_cpus:
        return resources.nano_cpus * CPU_PERIOD // 1_000_000_000, CPU_PERIOD
    if resources.cpu_quota or resources.cpu_period:
        return resources.cpu_quota or -1, resources.cpu_period or CPU_PERIOD
    return None


def swap_limit(resources: Resources) -> int | None:
    """Memory plus swap in bytes: as given, -1 for no limit, or twice the memory; None when not limited."""
    if resources.memory_swap:
        return resources.memory_swap
    return resources.memory * 2 if resources.memory else None


def device_number(path: str) -> str:
    """ "major:minor" of the block device at `path`. Raises KernelError."""
    try:
        device = os.stat(path).st_rdev
    except OSError as error:
        raise KernelError(f"stat {path}", error.errno or 0) from None
    return f"{os.major(device)}:{os.minor(device)}"
