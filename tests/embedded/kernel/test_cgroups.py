"""Control groups of both versions, on whatever this host has of them."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from stackwright.embedded.containers.spec import Resources
from stackwright.embedded.kernel.cgroups import Hierarchies, hierarchies
from stackwright.embedded.kernel.cgroups.base import Cgroup, DeviceRule, cpu_quota, swap_limit
from stackwright.embedded.kernel.cgroups.v1 import CgroupV1
from stackwright.embedded.kernel.cgroups.v2 import CgroupV2

root = pytest.mark.root
MOUNTINFO = """\
24 1 0:22 / /proc rw - proc proc rw
30 24 0:26 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:9 - cgroup cgroup rw,cpu,cpuacct
31 24 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
32 24 0:28 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd
33 24 0:29 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
garbage
"""


def test_mounts_of_both_versions_are_found() -> None:
    found = Hierarchies(MOUNTINFO)
    assert found.v1 == {
        "cpu": "/sys/fs/cgroup/cpu,cpuacct",
        "cpuacct": "/sys/fs/cgroup/cpu,cpuacct",
        "memory": "/sys/fs/cgroup/memory",
    }
    assert found.v2 == "/sys/fs/cgroup/unified"
    assert found.devices_v2


def test_host_without_any_is_no_error() -> None:
    group = CgroupV2(Hierarchies(""), "x/y")
    group.create()
    group.join()
    assert group.apply(Resources(memory=1), first=True)
    assert group.pids() == [] and group.directories() == []
    assert group.figures().memory_usage == 0
    assert group.remove()


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        (Resources(), None),
        (Resources(nano_cpus=1_500_000_000), (150_000, 100_000)),
        (Resources(cpu_quota=20_000, cpu_period=50_000), (20_000, 50_000)),
        (Resources(cpu_period=50_000), (-1, 50_000)),
    ],
)
def test_cpu_quota(resources: Resources, expected: tuple[int, int] | None) -> None:
    assert cpu_quota(resources) == expected


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        (Resources(), None),
        (Resources(memory=100), 200),
        (Resources(memory=100, memory_swap=100), 100),
        (Resources(memory=100, memory_swap=-1), -1),
    ],
)
def test_swap_limit(resources: Resources, expected: int | None) -> None:
    assert swap_limit(resources) == expected


@pytest.fixture(params=["v1", "v2"])
def group(request: pytest.FixtureRequest) -> Iterator[Cgroup]:
    found = hierarchies()
    path = f"stackwright-test-{os.getpid()}/deep/group"
    if request.param == "v1":
        if not found.v1:
            pytest.skip("no version 1 hierarchy here")
        made: Cgroup = CgroupV1(found, path)
    else:
        if not found.v2:
            pytest.skip("no version 2 hierarchy here")
        made = CgroupV2(found, path)
    made.create()
    yield made
    made.kill()
    assert made.remove()
    assert made.directories() == []
    for mount in (*found.v1.values(), found.v2):
        assert not Path(mount, f"stackwright-test-{os.getpid()}").exists()


def child(group: Cgroup) -> int:
    """A process in the group."""
    pid = group.fork()
    if pid == 0:
        try:
            group.join()
            time.sleep(100)
        finally:
            os._exit(1)
    deadline = time.monotonic() + 5
    while pid not in group.pids():
        assert time.monotonic() < deadline
        time.sleep(0.001)
    return pid


@root
def test_processes_join_and_are_killed(group: Cgroup) -> None:
    pids = [child(group) for _ in range(3)]
    assert sorted(group.pids()) == sorted(pids)
    assert group.figures().pids in (0, 3)  # 0: without the controller
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        assert group.kill()
    finally:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    assert group.pids() == []


@root
def test_freezing_stops_and_thawing_goes_on(group: Cgroup) -> None:
    pid = child(group)
    group.freeze(True)
    assert group.frozen()
    group.freeze(False)
    assert not group.frozen()
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


@root
def test_frozen_group_can_be_killed(group: Cgroup) -> None:
    child(group)
    group.freeze(True)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        assert group.kill()
    finally:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)


@root
def test_groups_made_inside_are_removed_with_it(group: Cgroup) -> None:
    for directory in group.directories():
        Path(directory, "inner", "most").mkdir(parents=True)


@root
def test_only_allowed_devices_can_be_used(group: Cgroup) -> None:
    group.restrict_devices([DeviceRule(True, "c", 1, 3, "rwm"), DeviceRule(True, "c", 1, 5, "r")])
    pid = group.fork()
    if pid == 0:
        code = 0
        try:
            group.join()
            for number, (path, flags, allowed) in enumerate(
                [
                    ("/dev/null", os.O_RDWR, True),
                    ("/dev/zero", os.O_RDONLY, True),
                    ("/dev/zero", os.O_WRONLY, False),
                    ("/dev/full", os.O_RDONLY, False),
                ]
            ):
                try:
                    os.close(os.open(path, flags))
                    seen = True
                except PermissionError:
                    seen = False
                if seen != allowed:
                    code |= 1 << number
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


@root
def test_being_born_in_a_group_takes_no_host_wide_lock(group: Cgroup) -> None:
    began = time.perf_counter()
    for _ in range(5):
        pid = group.fork()
        if pid == 0:
            group.join()
            os._exit(0)
        os.waitpid(pid, 0)
    assert (time.perf_counter() - began) / 5 < 0.05
