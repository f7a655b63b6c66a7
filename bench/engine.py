"""The embedded engine beside Docker Engine and Podman: everything an engine does, in one run.

    sudo .venv/bin/python bench/engine.py [--rounds 5] [--seconds 2] [--engines stackwright,docker,podman] [--only-network] [--json]

The same client asks each engine the same over its Unix socket (API 1.41), with the same busybox image, on the same
machine; builds go through the real `docker` client. Docker Engine (Debian's docker.io) and Podman run in namespaces of
their own. Printed: medians, the peers' figures relative to ours, and what the goals say. Needs root. Exit code 1 when a
goal is missed.
"""

from __future__ import annotations

import argparse
import compileall
import gzip
import http.client
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from bench.traffic import ECHO, SINK, requests, server, throughput  # noqa: E402
from tests.peers import (  # noqa: E402
    IMAGE,
    busybox_archive,
    running_dockerd,
    running_podman,
    why_no_docker,
    why_no_podman,
)

HOST_SINK, HOST_ECHO = "15001", "15002"
STOPS = ["sh", "-c", "trap 'exit 0' TERM; sleep 1000 & wait"]
DOCKERFILE = f"""FROM {IMAGE}
ENV A=1
RUN echo 1 > /one
RUN echo 2 > /two
RUN echo 3 > /three
RUN echo 4 > /four
COPY . /context
RUN echo 5 > /five
WORKDIR /work
CMD ["sh"]
"""


class Api(http.client.HTTPConnection):
    """One kept-alive connection to an engine's Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=120)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(str(self._path))

    def call(self, method: str, path: str, body: Any = None, raw: bytes | None = None) -> Any:
        """JSON in, JSON out; raises for any answer that is no success."""
        data = raw if raw is not None else (json.dumps(body).encode() if body is not None else None)
        kind = "application/x-tar" if raw is not None else "application/json"
        self.request(method, f"/v1.41{path}", data, {"Content-Type": kind} if data else {})
        response = self.getresponse()
        text = response.read()
        if response.status >= 300:
            raise RuntimeError(f"{method} {path}: {response.status} {text.decode(errors='replace')}")
        return json.loads(text) if text.startswith(b"{") and text.count(b"\n") <= 1 else text


@dataclass
class Engine:
    """One engine under test. `pid`: the server's process; `netns`: where its published ports are, None for here."""

    name: str
    socket: Path
    pid: int
    apart: bool
    api: Api = field(init=False)
    figures: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.api = Api(self.socket)

    def create(self, *command: str, api: Api | None = None, **options: Any) -> str:
        """A container; its id."""
        made = (api or self.api).call(
            "POST", "/containers/create", {"Image": IMAGE, "Cmd": command, **options}
        )
        return str(made["Id"])

    def start(self, container: str, api: Api | None = None) -> None:
        (api or self.api).call("POST", f"/containers/{container}/start")

    def remove(self, *containers: str) -> None:
        for container in containers:
            self.api.call("DELETE", f"/containers/{container}?force=1&v=1")

    def note(self, name: str, seconds: list[float]) -> None:
        """Keep the median in milliseconds."""
        self.figures[name] = statistics.median(seconds) * 1e3


def timed(work: Callable[[], object]) -> float:
    """Seconds that it takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


# --- what is measured --------------------------------------------------------------------------------------------


def run_true(engine: Engine, rounds: int) -> None:
    """Create, start, wait for the end of `true`."""
    made: list[str] = []

    def once() -> None:
        made.append(engine.create("true"))
        engine.start(made[-1])
        engine.api.call("POST", f"/containers/{made[-1]}/wait")

    engine.note("create+start+exit of true", [timed(once) for _ in range(3 * rounds)])
    engine.remove(*made)


def side_by_side(engine: Engine, rounds: int) -> None:
    """Create and start N at once."""
    for count in (1, 10, 50):
        seconds = []
        with ThreadPoolExecutor(count) as pool:
            connections = [Api(engine.socket) for _ in range(count)]

            def one(api: Api) -> str:
                container = engine.create("sleep", "1000", api=api)
                engine.start(container, api)
                return container

            for number in range(rounds if count < 50 else max(1, rounds // 2)):
                begun = time.perf_counter()
                made = list(pool.map(one, connections))
                seconds.append(time.perf_counter() - begun)
                if count == 50 and number == 0:
                    engine.figures["memory with 50 containers"] = memory(engine, made)
                list(pool.map(lambda pair: pair[0].call("DELETE", f"/containers/{pair[1]}?force=1"),
                              zip(connections, made, strict=True)))  # fmt: skip
        engine.note(f"{count} started side by side", seconds)


def stop(engine: Engine, rounds: int) -> None:
    """SIGTERM to a program that heeds it, until the engine says that it has ended."""
    seconds = []
    for _ in range(rounds):
        container = engine.create(*STOPS)
        engine.start(container)
        time.sleep(0.1)  # the shell sets its trap
        begun = time.perf_counter()
        engine.api.call("POST", f"/containers/{container}/stop?t=10")
        seconds.append(time.perf_counter() - begun)
        engine.remove(container)
    engine.note("stop", seconds)


def execute(engine: Engine, rounds: int) -> None:
    """`docker exec` of true, its exit code included."""
    container = engine.create("sleep", "1000")
    engine.start(container)

    def once() -> None:
        body = {"Cmd": ["true"], "AttachStdout": True, "AttachStderr": True}
        made = engine.api.call("POST", f"/containers/{container}/exec", body)["Id"]
        attached = Api(engine.socket)  # the connection is taken over by the streams
        attached.request("POST", f"/v1.41/exec/{made}/start", "{}", {"Content-Type": "application/json"})
        attached.getresponse().read()
        attached.close()
        while engine.api.call("GET", f"/exec/{made}/json")["Running"]:
            pass

    engine.note("exec of true", [timed(once) for _ in range(3 * rounds)])
    engine.remove(container)


def build(engine: Engine, rounds: int) -> None:
    """A Dockerfile of ten steps, with nothing cached and with everything."""
    cold, cached = [], []
    environ = {**os.environ, "DOCKER_HOST": f"unix://{engine.socket}", "DOCKER_BUILDKIT": "0"}

    def once(*options: str) -> float:
        command = ["docker", "build", *options, "-t", "bench", "."]
        return timed(
            lambda: subprocess.run(command, env=environ, cwd=folder, check=True, capture_output=True)
        )

    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "Dockerfile").write_text(DOCKERFILE)
        for number in range(rounds):
            (Path(folder) / "file").write_text(str(number))
            cold.append(once("--no-cache"))
            cached.append(once())
    engine.note("build of ten steps, cold", cold)
    engine.note("build of ten steps, cached", cached)


@dataclass(frozen=True)
class Way:
    """From a network namespace to an address where `traffic.server` listens on two ports."""

    netns: int
    host: str
    sink: int
    echo: int


@contextmanager
def connected(engine: Engine) -> Iterator[dict[str, Way]]:
    """Two containers on a network of the engine: from one to the other, and from its host to a published port."""
    name = f"bench{os.getpid()}"
    engine.api.call("POST", "/networks/create", {"Name": name})
    ports = {f"{SINK}/tcp": [{"HostPort": HOST_SINK}], f"{ECHO}/tcp": [{"HostPort": HOST_ECHO}]}
    marks = [f"{engine.pid}{number}" for number in range(2)]
    asks = engine.create("sleep", marks[0], HostConfig={"NetworkMode": name})
    answers = engine.create(
        "sleep", marks[1], ExposedPorts={port: {} for port in ports},
        HostConfig={"NetworkMode": name, "PortBindings": ports},
    )  # fmt: skip
    try:
        for container in (asks, answers):
            engine.start(container)
        settings = engine.api.call("GET", f"/containers/{answers}/json")["NetworkSettings"]["Networks"]
        address = settings[name]["IPAddress"]
        with ExitStack() as stack:

            def namespace(pid: int) -> int:
                descriptor = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)
                stack.callback(os.close, descriptor)
                return descriptor

            here = namespace(engine.pid)
            one, two = (namespace(running(mark)) for mark in marks)
            with server(two):
                yield {
                    "container to container": Way(one, address, SINK, ECHO),
                    "published port": Way(here, "127.0.0.1", int(HOST_SINK), int(HOST_ECHO)),
                }
    finally:
        engine.remove(asks, answers)
        engine.api.call("DELETE", f"/networks/{name}")


def network(names: list[str], rounds: int, seconds: float) -> dict[str, dict[str, float]]:
    """TCP through each engine's networks, in turns: the machine's own ups and downs come to all of them alike."""
    found: dict[str, dict[str, list[float]]] = {name: defaultdict(list) for name in names}
    with ExitStack() as stack:
        ways = {}
        for name in names:
            engine = stack.enter_context(ENGINES[name][0]())
            load_image(engine)
            ways[name] = stack.enter_context(connected(engine))
        for _ in range(rounds):
            for name, kinds in ways.items():
                for kind, way in kinds.items():
                    flow = throughput(way.netns, 2, (way.host, way.sink), seconds)
                    rate = requests(way.netns, 2, (way.host, way.echo), seconds)
                    found[name][f"{kind}: Gbit/s"].append(flow)
                    found[name][f"{kind}: requests/s"].append(rate)
    return {
        name: {key: statistics.median(all_) for key, all_ in kinds.items()} for name, kinds in found.items()
    }


def load_image(engine: Engine) -> None:
    """The image of all containers here."""
    engine.api.call("POST", "/images/load?quiet=1", raw=gzip.decompress(busybox_archive()))


def running(mark: str) -> int:
    """Our number of the process `sleep <mark>`, whatever its engine calls it."""
    wanted = f"sleep\0{mark}\0".encode()
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if entry.read_bytes() == wanted:
                return int(entry.parent.name)
        except OSError:
            continue
    raise ProcessLookupError(mark)


def memory(engine: Engine, containers: list[str]) -> float:
    """MB of the engine and of what watches its containers: proportional set size, shared pages counted once."""
    own = _link(Path(f"/proc/{engine.pid}/ns/pid"))
    if engine.apart:  # everything in its process namespace; containers have others
        pids = [int(entry.name) for entry in Path("/proc").glob("[0-9]*") if _link(entry / "ns/pid") == own]
    else:
        watching = {
            parent_of(engine.api.call("GET", f"/containers/{one}/json")["State"]["Pid"]) for one in containers
        }
        children = Path(f"/proc/{engine.pid}/task/{engine.pid}/children").read_text().split()
        pids = [engine.pid, *map(int, children), *watching]
    return sum(map(proportional, set(pids))) / 1024**2


def _link(path: Path) -> str:
    try:
        return str(path.readlink())
    except OSError:
        return ""


def parent_of(pid: int) -> int:
    """PPid of a process."""
    text = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("PPid:"))


def proportional(pid: int) -> int:
    """Pss of /proc/PID/smaps_rollup, in bytes; 0 for one that has ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return 1024 * sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


# --- the engines -------------------------------------------------------------------------------------------------


@contextmanager
def stackwright() -> Iterator[Engine]:
    """The embedded engine with an empty state folder; ends with nothing left."""
    compileall.compile_dir(str(ROOT / "src"), quiet=2)
    root = Path(tempfile.mkdtemp(prefix="sw-bench-"))
    sock = root / "engine.sock"
    # A network namespace of its own, as the peers have: this host's packet filter weighs on none of them.
    command = ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh",
               sys.executable, "-m", "stackwright.embedded", "serve", "--state-dir", str(root / "state"),
               "--socket", str(sock), "--idle-seconds", "0", "--log-level", "warning"]  # fmt: skip
    process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(ROOT / "src")})
    try:
        _await(sock, process)
        yield Engine("stackwright", sock, process.pid, apart=False)
        Api(sock).call("POST", "/stackwright/shutdown?force=1")
        process.wait(30)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        shutil.rmtree(root, ignore_errors=True)


def _await(sock: Path, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        try:
            Api(sock).call("GET", "/version")
            return
        except OSError:
            time.sleep(0.02)
    raise RuntimeError("the engine did not start")


@contextmanager
def docker() -> Iterator[Engine]:
    """Debian's docker.io."""
    with running_dockerd() as peer:
        yield Engine("docker", peer.socket, peer.inner_pid, apart=True)


@contextmanager
def podman() -> Iterator[Engine]:
    """Debian's podman, its API service."""
    with running_podman() as peer:
        yield Engine("podman", peer.socket, peer.inner_pid, apart=True)


ENGINES = {
    "stackwright": (stackwright, lambda: None),
    "docker": (docker, why_no_docker),
    "podman": (podman, why_no_podman),
}


def measure(name: str, rounds: int) -> dict[str, float] | str:
    """All figures of one engine but the network's, or why there are none."""
    make, why_not = ENGINES[name]
    if reason := why_not():
        return reason
    with make() as engine:
        load_image(engine)
        parts: tuple[tuple[str, Callable[[], None]], ...] = (
            ("true", lambda: run_true(engine, rounds)),
            ("side by side", lambda: side_by_side(engine, rounds)),
            ("stop", lambda: stop(engine, rounds)),
            ("exec", lambda: execute(engine, rounds)),
            ("build", lambda: build(engine, rounds)),
        )
        for part, work in parts:
            try:
                work()
            except (OSError, RuntimeError, subprocess.SubprocessError, http.client.HTTPException) as error:
                print(f"{name}: {part} could not be measured: {error}", file=sys.stderr)
        return engine.figures


# --- the page ----------------------------------------------------------------------------------------------------

GOALS = (
    # figure, peer, least ratio of "how much better ours is", the goal in words
    ("create+start+exit of true", 10.0, "start at least 10 times faster than Docker Engine"),
    ("exec of true", 5.0, "exec at least 5 times faster than Docker Engine"),
    ("container to container: Gbit/s", 0.95, "network between containers not slower than Docker Engine's"),
    (
        "container to container: requests/s",
        0.95,
        "network between containers not slower than Docker Engine's",
    ),
    ("published port: Gbit/s", 0.8, "published ports at least 80 % of Docker Engine's throughput"),
)


def better(name: str, ours: float, theirs: float) -> float:
    """How many times better ours is."""
    return ours / theirs if name.endswith("/s") else theirs / ours


def show(found: dict[str, dict[str, float] | str]) -> bool:
    """Print the table and what became of the goals; whether all are met."""
    ours = found.get("stackwright")
    peers = [name for name in found if name != "stackwright"]
    print(f"{'':<38}{'stackwright':>12}" + "".join(f"{name:>12}{'ours':>9}" for name in peers))
    rows = dict.fromkeys(name for figures in found.values() if isinstance(figures, dict) for name in figures)
    for name in rows:
        unit = "MB" if name.startswith("memory") else "" if name.endswith("/s") else "ms"
        mine = ours.get(name) if isinstance(ours, dict) else None
        line = f"{name:<38}{_number(mine):>9} {unit:<2}"
        for peer in peers:
            figures = found[peer]
            theirs = figures.get(name) if isinstance(figures, dict) else None
            times = f"{better(name, mine, theirs):.1f}x" if mine and theirs else ""
            line += f"{_number(theirs):>12}{times:>9}"
        print(line)
    for name, figures in found.items():
        if isinstance(figures, str):
            print(f"{name}: not measured: {figures}")
    theirs = found.get("docker")
    if not (isinstance(ours, dict) and isinstance(theirs, dict)):
        return True
    met = True
    for name, least, words in GOALS:
        if name in ours and name in theirs:
            ratio = better(name, ours[name], theirs[name])
            met = met and ratio >= least
            print(f"{'met   ' if ratio >= least else 'MISSED'}  {words}: {name}, {ratio:.2f}")
    return met


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}" if value < 1000 else f"{value:.0f}"


def main() -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each measurement of the network")
    parser.add_argument("--engines", default=",".join(ENGINES))
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--only-network", action="store_true")
    options = parser.parse_args()
    names = options.engines.split(",")
    for name in names:
        if name not in ENGINES:
            parser.error(f"no such engine: {name} (there are {', '.join(ENGINES)})")
    found = {name: {} if options.only_network else measure(name, options.rounds) for name in names}
    try:
        flows = network([name for name in names if not ENGINES[name][1]()], options.rounds, options.seconds)
    except (OSError, RuntimeError, http.client.HTTPException) as error:
        print(f"the network could not be measured: {error}", file=sys.stderr)
        flows = {}
    for name, figures in flows.items():
        have = found[name]
        assert isinstance(have, dict)
        have.update(figures)
    if options.json:
        print(json.dumps(found, indent=2))
        return 0
    return 0 if show(found) else 1


if __name__ == "__main__":
    sys.exit(main())
