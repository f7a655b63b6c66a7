"""Published ports: by the kernel's rules and by the monitor's proxy, TCP and UDP, from everywhere."""

from __future__ import annotations

import errno
import os
import resource
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from tests.support.netlab import (
    Guest,
    ask,
    cannot_reach,
    devices,
    isolated,
    networks,
    outside_world,
    running_loop,
)

from stackwright.embedded.containers.loop import Loop
from stackwright.embedded.networks.netlink import NETLINK_NETFILTER, Netlink
from stackwright.embedded.networks.proxy import PortInUse, PortProxy
from stackwright.embedded.networks.service import NetworkService
from stackwright.embedded.networks.types import Endpoint, PublishedPort

pytestmark = pytest.mark.root
UDP = socket.SOCK_DGRAM


def port(container: str, *, proto: str = "tcp", host_ip: str = "", host_port: int = 8080) -> PublishedPort:
    return PublishedPort(
        proto=proto, host_ip=host_ip, host_port=host_port, container_ip=container, container_port=80
    )


@contextmanager
def proxied(*bindings: PublishedPort) -> Iterator[PortProxy]:
    """The monitor's part: listeners and proxy on a loop in a thread."""
    with running_loop() as loop:
        proxy = PortProxy(bindings)
        proxy.start(loop)
        yield proxy
    proxy.close()


async def placed(
    service: NetworkService, guest: Guest, name: str = "app", container: str = "c" * 64
) -> Endpoint:
    """A guest attached to a network of that name, which is made if need be."""
    known = {network.name: network for network in service.list()}
    network = known.get(name) or await service.create(name)
    return await service.attach(await service.allocate(network, container), guest, "", True)


@isolated
async def test_a_published_port_answers_on_loopback_and_other_addresses(tmp_path: Path) -> None:
    with outside_world() as world, networks(tmp_path) as service, Guest() as guest:
        await service.start()
        me = await placed(service, guest)
        await service.publish("c" * 64, [port(me.ipv4), port(me.ipv4, proto="udp")])
        gateway = me.ipv4_gateway
        with guest.echo(80), guest.echo(80, UDP):
            for kind in (socket.SOCK_STREAM, UDP):
                assert ask(socket.socket(type=kind), ("127.0.0.1", 8080)) == f"{gateway} hello"
                assert ask(socket.socket(type=kind), ("198.51.100.2", 8080)) == "198.51.100.2 hello"
                # from another machine: the container sees the real client
                assert ask(world.open(kind), ("198.51.100.2", 8080)) == "198.51.100.1 hello"
        await service.unpublish("c" * 64)
        with guest.echo(80):
            assert cannot_reach(socket.socket(), ("127.0.0.1", 8080))
        await service.close(keep_devices=False)


@isolated
async def test_a_port_bound_to_loopback_is_closed_to_the_outside(tmp_path: Path) -> None:
    with outside_world() as world, networks(tmp_path) as service, Guest() as guest:
        await service.start()
        me = await placed(service, guest)
        await service.publish("c" * 64, [port(me.ipv4, host_ip="127.0.0.1")])
        with guest.echo(80):
            assert ask(socket.socket(), ("127.0.0.1", 8080)).endswith("hello")
            assert cannot_reach(world.open(), ("198.51.100.2", 8080))
            world.run("ip", "route", "add", me.ipv4, "via", "198.51.100.2")
            assert cannot_reach(world.open(), (me.ipv4, 80))
        await service.close(keep_devices=False)


@isolated
async def test_containers_reach_published_ports_through_the_host(tmp_path: Path) -> None:
    with (
        outside_world(),
        networks(tmp_path) as service,
        Guest() as guest,
        Guest() as neighbour,
        Guest() as stranger,
    ):
        await service.start()
        me = await placed(service, guest)
        await placed(service, neighbour, container="d" * 64)
        await placed(service, stranger, name="elsewhere", container="e" * 64)
        await service.publish("c" * 64, [port(me.ipv4)])
        with guest.echo(80), proxied(port(me.ipv4)):
            for client in (guest, neighbour, stranger):
                assert ask(client.open(), ("198.51.100.2", 8080)).endswith("hello")
                assert ask(client.open(), (me.ipv4_gateway, 8080)).endswith("hello")
        await service.close(keep_devices=False)


@isolated
async def test_the_proxy_serves_ipv6_clients_of_an_ipv4_container(tmp_path: Path) -> None:
    with networks(tmp_path) as service, Guest() as guest:
        await service.start()
        me = await placed(service, guest)
        with guest.echo(80), guest.echo(80, UDP), proxied(port(me.ipv4), port(me.ipv4, proto="udp")):
            for kind in (socket.SOCK_STREAM, UDP):
                assert ask(socket.socket(socket.AF_INET6, kind), ("::1", 8080)).endswith("hello")
                assert ask(socket.socket(socket.AF_INET, kind), ("127.0.0.1", 8080)).endswith("hello")
        await service.close(keep_devices=False)


@isolated
async def test_the_proxy_carries_megabytes_and_half_closed_connections(tmp_path: Path) -> None:
    sent = os.urandom(1 << 20) * 20
    with networks(tmp_path) as service, Guest() as guest:
        await service.start()
        me = await placed(service, guest)
        listener = guest.open()
        listener.bind(("0.0.0.0", 80))
        listener.listen()

        def reverse_after_the_end() -> None:
            connection, _ = listener.accept()
            with connection, connection.makefile("rb") as stream:
                data = stream.read()  # until the client closed its half
                connection.settimeout(20)
                connection.sendall(data[::-1])

        thread = threading.Thread(target=reverse_after_the_end)
        thread.start()
        with proxied(port(me.ipv4)), socket.create_connection(("127.0.0.1", 8080), 20) as client:
            client.sendall(sent)
            client.shutdown(socket.SHUT_WR)
            with client.makefile("rb") as stream:
                assert stream.read() == sent[::-1]
            thread.join()
        listener.close()
        await service.close(keep_devices=False)


@isolated
async def test_the_proxy_resets_clients_when_nobody_listens_in_the_container(tmp_path: Path) -> None:
    with networks(tmp_path) as service, Guest() as guest:
        await service.start()
        me = await placed(service, guest)
        with proxied(port(me.ipv4)), pytest.raises(ConnectionResetError):  # as early as in connect(2)
            with socket.create_connection(("127.0.0.1", 8080), 3) as client:
                client.recv(1)
        await service.close(keep_devices=False)


@isolated
async def test_many_connections_at_once_leave_no_descriptor_behind(tmp_path: Path) -> None:
    with networks(tmp_path) as service, Guest() as guest:
        await service.start()
        me = await placed(service, guest)
        with guest.echo(80), proxied(port(me.ipv4)):
            before = len(list(Path("/proc/self/fd").iterdir()))
            for _ in range(5):
                clients = [socket.create_connection(("127.0.0.1", 8080), 3) for _ in range(40)]
                for client in clients:
                    client.sendall(b"x")
                for client in clients:
                    assert client.recv(100).endswith(b" x")
                    client.close()
            for _ in range(100):
                if len(list(Path("/proc/self/fd").iterdir())) <= before:
                    break
                threading.Event().wait(0.02)
            assert len(list(Path("/proc/self/fd").iterdir())) <= before
        await service.close(keep_devices=False)


@isolated
async def test_a_taken_port_is_refused_with_dockers_words(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("0.0.0.0", 8080))
        other.listen()
        with pytest.raises(PortInUse) as caught:
            PortProxy([port("10.0.0.1", host_port=8081), port("10.0.0.1")])
        assert caught.value.strerror == "Bind for 0.0.0.0:8080 failed: port is already allocated"
        PortProxy([port("10.0.0.1", host_port=8081)]).close()  # the first of the two was given back
    with pytest.raises(OSError) as unknown:
        PortProxy([port("10.0.0.1", host_ip="203.0.113.77")])
    assert unknown.value.errno == errno.EADDRNOTAVAIL


@isolated
async def test_port_zero_takes_a_free_port_on_both_families(tmp_path: Path) -> None:
    proxy = PortProxy([port("10.0.0.1", host_port=0), port("10.0.0.1", host_port=0, proto="udp")])
    assert all(number > 1024 for number in proxy.ports)
    with pytest.raises(PortInUse):
        PortProxy([port("10.0.0.1", host_ip="::1", host_port=proxy.ports[0])])
    proxy.close()


@isolated
async def test_rules_and_proxy_work_behind_a_docker_like_forward_policy(tmp_path: Path) -> None:
    subprocess.run(["iptables", "-P", "FORWARD", "DROP"], check=True)
    before = subprocess.run(["iptables", "-S"], capture_output=True, text=True).stdout
    with outside_world() as world, networks(tmp_path) as service, Guest() as guest, Guest() as neighbour:
        await service.start()
        me = await placed(service, guest)
        await placed(service, neighbour, name="other", container="d" * 64)
        await service.publish("c" * 64, [port(me.ipv4)])
        with world.echo(80), guest.echo(80):
            assert ask(guest.open(), ("198.51.100.1", 80)) == "198.51.100.2 hello"
            assert ask(world.open(), ("198.51.100.2", 8080)) == "198.51.100.1 hello"
            assert cannot_reach(neighbour.open(), (me.ipv4, 80))
        await service.close(keep_devices=False)
    assert subprocess.run(["iptables", "-S"], capture_output=True, text=True).stdout == before


@isolated
async def test_a_udp_client_with_a_fixed_port_follows_to_the_next_container(tmp_path: Path) -> None:
    with (
        networks(tmp_path) as service,
        Guest() as first,
        Guest() as second,
        socket.socket(type=UDP) as client,
    ):
        await service.start()
        old, new = await placed(service, first), await placed(service, second, container="d" * 64)
        client.connect(("127.0.0.1", 8080))
        client.settimeout(3)
        with second.echo(80, UDP):
            await service.publish("c" * 64, [port(old.ipv4, proto="udp")])
            with first.echo(80, UDP):
                client.send(b"one")
                assert client.recv(100).endswith(b"one")
            await service.unpublish("c" * 64)
            await service.publish("d" * 64, [port(new.ipv4, proto="udp")])
            client.send(b"two")  # the first container would refuse it
            assert client.recv(100).endswith(b"two")
        await service.close(keep_devices=False)


@isolated
async def test_a_proxy_out_of_descriptors_neither_spins_nor_dies(tmp_path: Path) -> None:
    with networks(tmp_path) as service, Guest() as guest:
        await service.start()
        me = await placed(service, guest)
        proxy = PortProxy([port(me.ipv4)])
        monitor = os.fork()
        if monitor == 0:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(60)
            used = len(list(Path("/proc/self/fd").iterdir()))
            loop = Loop()
            proxy.start(loop)
            resource.setrlimit(resource.RLIMIT_NOFILE, (used + 10, 20000))
            loop.run()
        proxy.close()
        with guest.echo(80):
            clients = [socket.create_connection(("127.0.0.1", 8080), 3) for _ in range(60)]
            before = cpu_seconds(monitor)
            time.sleep(1)
            assert cpu_seconds(monitor) - before < 0.3
            for client in clients:
                client.close()
            for _ in range(50):  # those that still wait in the backlog are dealt with first
                with suppress(OSError), socket.create_connection(("127.0.0.1", 8080), 3) as client:
                    client.sendall(b"x")
                    if client.recv(100).endswith(b" x"):
                        break
                time.sleep(0.05)
            else:
                pytest.fail("the proxy did not come back")
        os.kill(monitor, signal.SIGKILL)
        os.waitpid(monitor, 0)
        await service.close(keep_devices=False)


def cpu_seconds(pid: int) -> float:
    """What a process used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@isolated
async def test_rules_flushed_by_somebody_come_back_with_the_next_change(tmp_path: Path) -> None:
    with networks(tmp_path) as service, Guest() as guest, Guest() as other:
        await service.start()
        me = await placed(service, guest)
        await service.publish("c" * 64, [port(me.ipv4)])
        subprocess.run(["nft", "flush", "ruleset"], check=True)
        subprocess.run(["nft", "list", "ruleset"], check=True)
        neighbour = await placed(service, other, container="d" * 64)
        await service.publish("d" * 64, [port(neighbour.ipv4, host_port=8081)])
        with guest.echo(80), other.echo(80):
            for number in (8080, 8081):
                assert ask(socket.socket(), ("127.0.0.1", number)).endswith("hello")
        await service.close(keep_devices=False)


@isolated
async def test_without_nftables_ports_go_through_the_proxy(tmp_path: Path) -> None:
    def absent(protocol: int = 0) -> Netlink:
        if protocol == NETLINK_NETFILTER:
            raise OSError(errno.EPROTONOSUPPORT, "Protocol not supported")
        return opened(protocol)

    opened, Netlink.open = Netlink.open, absent  # type: ignore[method-assign,assignment]
    with networks(tmp_path) as service, Guest() as guest, Guest() as other:
        await service.start()
        me = await placed(service, guest)
        neighbour = await placed(service, other, container="d" * 64)
        await service.publish("c" * 64, [port(me.ipv4)])
        with guest.echo(80), proxied(port(me.ipv4)):
            assert ask(socket.socket(), ("127.0.0.1", 8080)).endswith("hello")
            assert ask(other.open(), (me.ipv4, 80)) == f"{neighbour.ipv4} hello"
        await service.unpublish("c" * 64)
        await service.close(keep_devices=False)
    assert devices() == {"lo"}
