"""Version 2: one hierarchy (cgroup-v2.rst of the kernel's documentation)."""

from __future__ import annotations

import errno
import os
import time
from contextlib import suppress

from stackwright.embedded.kernel.call import KernelError
from stackwright.embedded.kernel.fork import fork_into
from stackwright.embedded.kernel.pseudofiles import number, pairs, read_or, write

from .base import Cgroup, DeviceRule, Figures, cpu_quota, device_number, make_directory, set_limit, swap_limit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from stackwright.embedded.containers.spec import Resources

_WANTED = ("cpuset", "cpu", "io", "memory", "pids")
_IO_KEYS = {"read_bps": "rbps", "write_bps": "wbps", "read_iops": "riops", "write_iops": "wiops"}


class CgroupV2(Cgroup):
    """A group of the unified hierarchy; "" as mount point means: no cgroups at all, nothing is limited."""

    _born_inside = False
    """Whether this process was forked straight into the group."""

    @property
    def _directory(self) -> str:
        return f"{self.hierarchies.v2}/{self.path}"

    def create(self) -> None:
        root = self.hierarchies.v2
        if not root:
            return
        make_directory(root, self.path)
        directory = root
        for part in self.path.split("/"):
            enable_controllers(directory)
            directory = f"{directory}/{part}"

    def fork(self) -> int:
        if not self.hierarchies.v2:
            return os.fork()
        directory = os.open(self._directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            pid = fork_into(directory)
        except KernelError:
            return os.fork()  # an old kernel; `join` moves it
        finally:
            os.close(directory)
        self._born_inside = pid == 0
        return pid

    def join(self) -> None:
        if self.hierarchies.v2 and not self._born_inside:
            write(f"{self._directory}/cgroup.procs", 0)

    def apply(self, resources: Resources, *, first: bool) -> list[str]:
        warnings: list[str] = []

        def put(name: str, value: int | str | None) -> None:
            if value is None or value == "":
                return
            path = f"{self._directory}/{name}"
            if not self.hierarchies.v2 or not os.path.exists(path):
                warnings.append(f"{name} cannot be limited on this host")
                return
            set_limit(path, value)

        put("memory.max", resources.memory or None)
        put("memory.low", resources.memory_reservation or None)
        swap = swap_limit(resources)
        if swap is not None:
            put("memory.swap.max", "max" if swap == -1 else max(0, swap - (resources.memory or 0)))
        if resources.cpu_shares:
            put("cpu.weight", 1 + (min(max(resources.cpu_shares, 2), 262144) - 2) * 9999 // 262142)
        quota = cpu_quota(resources)
        if quota is not None:
            put("cpu.max", f"{quota[0] if quota[0] > 0 else 'max'} {quota[1]}")
        put("cpuset.cpus", resources.cpuset_cpus)
        put("cpuset.mems", resources.cpuset_mems)
        if resources.pids:
            put("pids.max", resources.pids if resources.pids > 0 else "max")
        if resources.blkio_weight:
            put("io.weight", f"default {1 + (resources.blkio_weight - 10) * 9999 // 990}")
        for limit in resources.blkio:
            put("io.max", f"{device_number(limit.path)} {_IO_KEYS[limit.kind]}={limit.rate}")
        return warnings

    def restrict_devices(self, rules: Iterable[DeviceRule]) -> None:
        if self.hierarchies.v2:
            from .device_filter import attach  # only hosts without version 1 pay for it

            attach(self._directory, list(rules))

    def freeze(self, frozen: bool) -> None:
        if not self.hierarchies.v2:
            raise KernelError("pause without a control group of one's own (none is delegated)", errno.ENOTSUP)
        write(f"{self._directory}/cgroup.freeze", int(frozen))
        deadline = time.monotonic() + 5
        while pairs(f"{self._directory}/cgroup.events").get("frozen", 0) != int(frozen):
            if time.monotonic() > deadline:
                write(f"{self._directory}/cgroup.freeze", 0)
                raise KernelError(f"freeze {self.path}", errno.ETIMEDOUT)
            time.sleep(0.001)

    def frozen(self) -> bool:
        return bool(self.hierarchies.v2) and number(f"{self._directory}/cgroup.freeze") == 1

    def kill(self, timeout: float = 5.0) -> bool:
        if self.hierarchies.v2:
            with suppress(KernelError):  # Linux 5.14; children included
                write(f"{self._directory}/cgroup.kill", 1)
        return super().kill(timeout)

    def oom_kills(self) -> int:
        return pairs(f"{self._directory}/memory.events").get("oom_kill", 0) if self.hierarchies.v2 else 0

    def pids(self) -> list[int]:
        if not self.hierarchies.v2:
            return []
        found: list[int] = []
        for directory, _, _ in os.walk(self._directory):
            found += [int(pid) for pid in read_or(f"{directory}/cgroup.procs").split() if pid != "0"]
        return found

    def directories(self) -> list[str]:
        return [self._directory] if self.hierarchies.v2 and os.path.isdir(self._directory) else []

    def view(self) -> list[tuple[str, str]]:
        return []  # a cgroup namespace shows it, see containers.rootfs

    def figures(self) -> Figures:
        figures = Figures()
        if not self.hierarchies.v2:
            return figures
        directory = self._directory
        cpu = pairs(f"{directory}/cpu.stat")
        figures.cpu_total = cpu.get("usage_usec", 0) * 1000
        figures.cpu_user = cpu.get("user_usec", 0) * 1000
        figures.cpu_system = cpu.get("system_usec", 0) * 1000
        figures.periods = cpu.get("nr_periods", 0)
        figures.throttled_periods = cpu.get("nr_throttled", 0)
        figures.throttled_time = cpu.get("throttled_usec", 0) * 1000
        figures.memory_usage = number(f"{directory}/memory.current")
        figures.memory_max_usage = number(f"{directory}/memory.peak") or None
        figures.memory_limit = number(f"{directory}/memory.max")
        figures.memory_stat = pairs(f"{directory}/memory.stat")
        figures.oom_kills = self.oom_kills()
        figures.pids = number(f"{directory}/pids.current")
        figures.pids_limit = number(f"{directory}/pids.max") or None
        figures.blkio = tuple(_io(read_or(f"{directory}/io.stat")))
        return figures


def enable_controllers(directory: str) -> None:
    """Give the children of `directory` the controllers it has itself; what cannot be given stays away."""
    available = read_or(f"{directory}/cgroup.controllers").split()
    enabled = read_or(f"{directory}/cgroup.subtree_control").split()
    for controller in _WANTED:
        if controller in available and controller not in enabled:
            try:
                write(f"{directory}/cgroup.subtree_control", f"+{controller}")
            except KernelError:
                continue  # processes in the group itself, or not delegated: that limit warns in `apply`


def _io(text: str) -> list[tuple[int, int, str, int]]:
    found = []
    for line in text.splitlines():
        device, _, rest = line.partition(" ")
        major, _, minor = device.partition(":")
        for field in rest.split():
            key, _, value = field.partition("=")
            if key in ("rbytes", "wbytes"):
                found.append((int(major), int(minor), "read" if key == "rbytes" else "write", int(value)))
    return found
