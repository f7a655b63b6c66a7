"""Network speed of containers: attach time, throughput and requests a second; beside Docker Engine if it is there.

    .venv/bin/python bench/network.py [--seconds 2] [--rounds 3] [--no-docker]

All traffic is real TCP between network namespaces, made by the same two small programs (a process that sends or asks,
one that receives or answers), so the columns differ only in the way between them. Ours: the network service with the
monitor's proxy in a process of its own. Docker's: two containers and a published port of a Docker Engine that runs in
namespaces of its own. Needs root. Figures of one run on one machine; compare columns, not runs.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from tests.peers import IMAGE, busybox_archive, running_dockerd, why_no_docker  # noqa: E402
from tests.support.netlab import Guest, isolated, networks, outside_world  # noqa: E402

from stackwright.embedded.containers.loop import Loop  # noqa: E402
from stackwright.embedded.networks.proxy import PortProxy  # noqa: E402
from stackwright.embedded.networks.sandbox import in_namespace  # noqa: E402
from stackwright.embedded.networks.types import PublishedPort  # noqa: E402

SINK, ECHO, HOST_SINK, HOST_ECHO = 5001, 5002, 15001, 15002
BLOCK = 1 << 18


@contextmanager
def forked(work: Callable[[], None]) -> Iterator[None]:
    """Run `work` in a child until the end of the block."""
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        work()
        os._exit(0)
    try:
        yield
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


@contextmanager
def server(netns: int) -> Iterator[None]:
    """In the namespace: a process that swallows what comes to SINK and answers each request on ECHO."""
    listeners = [in_namespace(netns, socket.socket) for _ in range(2)]
    for listener, port in zip(listeners, (SINK, ECHO), strict=True):
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("0.0.0.0", port))
        listener.listen(512)

    def swallow() -> None:
        buffer = bytearray(BLOCK)
        while True:
            connection, _ = listeners[0].accept()
            while connection.recv_into(buffer):
                pass
            connection.close()

    def serve() -> None:
        threading.Thread(target=swallow, daemon=True).start()
        while True:
            connection, _ = listeners[1].accept()
            connection.sendall(connection.recv(1024))
            connection.close()

    with forked(serve):
        for listener in listeners:
            listener.close()
        yield


def throughput(netns: int | None, family: int, to: tuple[str, int], seconds: float) -> float:
    """Gbit/s of one connection."""
    client = in_namespace(netns, lambda: socket.socket(family)) if netns else socket.socket(family)
    block = bytes(BLOCK)
    with client:
        client.settimeout(20)
        client.connect(to)
        sent, start = 0, time.perf_counter()
        while time.perf_counter() - start < seconds:
            sent += client.send(block)
        client.shutdown(socket.SHUT_WR)
        client.recv(1)  # the sink closes when it has everything
        return sent * 8 / (time.perf_counter() - start) / 1e9


def requests(netns: int | None, family: int, to: tuple[str, int], seconds: float) -> float:
    """Connections a second, each with one small question and answer, one after the other."""

    def ask_on() -> float:
        count, start = 0, time.perf_counter()
        while time.perf_counter() - start < seconds:
            with socket.socket(family) as client:
                client.settimeout(20)
                client.connect(to)
                client.sendall(b"GET /")
                client.recv(1024)
            count += 1
        return count / (time.perf_counter() - start)

    return in_namespace(netns, ask_on) if netns else ask_on()


def measure(ways: dict[str, tuple[int | None, int, str, int, int]], seconds: float, rounds: int) -> None:
    """Print the median of each way: (client's namespace, family, address, port for throughput, port for requests)."""
    for name, (netns, family, host, sink, echo) in ways.items():
        flow = statistics.median(throughput(netns, family, (host, sink), seconds) for _ in range(rounds))
        rate = statistics.median(requests(netns, family, (host, echo), seconds) for _ in range(rounds))
        print(f"  {name:<46} {flow:8.1f} Gbit/s {rate:9.0f} requests/s", flush=True)


@isolated
async def ours(seconds: float, rounds: int) -> None:
    """The network layer of the embedded engine."""
    with tempfile.TemporaryDirectory() as state, ExitStack() as stack:
        world = stack.enter_context(outside_world())
        service = stack.enter_context(networks(Path(state)))
        one, two = stack.enter_context(Guest()), stack.enter_context(Guest())
        await service.start()
        network = await service.create("bench")
        others = [Guest() for _ in range(60)]
        figures = []
        for number, guest in enumerate(others):
            start = time.perf_counter()
            endpoint = await service.allocate(network, f"{number:064x}", names=[f"c{number}"])
            await service.attach(endpoint, guest, "eth0", True)
            figures.append(time.perf_counter() - start)
        print(f"  attach (address, device, routes, name): median {statistics.median(figures) * 1e3:.2f} ms, "
              f"slowest of {len(figures)} {max(figures) * 1e3:.2f} ms", flush=True)  # fmt: skip
        for guest in others:
            guest.close()
        await service.attach(await service.allocate(network, "c" * 64), one, "eth0", True)
        target = await service.attach(await service.allocate(network, "d" * 64), two, "eth0", True)
        ports = [
            PublishedPort(proto="tcp", host_ip="", host_port=h, container_ip=target.ipv4, container_port=c)
            for h, c in ((HOST_SINK, SINK), (HOST_ECHO, ECHO))
        ]
        figures = []
        for _ in range(50):
            start = time.perf_counter()
            await service.publish("d" * 64, ports)
            figures.append(time.perf_counter() - start)
            await service.unpublish("d" * 64)
        print(f"  publish two ports: median {statistics.median(figures) * 1e3:.2f} ms", flush=True)
        await service.publish("d" * 64, ports)
        proxy = PortProxy(ports)

        def monitor() -> None:
            loop = Loop()
            proxy.start(loop)
            loop.run()

        with server(two.netns), forked(monitor):
            proxy.close()
            measure(
                {
                    "container to itself (loopback)": (two.netns, 2, "127.0.0.1", SINK, ECHO),
                    "container to container": (one.netns, 2, target.ipv4, SINK, ECHO),
                    "host's loopback to published port (kernel)": (
                        None,
                        2,
                        "127.0.0.1",
                        HOST_SINK,
                        HOST_ECHO,
                    ),
                    "another machine to published port (kernel)": (
                        world.netns,
                        2,
                        "198.51.100.2",
                        HOST_SINK,
                        HOST_ECHO,
                    ),
                    "IPv6 loopback to published port (our proxy)": (None, 10, "::1", HOST_SINK, HOST_ECHO),
                },
                seconds,
                rounds,
            )
        await service.close(keep_devices=False)


def host_pid(inner: int) -> int:
    """Our number of a container's process, of which the engine in its own process namespace knows another."""
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            numbers = next(
                line for line in status.read_text().splitlines() if line.startswith("NSpid:")
            ).split()[1:]
            command = status.with_name("cmdline").read_bytes()
        except (OSError, StopIteration):
            continue
        if len(numbers) == 3 and numbers[1:] == [str(inner), "1"] and command.startswith(b"sleep\x00600"):
            return int(numbers[0])
    raise ProcessLookupError(inner)


def docker(seconds: float, rounds: int) -> None:
    """The same ways through Docker Engine."""
    with running_dockerd() as engine:

        def run(*arguments: str, **options: object) -> str:
            command = ["docker", "-H", engine.address, *arguments]
            return subprocess.run(command, check=True, capture_output=True, **options).stdout.decode().strip()  # type: ignore[call-overload,no-any-return]

        run("load", input=busybox_archive())
        run("network", "create", "bench")
        published = [f"-p{HOST_SINK}:{SINK}", f"-p{HOST_ECHO}:{ECHO}"]
        run("run", "-d", "--name", "one", "--network", "bench", IMAGE, "sleep", "600")
        run("run", "-d", "--name", "two", "--network", "bench", *published, IMAGE, "sleep", "600")
        address = run("inspect", "-f", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", "two")
        with ExitStack() as stack:

            def namespace(pid: int) -> int:
                descriptor = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)
                stack.callback(os.close, descriptor)
                return descriptor

            inner = [int(run("inspect", "-f", "{{.State.Pid}}", name)) for name in ("one", "two")]
            one, two = (namespace(host_pid(pid)) for pid in inner)
            engine_host = namespace(engine.inner_pid)
            with server(two):
                measure(
                    {
                        "container to itself (loopback)": (two, 2, "127.0.0.1", SINK, ECHO),
                        "container to container": (one, 2, address, SINK, ECHO),
                        "host's loopback to published port (docker-proxy)": (engine_host, 2, "127.0.0.1", HOST_SINK, HOST_ECHO),
                    },
                    seconds,
                    rounds,
                )  # fmt: skip
        run("rm", "-f", "one", "two")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=2.0, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=3, help="the median of so many is shown")
    parser.add_argument("--no-docker", action="store_true", help="without the comparison")
    arguments = parser.parse_args()
    print("Stackwright's embedded engine", flush=True)
    ours(arguments.seconds, arguments.rounds)
    reason = "--no-docker" if arguments.no_docker else why_no_docker()
    if reason:
        print(f"Docker Engine: left out ({reason})")
    else:
        print("Docker Engine", flush=True)
        docker(arguments.seconds, arguments.rounds)


if __name__ == "__main__":
    main()
