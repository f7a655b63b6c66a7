"""The engine is killed at any moment: the next one adopts what runs and removes what does not."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.support.netlab import Guest, ask, cannot_reach, devices, isolated, networks, nft_tables

from stackwright.embedded.networks.sandbox import open_sandbox
from stackwright.embedded.networks.types import PublishedPort

pytestmark = pytest.mark.root
LIVES, DIED = "c" * 64, "d" * 64


@contextmanager
def process_in(guest: Guest) -> Iterator[int]:
    """A process that lives in the guest's namespace, as a container's init would; its pid."""
    child = subprocess.Popen(
        ["nsenter", f"--net=/proc/self/fd/{guest.netns}", "sleep", "60"], pass_fds=[guest.netns]
    )
    try:
        yield child.pid
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()


def port(ip: str, number: int) -> PublishedPort:
    return PublishedPort(proto="tcp", host_ip="", host_port=number, container_ip=ip, container_port=80)


@isolated
async def test_running_containers_are_adopted_and_the_remains_of_others_removed(tmp_path: Path) -> None:
    with Guest() as lives, process_in(lives) as pid, Guest() as died:
        with networks(tmp_path) as service:  # this engine never closes: it is killed
            await service.start()
            network = await service.create("app")
            await service.create("unused")
            kept = await service.attach(
                await service.allocate(network, LIVES, names=["web"]), lives, "eth0", True
            )
            lost = await service.attach(
                await service.allocate(network, DIED, names=["db"]), died, "eth0", True
            )
            await service.publish(LIVES, [port(kept.ipv4, 8080)])
            await service.publish(DIED, [port(lost.ipv4, 8081)])
        with lives.echo(80), died.echo(80):
            with networks(tmp_path) as service:
                await service.start()
                # nothing is interrupted before the new engine has looked around
                assert ask(socket.socket(), ("127.0.0.1", 8080)).endswith("hello")
                await service.recover({LIVES: pid})
                assert ask(socket.socket(), ("127.0.0.1", 8080)).endswith("hello")
                assert cannot_reach(socket.socket(), ("127.0.0.1", 8081))
                assert devices() == {"lo", network.bridge, kept.host_ifname}
                assert service.endpoints() == (kept,)
                assert '"db"' not in (tmp_path / f"networks/{network.id}.json").read_text()
                assert not service.dns_table(DIED).exists()
                # and it is a whole engine again: a new container finds its place beside the old one
                again = await service.allocate(service.get("app"), DIED)
                assert again.ipv4 != kept.ipv4
                await service.attach(again, died, "eth1", True)
                assert ask(died.open(), (kept.ipv4, 80)) == f"{again.ipv4} hello"
                await service.close(keep_devices=False)
        assert devices() == {"lo"}


@isolated
async def test_nothing_running_leaves_nothing(tmp_path: Path) -> None:
    before = devices(), nft_tables()
    with Guest() as died:
        with networks(tmp_path) as service:
            await service.start()
            network = await service.create("app")
            await service.attach(await service.allocate(network, DIED), died, "eth0", True)
        with networks(tmp_path) as service:
            await service.start()
            await service.recover({})
            assert (devices(), nft_tables()) == before
            assert service.get("app") == network
            await service.close(keep_devices=False)


@isolated
async def test_devices_and_rules_that_somebody_removed_are_made_again(tmp_path: Path) -> None:
    with Guest() as guest, process_in(guest) as pid:
        with networks(tmp_path) as service:
            await service.start()
            network = await service.create("app")
            me = await service.attach(await service.allocate(network, LIVES), guest, "eth0", True)
            await service.publish(LIVES, [port(me.ipv4, 8080)])
        subprocess.run(["ip", "link", "del", network.bridge], check=True)
        subprocess.run(["ip", "link", "del", me.host_ifname], check=True)
        subprocess.run(["nft", "flush", "ruleset"], check=True)
        with guest.echo(80), networks(tmp_path) as service:
            await service.start()
            await service.recover({LIVES: pid})
            assert ask(socket.socket(), ("127.0.0.1", 8080)).endswith("hello")
            await service.close(keep_devices=False)


@isolated
async def test_a_killed_engine_in_the_middle_of_anything_leaves_what_the_next_can_remove(
    tmp_path: Path,
) -> None:

    before = devices()
    for _ in range(25):
        child = os.fork()
        if child == 0:
            # a fresh loop in a fresh thread: the test's own belongs to the parent
            worker = threading.Thread(target=lambda: asyncio.run(busy_engine(tmp_path)))
            worker.start()
            worker.join()
            os._exit(0)
        time.sleep(0.02 + random.random() * 0.15)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        with networks(tmp_path) as service:
            await service.start()
            await service.recover({})
            assert devices() == before
            for network in service.list({"type": ["custom"]}):
                await service.remove(network.id)
            await service.close(keep_devices=False)
    assert nft_tables() == ""


async def busy_engine(state: Path) -> None:
    """Everything that changes devices, rules and tables, as fast as it goes."""
    with networks(state) as service, Guest() as guest:
        await service.start()
        for number in range(1000):
            name = f"net{os.getpid()}-{number}"
            network = await service.create(name)
            endpoint = await service.allocate(network, f"{number:064x}", names=["web"])
            await service.attach(endpoint, guest, f"eth{number}", False)
            await service.publish(f"{number:064x}", [port(endpoint.ipv4, 8000 + number)])
            if number % 2:
                await service.detach(endpoint)
                await service.release(endpoint)
                await service.remove(name)


@isolated
async def test_a_sandbox_is_entered_by_pid(tmp_path: Path) -> None:
    with Guest() as guest, process_in(guest) as pid, networks(tmp_path) as service:
        await service.start()
        network = await service.create("app")
        endpoint = await service.allocate(network, LIVES)
        with open_sandbox(pid) as sandbox:
            await service.attach(endpoint, sandbox, "", True)
        assert endpoint.ipv4 in guest.run("ip", "addr")
        await service.close(keep_devices=False)
