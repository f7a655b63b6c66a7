"""Control groups: limits, freezing, figures and killing, the same for version 1 and version 2 hosts.

`cgroup(path)` gives the container's group on this host. Which hierarchies there are is read once;
the starter does so before it forks anything.
"""

from __future__ import annotations

from .base import Cgroup, Figures
from .hierarchies import Hierarchies, hierarchies
from .v1 import CgroupV1
from .v2 import CgroupV2

__all__ = ["Cgroup", "Figures", "Hierarchies", "cgroup", "hierarchies"]


def cgroup(path: str) -> Cgroup:
    """The group at `path` ("stackwright/<id>"), relative to the root of every hierarchy; nothing is made yet."""
    found = hierarchies()
    return CgroupV1(found, path) if found.v1 else CgroupV2(found, path)
