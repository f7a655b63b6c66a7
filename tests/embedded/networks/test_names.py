"""DNS at 127.0.0.11: names of containers, and everything else from upstream. Asked with dnslib over real sockets."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from dnslib import QTYPE, RCODE, RR, DNSRecord
from dnslib import A as RdataA
from tests.support.netlab import Guest, ask, isolated, networks

pytestmark = pytest.mark.root
SERVER = ("127.0.0.11", 53)


def query(guest: Guest, name: str, kind: str = "A", *, tcp: bool = False) -> DNSRecord:
    """The resolver's answer to one question asked inside the container."""
    question = DNSRecord.question(name, kind)
    if not tcp:
        with guest.open(socket.SOCK_DGRAM) as client:
            client.settimeout(6)
            client.sendto(question.pack(), SERVER)
            return DNSRecord.parse(client.recv(65535))
    with guest.open() as client:
        client.settimeout(6)
        client.connect(SERVER)
        data = question.pack()
        client.sendall(struct.pack(">H", len(data)) + data)
        with client.makefile("rb") as stream:
            (length,) = struct.unpack(">H", stream.read(2))
            return DNSRecord.parse(stream.read(length))


def addresses(reply: DNSRecord) -> list[str]:
    return [str(record.rdata) for record in reply.rr]


@contextmanager
def upstream(answers: dict[str, list[str]], *, silent: bool = False, code: int = 0) -> Iterator[str]:
    """A nameserver in the host's namespace, over UDP and TCP; its address for `Resolver(upstream=…)`.

    Over UDP it truncates what has more than 20 records.
    """
    datagram, stream = socket.socket(type=socket.SOCK_DGRAM), socket.socket()
    datagram.bind(("127.0.0.1", 0))
    stream.bind(datagram.getsockname())
    stream.listen()
    stop = threading.Event()

    def reply(data: bytes, limit: int) -> bytes:
        request = DNSRecord.parse(data)
        response = request.reply()
        name = str(request.q.qname).rstrip(".")
        found = answers.get(name)
        response.header.rcode = code or (RCODE.NOERROR if found is not None else RCODE.NXDOMAIN)
        for address in (found or [])[:limit]:
            response.add_answer(RR(name, QTYPE.A, rdata=RdataA(address), ttl=60))
        response.header.tc = int(len(found or []) > limit)
        return response.pack()

    def over_udp() -> None:
        datagram.settimeout(0.1)
        while not stop.is_set():
            try:
                data, client = datagram.recvfrom(4096)
            except TimeoutError:
                continue
            if not silent:
                datagram.sendto(reply(data, 20), client)

    def over_tcp() -> None:
        stream.settimeout(0.1)
        while not stop.is_set():
            try:
                connection, _ = stream.accept()
            except TimeoutError:
                continue
            with connection:
                data = reply(connection.recv(4096)[2:], 1000)
                connection.sendall(struct.pack(">H", len(data)) + data)

    threads = [threading.Thread(target=over_udp), threading.Thread(target=over_tcp)]
    for thread in threads:
        thread.start()
    try:
        yield f"127.0.0.1:{datagram.getsockname()[1]}"
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        datagram.close()
        stream.close()


@isolated
async def test_names_aliases_and_short_ids_resolve(tmp_path: Path) -> None:
    with networks(tmp_path) as service, Guest() as guest:
        await service.start()
        network = await service.create("app_default")
        db = await service.allocate(
            network, "d" * 64, names=["app-db-1", "dddddddddddd"], aliases=["db", "Database"]
        )
        me = await service.allocate(network, "c" * 64, names=["app-web-1"])
        await service.attach(me, guest, "eth0", True)
        with guest.resolver([str(service.dns_table("c" * 64))]):
            for name in ("app-db-1", "dddddddddddd", "db", "DATABASE", "db.app_default"):
                assert addresses(query(guest, name)) == [db.ipv4], name
            assert addresses(query(guest, "db", tcp=True)) == [db.ipv4]
        await service.close(keep_devices=False)


@isolated
async def test_a_name_without_ipv6_says_no_data_rather_than_no_such_name(tmp_path: Path) -> None:
    with networks(tmp_path) as service, Guest() as guest:
        await service.start()
        network = await service.create("app")
        me = await service.allocate(network, "c" * 64, names=["web"])
        await service.attach(me, guest, "eth0", True)
        with guest.resolver([str(service.dns_table("c" * 64))]):
            reply = query(guest, "web", "AAAA")
            assert (reply.header.rcode, reply.rr) == (RCODE.NOERROR, [])
            assert query(guest, "web", "MX").header.rcode == RCODE.NOERROR
        await service.close(keep_devices=False)


@isolated
async def test_reverse_lookup_names_the_container_and_its_network(tmp_path: Path) -> None:
    with networks(tmp_path) as service, Guest() as guest:
        await service.start()
        network = await service.create("app", enable_ipv6=True)
        me = await service.allocate(network, "c" * 64, names=["web", "cccccccccccc"])
        await service.attach(me, guest, "eth0", True)
        with guest.resolver([str(service.dns_table("c" * 64))]):
            reverse = ".".join(reversed(me.ipv4.split("."))) + ".in-addr.arpa"
            assert addresses(query(guest, reverse, "PTR")) == ["web.app."]
            reply = query(guest, "web", "AAAA")
            assert addresses(reply) == [me.ipv6]
        await service.close(keep_devices=False)


@isolated
async def test_replicas_take_turns(tmp_path: Path) -> None:
    with networks(tmp_path) as service, Guest() as guest:
        await service.start()
        network = await service.create("app")
        for number in range(3):
            await service.allocate(network, f"{number:064x}", names=[f"app-{number}"], aliases=["app"])
        me = await service.allocate(network, "c" * 64, names=["web"])
        await service.attach(me, guest, "eth0", True)
        with guest.resolver([str(service.dns_table("c" * 64))]):
            answers = [addresses(query(guest, "app")) for _ in range(6)]
            assert all(len(set(answer)) == 3 for answer in answers)
            assert {answer[0] for answer in answers[:3]} == set(answers[0])
            # Programs ask for both families at once, and for names in turn: replicas take turns all the same.
            first = []
            for _ in range(6):
                query(guest, "app", "AAAA")
                query(guest, "web")
                first.append(addresses(query(guest, "app"))[0])
            assert set(first) == set(answers[0])
        await service.close(keep_devices=False)


@isolated
async def test_connect_release_and_links_are_seen_at_once(tmp_path: Path) -> None:
    with networks(tmp_path) as service, Guest() as guest, upstream({}) as nameserver:
        await service.start()
        one, two = await service.create("one"), await service.create("two")
        me = await service.allocate(one, "c" * 64, names=["web"])
        await service.attach(me, guest, "eth0", True)
        db = await service.allocate(two, "d" * 64, names=["db"])
        with guest.resolver([str(service.dns_table("c" * 64))], [nameserver]):
            assert query(guest, "db").header.rcode == RCODE.NXDOMAIN
            again = await service.allocate(two, "c" * 64, names=["web"], links={"postgres": "db"})
            assert addresses(query(guest, "db")) == [db.ipv4]
            assert addresses(query(guest, "postgres")) == [db.ipv4]
            await service.release(again)
            assert query(guest, "db").header.rcode == RCODE.NXDOMAIN
        await service.close(keep_devices=False)


@isolated
async def test_other_names_come_from_upstream_over_udp_and_tcp(tmp_path: Path) -> None:
    many = [f"192.0.2.{number}" for number in range(1, 101)]
    with (
        networks(tmp_path) as service,
        Guest() as guest,
        upstream({"example.org": ["192.0.2.7"], "many.org": many}) as ns,
    ):
        await service.start()
        network = await service.create("app")
        await service.attach(await service.allocate(network, "c" * 64), guest, "eth0", True)
        with guest.resolver([str(service.dns_table("c" * 64))], [ns]):
            assert addresses(query(guest, "example.org")) == ["192.0.2.7"]
            assert query(guest, "nowhere.org").header.rcode == RCODE.NXDOMAIN
            assert query(guest, "many.org").header.tc == 1
            assert sorted(addresses(query(guest, "many.org", tcp=True))) == sorted(many)
        await service.close(keep_devices=False)


@isolated
async def test_a_dead_or_failing_nameserver_is_passed_over(tmp_path: Path) -> None:
    with networks(tmp_path) as service, Guest() as guest:
        await service.start()
        network = await service.create("app")
        await service.attach(await service.allocate(network, "c" * 64), guest, "eth0", True)
        table = [str(service.dns_table("c" * 64))]
        with upstream({}, silent=True) as silent, upstream({}, code=RCODE.SERVFAIL) as failing:
            with upstream({"example.org": ["192.0.2.7"]}) as good:
                with guest.resolver(table, ["127.0.0.1:1", failing, good]):
                    assert addresses(query(guest, "example.org")) == ["192.0.2.7"]
                with guest.resolver(table, [silent, good]):
                    assert addresses(query(guest, "example.org")) == ["192.0.2.7"]
            with guest.resolver(table, [silent]):
                assert query(guest, "example.org").header.rcode == RCODE.SERVFAIL
            with guest.resolver(table, ["127.0.0.1:1"]):
                assert query(guest, "example.org").header.rcode == RCODE.SERVFAIL
        await service.close(keep_devices=False)


@isolated
async def test_internal_networks_forward_nothing(tmp_path: Path) -> None:
    with networks(tmp_path) as service, Guest() as guest, upstream({"example.org": ["192.0.2.7"]}) as ns:
        await service.start()
        network = await service.create("vault", internal=True)
        me = await service.allocate(network, "c" * 64, names=["safe"])
        await service.attach(me, guest, "eth0", True)
        with guest.resolver([str(service.dns_table("c" * 64))], [ns]):
            assert query(guest, "example.org").header.rcode == RCODE.SERVFAIL
            assert addresses(query(guest, "safe")) == [me.ipv4]
        await service.close(keep_devices=False)


@isolated
async def test_many_replicas_are_truncated_for_plain_clients_and_whole_over_tcp(tmp_path: Path) -> None:
    with networks(tmp_path) as service, Guest() as guest:
        await service.start()
        network = await service.create("app")
        for number in range(60):
            await service.allocate(network, f"{number:064x}", aliases=["app"])
        me = await service.allocate(network, "c" * 64)
        await service.attach(me, guest, "eth0", True)
        with guest.resolver([str(service.dns_table("c" * 64))]):
            assert query(guest, "app").header.tc == 1
            assert len(query(guest, "app", tcp=True).rr) == 60
        await service.close(keep_devices=False)


@isolated
async def test_rubbish_is_survived(tmp_path: Path) -> None:
    with networks(tmp_path) as service, Guest() as guest:
        await service.start()
        network = await service.create("app")
        me = await service.allocate(network, "c" * 64, names=["web"])
        await service.attach(me, guest, "eth0", True)
        with guest.resolver([str(service.dns_table("c" * 64))]):
            with guest.open(socket.SOCK_DGRAM) as client:
                for rubbish in (b"", b"x", b"\0" * 12, b"\xff" * 512, DNSRecord.question("web").pack()[:-3]):
                    client.sendto(rubbish, SERVER)
            with guest.open() as stream:
                stream.connect(SERVER)
                stream.sendall(b"\xff\xff" + b"\xc0" * 70000)
            assert addresses(query(guest, "web")) == [me.ipv4]
        await service.close(keep_devices=False)


@isolated
async def test_a_dns_server_in_the_container_can_have_port_53(tmp_path: Path) -> None:
    with networks(tmp_path) as service, Guest() as guest:
        await service.start()
        network = await service.create("app")
        me = await service.allocate(network, "c" * 64, names=["dns"])
        await service.attach(me, guest, "eth0", True)
        with guest.resolver([str(service.dns_table("c" * 64))]):
            with guest.echo(53), guest.echo(53, socket.SOCK_DGRAM):
                assert ask(guest.open(), (me.ipv4, 53)).endswith("hello")
                assert ask(guest.open(socket.SOCK_DGRAM), (me.ipv4, 53)).endswith("hello")
                assert addresses(query(guest, "dns")) == [me.ipv4]
                assert addresses(query(guest, "dns", tcp=True)) == [me.ipv4]
        await service.close(keep_devices=False)


@isolated
async def test_the_default_bridge_knows_no_names_but_forwards(tmp_path: Path) -> None:
    with networks(tmp_path) as service, Guest() as guest, upstream({"example.org": ["192.0.2.7"]}) as ns:
        await service.start()
        network = service.get("bridge")
        await service.allocate(network, "d" * 64, names=["db"])
        await service.attach(await service.allocate(network, "c" * 64, names=["web"]), guest, "eth0", True)
        with guest.resolver([str(service.dns_table("c" * 64))], [ns]):
            assert query(guest, "db").header.rcode == RCODE.NXDOMAIN
            assert addresses(query(guest, "example.org")) == ["192.0.2.7"]
        await service.close(keep_devices=False)
