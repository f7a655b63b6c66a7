"""Control groups that were handed to this user (systemd's Delegate=yes, or folders that root gave away).

Version 2 takes limits only on groups without processes of their own, so the engine moves into a leaf next to its
containers' groups.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from stackwright.embedded.kernel.cgroups.hierarchies import Hierarchies
from stackwright.embedded.kernel.cgroups.v2 import enable_controllers

_LEAF = "stackwright-engine"


def take() -> dict[str, Any]:
    """What this process's own groups let it do, in the form that `kernel.cgroups` reads; empty when nothing.

    Moves this process into the leaf.
    """
    mounted = Hierarchies(Path("/proc/self/mountinfo").read_text(errors="replace"))
    own = _own_groups()
    v1 = {}
    for controller, root in mounted.v1.items():
        directory = root + own.get(controller, "/").rstrip("/")
        if directory != root and _writable(directory, "tasks"):
            v1[controller] = directory
    if v1:
        return {
            "v1": v1,
            "names": {Path(mounted.v1[c]).name: d for c, d in v1.items()},
            "v2": "",
            "limits": True,
        }
    if not mounted.v2 or "" not in own:
        return {}
    directory = mounted.v2 + own[""].rstrip("/").removesuffix(f"/{_LEAF}")
    if directory == mounted.v2 or not _writable(directory, "cgroup.procs"):
        return {}
    found: dict[str, Any] = {"v1": {}, "names": {}, "v2": directory}
    if not join(found):
        return {}
    enable_controllers(directory)  # not while somebody else, a shell say, sits in the group itself
    found["limits"] = "memory" in (Path(directory) / "cgroup.subtree_control").read_text().split()
    return found


def join(found: dict[str, Any]) -> bool:
    """Move this process beside the containers' groups; false when the kernel refuses (they are another session's)."""
    if not found.get("v2"):
        return bool(found)
    leaf = Path(found["v2"], _LEAF)
    try:
        leaf.mkdir(exist_ok=True)
        (leaf / "cgroup.procs").write_text("0")
    except OSError:
        return False
    return True


def give_back(found: dict[str, Any]) -> None:
    """Leave the leaf and remove it, as far as the kernel lets us."""
    if not found.get("v2"):
        return
    directory = Path(found["v2"])
    with suppress(OSError):
        enabled = (directory / "cgroup.subtree_control").read_text().split()
        if enabled:
            (directory / "cgroup.subtree_control").write_text(" ".join(f"-{name}" for name in enabled))
        (directory / "cgroup.procs").write_text("0")
        (directory / _LEAF).rmdir()


def _own_groups() -> dict[str, str]:
    """Controller ("" for version 2) → path of this process's group."""
    found = {}
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(","):
            found[controller] = path
    return found


def _writable(directory: str, file: str) -> bool:
    return os.access(directory, os.W_OK) and os.access(f"{directory}/{file}", os.W_OK)
