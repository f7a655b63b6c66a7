"""Published ports and the resolver, as far as the monitor holds them."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from contextlib import suppress
from pathlib import Path

import pytest
from tests.embedded.containers.conftest import Host, gone, monitors_of

from stackwright.embedded.containers.runtime import Sandbox, StartError
from stackwright.embedded.containers.spec import DnsConfig, Namespaces, PortBinding

pytestmark = pytest.mark.root


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def ask(port: int, question: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(question)
        return await reader.read()
    finally:
        writer.close()


async def test_taken_port_fails_in_dockers_words_and_names_the_holder(host: Host) -> None:
    with socket.socket() as taken:
        taken.bind(("0.0.0.0", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(StartError) as caught:
            await host.start("sleep", "100", ports=(PortBinding(host_port=port, container_port=80),))
    assert caught.value.stage == "ports"
    assert str(caught.value).startswith("driver failed programming external connectivity")
    assert f"Bind for 0.0.0.0:{port} failed: port is already allocated" in str(caught.value)
    assert f"held by process {os.getpid()}" in str(caught.value)


async def test_address_that_is_not_the_hosts_fails_saying_so(host: Host) -> None:
    binding = PortBinding(host_ip="192.0.2.77", host_port=0, container_port=80)
    with pytest.raises(StartError, match=r"192\.0\.2\.77.*cannot assign requested address"):
        await host.start("sleep", "100", ports=(binding,))


async def test_any_free_port_is_told(host: Host) -> None:
    running = await host.start("sleep", "100", ports=(PortBinding(container_port=80),))
    assert running.ports[0].host_port > 0
    adopted = await host.runtime.adopt(running.spec)
    assert adopted.ports == running.ports  # type: ignore[union-attr]


async def test_port_is_free_again_after_the_end(host: Host) -> None:
    port = free_port()
    for _ in range(2):
        running = await host.start("exit 0", ports=(PortBinding(host_port=port, container_port=80),))
        await running.wait()


async def test_connections_reach_the_address_given_after_network_set_up(host: Host, tmp_path: Path) -> None:
    inner = free_port()
    script = (
        "import socketserver as s\n"
        "class H(s.StreamRequestHandler):\n"
        "    def handle(self): self.wfile.write(b'got ' + self.rfile.readline())\n"
        f"t = s.TCPServer(('127.0.0.1', {inner}), H); print('up', flush=True); t.serve_forever()\n"
    )

    async def configure(sandbox: Sandbox) -> None:
        assert sandbox.netns == -1
        (binding,) = sandbox.ports
        sandbox.ports = (
            PortBinding(host_port=binding.host_port, container_ip="127.0.0.1", container_port=inner),
        )

    spec = host.spec(
        "/usr/bin/env", "python3", "-c", script,
        namespaces=Namespaces(net="host"),
        ports=(PortBinding(container_port=inner),),
    )  # fmt: skip
    running = await host.runtime.start(spec, configure)
    async with asyncio.timeout(10):
        answer = b""
        while not answer:
            with suppress(ConnectionResetError):  # it does not listen yet
                answer = await ask(running.ports[0].host_port, b"hello\n")
    assert answer == b"got hello\n"


async def test_names_are_answered_inside(host: Host, tmp_path: Path) -> None:
    resolv = tmp_path / "resolv.conf"
    resolv.write_text("nameserver 127.0.0.11\noptions ndots:0\n")
    from stackwright.embedded.containers.spec import Mount

    query = (
        "import socket, struct\n"
        "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(5)\n"
        "name = b''.join(bytes([len(p)]) + p for p in [b'nobody', b'example']) + b'\\0'\n"
        "s.sendto(struct.pack('!6H', 7, 256, 1, 0, 0, 0) + name + struct.pack('!2H', 1, 1), ('127.0.0.11', 53))\n"
        "print(struct.unpack('!H', s.recv(512)[:2])[0])\n"
    )
    status, output = await host.run(
        "/usr/bin/env", "python3", "-c", query,
        mounts=(Mount(kind="bind", source=str(resolv), target="/etc/resolv.conf"),),
        dns=DnsConfig(tables=(), upstream=("127.0.0.1:1",)),
    )  # fmt: skip
    assert (status.code, output.strip()) == (0, "7"), json.dumps(output)


async def test_killed_monitor_frees_its_ports(host: Host) -> None:
    port = free_port()
    running = await host.start("sleep", "100", ports=(PortBinding(host_port=port, container_port=80),))
    (monitor,) = monitors_of(running.spec)
    os.kill(monitor, 9)
    await running.wait()
    await gone(lambda: not Path(f"/proc/{running.pid}").exists())
    again = await host.start("exit 0", ports=(PortBinding(host_port=port, container_port=80),))
    await again.wait()
