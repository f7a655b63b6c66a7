"""Resources: limits, pausing, figures, the out-of-memory killer."""

from __future__ import annotations

import asyncio

import pytest
from tests.embedded.containers.conftest import Host, output_of

from stackwright.embedded.containers.runtime import StartError
from stackwright.embedded.containers.spec import Resources
from stackwright.embedded.kernel.cgroups import hierarchies

MB = 1024 * 1024
pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(not hierarchies().v1 and not hierarchies().v2, reason="no cgroups on this host"),
]
HOG = "exec python3 -c 'x = bytearray(200 * 1024 * 1024); print(len(x))'"
LIMITED = Resources(memory=32 * MB, memory_swap=32 * MB)


async def test_memory_limit_kills_and_is_reported(host: Host) -> None:
    running = await host.start("tail /dev/zero", resources=LIMITED)
    async with asyncio.timeout(20):
        status = await running.wait()
    assert status.oom_killed
    assert status.code == 137


async def test_a_child_killed_for_memory_is_reported_too(host: Host) -> None:
    status, output = await host.run("tail /dev/zero; echo survived $?", resources=LIMITED)
    assert status.oom_killed and status.code == 0
    assert "survived 137" in output


async def test_exit_without_shortage_is_not_reported(host: Host) -> None:
    status, _ = await host.run("exit 0", resources=LIMITED)
    assert not status.oom_killed


async def test_limit_too_low_for_any_start_is_an_error(host: Host) -> None:
    with pytest.raises(StartError):
        await host.start("sleep", "100", resources=Resources(memory=4096))


async def test_process_limit_holds(host: Host) -> None:
    _, output = await host.run(
        "for i in 1 2 3 4 5 6 7 8 9 10; do sleep 5 & done; echo all", resources=Resources(pids=6)
    )
    assert "fork" in output.lower() and "all" not in output


async def test_cpu_limits_are_written(host: Host) -> None:
    running = await host.start(
        "sleep", "100", resources=Resources(nano_cpus=500_000_000, cpu_shares=512, cpuset_cpus="0")
    )
    _, output = await host.exec(
        running,
        "cd /sys/fs/cgroup; cat cpu/cpu.cfs_quota_us cpu/cpu.cfs_period_us cpu/cpu.shares cpuset/cpuset.cpus 2>/dev/null"
        " || cat cpu.max cpuset.cpus; grep Cpus_allowed_list /proc/self/status",
    )
    assert output.split()[:2] == ["50000", "100000"]
    assert output.split()[-1] == "0"


async def test_cpu_quota_slows_it_down(host: Host) -> None:
    running = await host.start("while :; do :; done", resources=Resources(nano_cpus=200_000_000))
    await asyncio.sleep(1.0)
    stats = running.stats()
    assert stats.throttled_periods > 0
    assert stats.cpu_total < 800_000_000


async def test_bad_limit_fails_the_start(host: Host) -> None:
    with pytest.raises(StartError, match=r"set cpuset\.cpus to 900: "):
        await host.start("sleep", "100", resources=Resources(cpuset_cpus="900"))


async def test_limits_can_be_changed_while_it_runs(host: Host) -> None:
    running = await host.start("sleep", "100", resources=LIMITED)
    for memory in (64 * MB, 16 * MB):
        await running.update(Resources(memory=memory, memory_swap=memory * 2, pids=50))
        stats = running.stats()
        assert stats.memory_limit == memory
        assert stats.pids_limit == 50


async def test_paused_container_stands_still(host: Host) -> None:
    running = await host.start("while :; do echo tick; sleep 0.02; done")
    await asyncio.sleep(0.2)
    await running.pause()
    assert running.paused
    before = await output_of(running)
    await asyncio.sleep(0.2)
    assert await output_of(running) == before
    await running.unpause()
    assert not running.paused
    await asyncio.sleep(0.2)
    assert len(await output_of(running)) > len(before)


async def test_paused_container_can_be_killed(host: Host) -> None:
    running = await host.start("sleep", "100")
    await running.pause()
    await running.signal(9)
    await running.unpause()
    async with asyncio.timeout(5):
        assert (await running.wait()).code == 137


async def test_figures_are_plausible(host: Host) -> None:
    running = await host.start("head -c 50000000 /dev/zero | md5sum; sleep 100")
    async with asyncio.timeout(10):
        while not await output_of(running):
            await asyncio.sleep(0.05)
    stats = running.stats()
    assert stats.cpu_total > 10_000_000
    assert stats.memory_usage > 0
    assert stats.pids == 2
    assert {info.command for info in running.processes()} >= {"sleep 100"}
    top = running.processes()[0]
    assert (top.uid, top.tty) == (0, "?")


async def test_figures_of_an_ended_container_are_zero(host: Host) -> None:
    running = await host.start("exit 0")
    await running.wait()
    assert running.stats().pids == 0
