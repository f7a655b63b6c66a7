"""From a container's end to nothing being left of it in the kernel."""

from __future__ import annotations

import asyncio
import socket
from types import SimpleNamespace

import pytest
from tests.embedded.containers.conftest import Host

from stackwright.embedded.containers import messages, wire
from stackwright.embedded.containers.channel import Channel
from stackwright.embedded.containers.running import Running, cgroup_of

pytestmark = pytest.mark.root


async def test_cleaned_means_that_the_control_groups_are_gone(host: Host) -> None:
    spec = host.spec("exit 3")
    running = await host.runtime.start(spec)
    async with asyncio.timeout(20):
        assert (await running.wait()).code == 3
        await running.cleaned()
    assert cgroup_of(spec).directories() == []


async def test_groups_that_a_killed_monitor_did_not_come_to_are_removed(host: Host) -> None:
    """The end was told, and then nothing more."""
    spec = host.spec("true")
    group = cgroup_of(spec)
    group.create()
    assert group.directories()
    ours, monitors = socket.socketpair()
    started = SimpleNamespace(pid=1 << 22, started_at=0, warnings=(), ports=())
    running = Running(host.runtime, spec, Channel(ours), started, -1)
    with monitors:
        monitors.sendall(wire.message(messages.EXITED, code=7))
        assert (await running.wait()).code == 7
        assert group.directories()
    async with asyncio.timeout(20):
        await running.cleaned()
    assert group.directories() == []


async def test_who_stops_watching_need_not_wait(host: Host) -> None:
    running = await host.start("sleep 100")
    waiting = asyncio.create_task(running.cleaned())
    await asyncio.sleep(0)
    assert not waiting.done()
    await running.close()
    async with asyncio.timeout(5):
        await waiting
