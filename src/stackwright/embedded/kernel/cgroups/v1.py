"""Version 1: a hierarchy per controller."""

from __future__ import annotations

import errno
import os
import time

from stackwright.embedded.kernel.call import KernelError
from stackwright.embedded.kernel.pseudofiles import number, pairs, read, read_or, write

from .base import Cgroup, DeviceRule, Figures, cpu_quota, device_number, make_directory, set_limit, swap_limit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from stackwright.embedded.containers.spec import Resources

_BLKIO_FILES = {
    "read_bps": "blkio.throttle.read_bps_device",
    "write_bps": "blkio.throttle.write_bps_device",
    "read_iops": "blkio.throttle.read_iops_device",
    "write_iops": "blkio.throttle.write_iops_device",
}
_UNLIMITED = 1 << 60
"""memory.limit_in_bytes shows a number about 2^63 for "no limit"."""


class CgroupV1(Cgroup):
    """A group of the same path in every hierarchy (co-mounted controllers share one)."""

    def _roots(self) -> list[str]:
        return list(dict.fromkeys(self.hierarchies.v1.values()))

    def _file(self, controller: str, name: str) -> str | None:
        root = self.hierarchies.v1.get(controller)
        return None if root is None else f"{root}/{self.path}/{name}"

    def create(self) -> None:
        cpuset = self.hierarchies.v1.get("cpuset")
        for root in self._roots():
            make_directory(root, self.path)
            if root == cpuset:
                # Every level each time: a neighbour may have made our parent and not yet filled it.
                for end in range(len(self.path) + 1):
                    if self.path[end : end + 1] in ("/", ""):
                        _inherit_cpuset(f"{root}/{self.path[:end]}")

    def join(self) -> None:
        # "0" into `tasks` moves the calling thread. Unlike cgroup.procs, and unlike naming a pid, it takes no
        # global lock, whose RCU grace period costs 10 ms a container (kernel/cgroup: cgroup_procs_write_start).
        for root in self._roots():
            write(f"{root}/{self.path}/tasks", 0)

    def apply(self, resources: Resources, *, first: bool) -> list[str]:
        warnings: list[str] = []

        def put(controller: str, name: str, value: int | str | None) -> None:
            if value is None or value == "":
                return
            path = self._file(controller, name)
            if path is None or not os.path.exists(path):
                warnings.append(f"{name} cannot be limited on this host")
                return
            set_limit(path, value)

        self._apply_memory(resources, put, first)
        put("memory", "memory.soft_limit_in_bytes", resources.memory_reservation or None)
        if resources.memory_swappiness is not None and resources.memory_swappiness >= 0:
            put("memory", "memory.swappiness", resources.memory_swappiness)
        if resources.oom_kill_disable:
            put("memory", "memory.oom_control", 1)
        put("cpu", "cpu.shares", resources.cpu_shares or None)
        quota = cpu_quota(resources)
        if quota is not None:
            put("cpu", "cpu.cfs_period_us", quota[1])
            put("cpu", "cpu.cfs_quota_us", quota[0])
        put("cpuset", "cpuset.cpus", resources.cpuset_cpus)
        put("cpuset", "cpuset.mems", resources.cpuset_mems)
        if resources.pids:
            put("pids", "pids.max", resources.pids if resources.pids > 0 else "max")
        if resources.blkio_weight:
            weight = self._file("blkio", "blkio.weight")
            plain = weight is not None and os.path.exists(weight)
            put("blkio", "blkio.weight" if plain else "blkio.bfq.weight", resources.blkio_weight)
        for limit in resources.blkio:
            put("blkio", _BLKIO_FILES[limit.kind], f"{device_number(limit.path)} {limit.rate}")
        return warnings

    def _apply_memory(self, resources: Resources, put: object, first: bool) -> None:
        if not resources.memory and not resources.memory_swap:
            return
        assert callable(put)
        swap = swap_limit(resources)
        swap_file = self._file("memory", "memory.memsw.limit_in_bytes")
        has_swap = swap_file is not None and os.path.exists(swap_file)
        steps = [("memory.limit_in_bytes", resources.memory or None)]
        if has_swap:
            # The sum may never be below the memory limit: raise it first, lower it last.
            current = number(swap_file or "", _UNLIMITED)
            grows = swap == -1 or (swap or 0) > current
            steps.insert(0 if grows and not first else 1, ("memory.memsw.limit_in_bytes", swap))
        for name, value in steps:
            put("memory", name, value)

    def restrict_devices(self, rules: Iterable[DeviceRule]) -> None:
        deny = self._file("devices", "devices.deny")
        if deny is None:
            return
        write(deny, "a")
        for rule in rules:
            major = "*" if rule.major is None else rule.major
            minor = "*" if rule.minor is None else rule.minor
            name = "devices.allow" if rule.allow else "devices.deny"
            path = self._file("devices", name) or ""
            write(path, "a" if rule.kind == "a" else f"{rule.kind} {major}:{minor} {rule.access}")

    def freeze(self, frozen: bool) -> None:
        path = self._file("freezer", "freezer.state")
        if path is None:
            raise KernelError("freeze without the freezer controller", errno.ENOTSUP)
        wanted = "FROZEN" if frozen else "THAWED"
        deadline = time.monotonic() + 5
        write(path, wanted)
        while (state := read(path).strip()) != wanted:
            if time.monotonic() > deadline:
                write(path, "THAWED")
                raise KernelError(f"freeze {self.path} (state {state})", errno.ETIMEDOUT)
            time.sleep(0.001)
            write(path, wanted)

    def frozen(self) -> bool:
        path = self._file("freezer", "freezer.state")
        return path is not None and read_or(path).strip() in ("FROZEN", "FREEZING")

    def oom_kills(self) -> int:
        path = self._file("memory", "memory.oom_control")
        return 0 if path is None else pairs(path).get("oom_kill", 0)

    def pids(self) -> list[int]:
        for controller in ("pids", "freezer", "memory", *self.hierarchies.v1):
            path = self._file(controller, "cgroup.procs")
            if path is not None and (text := read_or(path)):
                return [int(pid) for pid in text.split() if pid != "0"]
        return []

    def directories(self) -> list[str]:
        paths = [f"{root}/{self.path}" for root in self._roots()]
        return [path for path in paths if os.path.isdir(path)]

    def view(self) -> list[tuple[str, str]]:
        controllers = set(self._roots())
        return [
            (f"{root}/{self.path}", name)
            for name, root in self.hierarchies.names.items()
            if root in controllers
        ]

    def figures(self) -> Figures:
        figures = Figures()
        file = self._file
        figures.cpu_total = number(file("cpuacct", "cpuacct.usage") or "")
        figures.cpu_user = number(file("cpuacct", "cpuacct.usage_user") or "")
        figures.cpu_system = number(file("cpuacct", "cpuacct.usage_sys") or "")
        figures.percpu = tuple(map(int, read_or(file("cpuacct", "cpuacct.usage_percpu") or "").split()))
        cpu = pairs(file("cpu", "cpu.stat") or "")
        figures.periods = cpu.get("nr_periods", 0)
        figures.throttled_periods = cpu.get("nr_throttled", 0)
        figures.throttled_time = cpu.get("throttled_time", 0)
        figures.memory_usage = number(file("memory", "memory.usage_in_bytes") or "")
        figures.memory_max_usage = number(file("memory", "memory.max_usage_in_bytes") or "")
        figures.memory_limit = number(file("memory", "memory.limit_in_bytes") or "")
        figures.memory_stat = pairs(file("memory", "memory.stat") or "")
        figures.oom_kills = self.oom_kills()
        figures.pids = number(file("pids", "pids.current") or "")
        limit = read_or(file("pids", "pids.max") or "").strip()
        figures.pids_limit = int(limit) if limit.isdigit() else None
        figures.blkio = tuple(
            _blkio(read_or(file("blkio", "blkio.throttle.io_service_bytes_recursive") or ""))
        )
        return figures


def _inherit_cpuset(directory: str) -> None:
    """A new cpuset has no CPUs and takes no process: give it its parent's."""
    for name in ("cpuset.cpus", "cpuset.mems"):
        path = f"{directory}/{name}"
        if not read_or(path).strip():
            write(path, read(f"{os.path.dirname(directory)}/{name}").strip())


def _blkio(text: str) -> list[tuple[int, int, str, int]]:
    found = []
    for line in text.splitlines():
        fields = line.split()
        if len(fields) == 3 and fields[1] in ("Read", "Write"):
            major, _, minor = fields[0].partition(":")
            found.append((int(major), int(minor), fields[1].lower(), int(fields[2])))
    return found
