"""Containers get a place in a network: devices, addresses, routes; and reach what they may."""

from __future__ import annotations

import socket
import subprocess
import time
from pathlib import Path

import pytest
from tests.support.netlab import (
    Guest,
    ask,
    cannot_reach,
    devices,
    isolated,
    networks,
    nft_tables,
    outside_world,
)

from stackwright.embedded.errors import EngineError

pytestmark = pytest.mark.root


@isolated
async def test_two_containers_of_a_network_reach_each_other(tmp_path: Path) -> None:
    with networks(tmp_path) as service, Guest() as web, Guest() as db:
        await service.start()
        network = await service.create("backend")
        first = await service.allocate(network, "c" * 64)
        second = await service.allocate(network, "d" * 64)
        first = await service.attach(first, web, "eth0", True)
        second = await service.attach(second, db, "eth0", True)
        with db.echo(5432):
            assert ask(web.open(), (second.ipv4, 5432)) == f"{first.ipv4} hello"
        with db.echo(53, socket.SOCK_DGRAM):
            assert ask(web.open(socket.SOCK_DGRAM), (second.ipv4, 53)) == f"{first.ipv4} hello"
        await service.close(keep_devices=False)


@isolated
async def test_a_container_reaches_the_outside_with_the_hosts_address(tmp_path: Path) -> None:
    with outside_world() as world, networks(tmp_path) as service, Guest() as guest:
        await service.start()
        network = await service.create("backend")
        endpoint = await service.allocate(network, "c" * 64)
        await service.attach(endpoint, guest, "eth0", True)
        with world.echo(80), world.echo(53, socket.SOCK_DGRAM):
            assert ask(guest.open(), ("198.51.100.1", 80)) == "198.51.100.2 hello"
            assert ask(guest.open(socket.SOCK_DGRAM), ("198.51.100.1", 53)) == "198.51.100.2 hello"
        assert "mtu 1400" in guest.run("ip", "link", "show", "eth0")
        await service.close(keep_devices=False)


@isolated
async def test_networks_do_not_reach_each_other(tmp_path: Path) -> None:
    with networks(tmp_path) as service, Guest() as one, Guest() as other:
        await service.start()
        left = await service.create("left")
        right = await service.create("right")
        await service.attach(await service.allocate(left, "c" * 64), one, "eth0", True)
        target = await service.attach(await service.allocate(right, "d" * 64), other, "eth0", True)
        with other.echo(80):
            assert cannot_reach(one.open(), (target.ipv4, 80))
        await service.close(keep_devices=False)


@isolated
async def test_an_internal_network_has_no_way_out(tmp_path: Path) -> None:
    with outside_world() as world, networks(tmp_path) as service, Guest() as one, Guest() as other:
        await service.start()
        network = await service.create("vault", internal=True)
        first = await service.attach(await service.allocate(network, "c" * 64), one, "eth0", True)
        await service.attach(await service.allocate(network, "d" * 64), other, "eth0", True)
        assert first.ipv4_gateway == ""
        one.run("ip", "route", "add", "default", "via", network.ipam.config[0].gateway)
        with world.echo(80), other.echo(80):
            assert cannot_reach(one.open(), ("198.51.100.1", 80))
            assert ask(one.open(), (service.endpoints(container_id="d" * 64)[0].ipv4, 80))
        await service.close(keep_devices=False)


@isolated
async def test_the_hosts_loopback_stays_closed_to_containers(tmp_path: Path) -> None:
    with networks(tmp_path) as service, Guest() as guest, socket.socket() as server:
        await service.start()
        network = await service.create("backend")
        endpoint = await service.attach(await service.allocate(network, "c" * 64), guest, "eth0", True)
        server.bind(("127.0.0.1", 7000))
        server.listen()
        # what an attacker with root in the container would do
        guest.run("sysctl", "-w", "net.ipv4.conf.all.route_localnet=1")
        guest.run("ip", "addr", "del", "127.0.0.1/8", "dev", "lo")
        guest.run("ip", "route", "add", "127.0.0.1", "via", endpoint.ipv4_gateway, "src", endpoint.ipv4)
        assert cannot_reach(guest.open(), ("127.0.0.1", 7000))
        await service.close(keep_devices=False)


@isolated
async def test_a_container_in_two_networks_has_both_and_one_way_out(tmp_path: Path) -> None:
    with networks(tmp_path) as service, Guest() as guest:
        await service.start()
        front, back = await service.create("front"), await service.create("back")
        one = await service.attach(await service.allocate(front, "c" * 64), guest, "", True)
        two = await service.attach(await service.allocate(back, "c" * 64), guest, "", False)
        assert (one.ifname, two.ifname) == ("eth0", "eth1")
        assert guest.run("ip", "route", "show", "default").split() == [
            "default",
            "via",
            one.ipv4_gateway,
            "dev",
            "eth0",
        ]
        await service.detach(one, guest)
        await service.release(one)
        assert guest.run("ip", "route", "show", "default").split() == [
            "default",
            "via",
            two.ipv4_gateway,
            "dev",
            "eth1",
        ]
        assert "eth0" not in guest.run("ip", "link")
        await service.close(keep_devices=False)


@isolated
async def test_ipv6_networks_give_addresses_of_both_families(tmp_path: Path) -> None:
    with networks(tmp_path) as service, Guest() as one, Guest() as other:
        await service.start()
        network = await service.create("six", enable_ipv6=True)
        first = await service.attach(await service.allocate(network, "c" * 64), one, "eth0", True)
        second = await service.attach(await service.allocate(network, "d" * 64), other, "eth0", True)
        with other.echo(80, host="::"):
            answer = ask(one.open(family=socket.AF_INET6), (second.ipv6, 80))
        assert answer == f"{first.ipv6} hello"
        assert "default via" in one.run("ip", "-6", "route")
        await service.close(keep_devices=False)


@isolated
async def test_without_ipv6_a_container_has_no_link_local_address(tmp_path: Path) -> None:
    with networks(tmp_path) as service, Guest() as guest:
        await service.start()
        network = await service.create("four")
        await service.attach(await service.allocate(network, "c" * 64), guest, "eth0", True)
        assert "inet6" not in guest.run("ip", "addr", "show", "eth0")
        await service.close(keep_devices=False)


@isolated
async def test_icc_off_keeps_containers_of_a_network_apart(tmp_path: Path) -> None:
    with networks(tmp_path) as service, Guest() as one, Guest() as other:
        await service.start()
        network = await service.create("apart", options={"com.docker.network.bridge.enable_icc": "false"})
        await service.attach(await service.allocate(network, "c" * 64), one, "eth0", True)
        second = await service.attach(await service.allocate(network, "d" * 64), other, "eth0", True)
        with other.echo(80):
            assert cannot_reach(one.open(), (second.ipv4, 80))
        await service.close(keep_devices=False)


@isolated
async def test_network_none_has_its_own_loopback_only(tmp_path: Path) -> None:
    with networks(tmp_path) as service, Guest() as guest:
        await service.start()
        endpoint = await service.allocate(service.get("none"), "c" * 64)
        await service.attach(endpoint, guest, "", False)
        with guest.echo(80):
            assert ask(guest.open(), ("127.0.0.1", 80)) == "127.0.0.1 hello"
        await service.close(keep_devices=False)


@isolated
async def test_closing_leaves_no_device_and_no_rule(tmp_path: Path) -> None:
    before = devices(), nft_tables()
    with networks(tmp_path) as service, Guest() as guest:
        await service.start()
        network = await service.create("backend")
        await service.attach(await service.allocate(network, "c" * 64), guest, "eth0", True)
        assert devices() != before[0]
        await service.close(keep_devices=False)
        assert (devices(), nft_tables()) == before
        assert not list(tmp_path.glob("networks/**/*.json"))


@isolated
async def test_attaching_takes_a_few_milliseconds_at_most(tmp_path: Path) -> None:
    with networks(tmp_path) as service:
        await service.start()
        network = await service.create("backend")
        figures = []
        guests = [Guest() for _ in range(15)]
        for number, guest in enumerate(guests):
            start = time.perf_counter()
            endpoint = await service.allocate(network, f"{number:064x}", names=[f"c{number}"])
            await service.attach(endpoint, guest, "eth0", True)
            figures.append(time.perf_counter() - start)
        assert sorted(figures)[7] < 0.02  # about 1.5 ms on an idle machine; loose for a busy one
        for guest in guests:
            guest.close()
        await service.close(keep_devices=False)


@isolated
async def test_ipv6_reaches_the_outside_with_the_hosts_address(tmp_path: Path) -> None:
    with outside_world() as world, networks(tmp_path) as service, Guest() as guest:
        await service.start()
        network = await service.create("six", enable_ipv6=True)
        await service.attach(await service.allocate(network, "c" * 64), guest, "eth0", True)
        with world.echo(80, host="::"):
            answer = ask(guest.open(family=socket.AF_INET6), ("2001:db8::1", 80))
        assert answer == "2001:db8::2 hello"
        await service.close(keep_devices=False)


@isolated
async def test_a_network_comes_back_after_the_engine_ended(tmp_path: Path) -> None:
    with networks(tmp_path) as service:
        await service.start()
        made = await service.create("app")
        await service.close(keep_devices=False)
    assert devices() == {"lo"}
    with networks(tmp_path) as service, Guest() as one, Guest() as two:
        await service.start()
        await service.recover({})
        network = service.get("app")
        assert network == made
        await service.attach(await service.allocate(network, "c" * 64), one, "eth0", True)
        target = await service.attach(await service.allocate(network, "d" * 64), two, "eth0", True)
        with two.echo(80):
            assert ask(one.open(), (target.ipv4, 80)).endswith("hello")
        await service.close(keep_devices=False)


@isolated
async def test_a_bridge_that_somebody_removed_is_made_again(tmp_path: Path) -> None:
    with networks(tmp_path) as service, Guest() as guest:
        await service.start()
        network = await service.create("app")
        subprocess.run(["ip", "link", "del", network.bridge], check=True)
        await service.attach(await service.allocate(network, "c" * 64), guest, "eth0", True)
        assert network.bridge in devices()
        await service.close(keep_devices=False)


@isolated
async def test_a_container_that_is_gone_is_an_error_and_leaves_no_device(tmp_path: Path) -> None:
    with networks(tmp_path) as service:
        await service.start()
        network = await service.create("app")
        endpoint = await service.allocate(network, "c" * 64)
        guest = Guest()
        guest.close()
        with pytest.raises(EngineError, match="failed to set up container networking"):
            await service.attach(endpoint, guest, "eth0", True)
        assert devices() == {"lo", network.bridge}
        await service.close(keep_devices=False)
