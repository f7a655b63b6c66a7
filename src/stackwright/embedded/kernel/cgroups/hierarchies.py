"""Where this host's cgroup file systems are mounted."""

from __future__ import annotations

import functools
import json
import os

from stackwright.embedded.kernel.pseudofiles import read

DELEGATED = "STACKWRIGHT_CGROUPS"
"""Environment variable of an engine in a user namespace: the only groups that it may use, as JSON."""

V1_CONTROLLERS = frozenset(
    [
        "blkio",
        "cpu",
        "cpuacct",
        "cpuset",
        "devices",
        "freezer",
        "hugetlb",
        "memory",
        "net_cls",
        "net_prio",
        "perf_event",
        "pids",
        "rdma",
    ]
)


class Hierarchies:
    """`v1`: controller → mount point (empty on a pure version 2 host); `v2`: mount point of cgroup2 or ""."""

    __slots__ = ("names", "v1", "v2")

    def __init__(self, mountinfo: str) -> None:
        self.v1: dict[str, str] = {}
        self.names: dict[str, str] = {}
        """Directory name under /sys/fs/cgroup → mount point, for every version 1 hierarchy."""
        self.v2 = ""
        for line in mountinfo.splitlines():
            left, _, right = line.partition(" - ")
            fields, kind = left.split(), right.split()
            if len(fields) < 5 or len(kind) < 3:
                continue
            # The root of the mount is "/" unless a container engine bound a part of it: skip those.
            if kind[0] == "cgroup2" and not self.v2:
                self.v2 = fields[4]
            elif kind[0] == "cgroup":
                for option in kind[2].split(","):
                    if option in V1_CONTROLLERS:
                        self.v1.setdefault(option, fields[4])
                self.names.setdefault(fields[4].rpartition("/")[2], fields[4])

    @property
    def devices_v2(self) -> bool:
        """Device rules need a BPF program: there is a version 2 hierarchy and no version 1 devices one."""
        return bool(self.v2) and "devices" not in self.v1


@functools.cache
def hierarchies() -> Hierarchies:
    """This host's, read once; for an ordinary user what was delegated, which may be nothing."""
    delegated = os.environ.get(DELEGATED)
    if delegated is None:
        return Hierarchies(read("/proc/self/mountinfo"))
    found, given = Hierarchies(""), json.loads(delegated)
    found.v1, found.names, found.v2 = given.get("v1", {}), given.get("names", {}), given.get("v2", "")
    return found
