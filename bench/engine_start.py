"""How long creating and starting a container takes through the API: the embedded engine beside Docker Engine.

    .venv/bin/python bench/engine_start.py [--containers 8] [--rounds 3] [--no-docker]

Both engines run in the same invocation, on the same machine, with the same busybox image, and are asked by the same
client over their Unix sockets: create and start of N `sleep` containers, one after the other. Printed: the median
per container of each, their ratio, and the private memory of each of our monitors. Needs root; Docker Engine
(Debian's docker.io) runs in namespaces of its own.
"""

from __future__ import annotations

import argparse
import compileall
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
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from tests.peers import IMAGE, busybox_archive, running_dockerd, why_no_docker  # noqa: E402

MEMORY_CEILING = 5 * 1024 * 1024
START_CEILING = 0.050


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


@contextmanager
def running_engine() -> Iterator[Path]:
    """The embedded engine with an empty state folder; ends with nothing left."""
    compileall.compile_dir(str(ROOT / "src"), quiet=2)
    root = Path(tempfile.mkdtemp(prefix="sw-bench-"))
    sock = root / "engine.sock"
    command = [sys.executable, "-m", "stackwright.embedded", "serve", "--state-dir", str(root / "state"),
               "--socket", str(sock), "--idle-seconds", "0", "--log-level", "warning"]  # fmt: skip
    process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(ROOT / "src")})
    try:
        _await(sock, process)
        yield sock
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


def measure(api: Api, count: int) -> tuple[list[float], list[float], list[str]]:
    """Seconds of create+start and of create alone for each container, and their ids."""
    whole, creating, ids = [], [], []
    for _ in range(count):
        begun = time.perf_counter()
        made = api.call("POST", "/containers/create", {"Image": IMAGE, "Cmd": ["sleep", "1000"]})
        between = time.perf_counter()
        api.call("POST", f"/containers/{made['Id']}/start")
        whole.append(time.perf_counter() - begun)
        creating.append(between - begun)
        ids.append(made["Id"])
    return whole, creating, ids


def bench(name: str, sock: Path, count: int, rounds: int, *, look_at_monitors: bool = False) -> float:
    """Print and return the median seconds per container."""
    api = Api(sock)
    api.call("POST", "/images/load?quiet=1", raw=busybox_archive())
    whole: list[float] = []
    creating: list[float] = []
    for number in range(rounds):
        seconds, created, ids = measure(api, count)
        whole += seconds
        creating += created
        if look_at_monitors and number == 0:
            print_memory([api.call("GET", f"/containers/{i}/json")["State"]["Pid"] for i in ids])
        for container in ids:
            api.call("DELETE", f"/containers/{container}?force=1")
    median = statistics.median(whole)
    print(
        f"{name:<18} create+start of {count} x {rounds}: median {median * 1e3:7.1f} ms  "
        f"(create {statistics.median(creating) * 1e3:.1f} ms, worst {max(whole) * 1e3:.1f} ms)"
    )
    return median


def print_memory(inits: list[int]) -> None:
    """Private memory of each monitor: the parent of each container's process 1."""
    sizes = [private_memory(parent_of(pid)) for pid in inits]
    text = ", ".join(f"{size / 1024**2:.1f}" for size in sizes)
    verdict = "ok" if max(sizes) <= MEMORY_CEILING else "OVER THE CEILING of 5 MB"
    print(f"private memory of each monitor, MB: {text}  ({verdict})")


def parent_of(pid: int) -> int:
    """PPid of a process."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("PPid:"):
            return int(line.split()[1])
    raise RuntimeError(f"process {pid} has no parent")


def private_memory(pid: int) -> int:
    """Private_Clean + Private_Dirty of /proc/PID/smaps_rollup, in bytes."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return 1024 * sum(int(line.split()[1]) for line in lines if line.startswith("Private_"))


def main() -> int:
    """Exit code 1 when a ceiling is broken."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--containers", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--no-docker", action="store_true")
    options = parser.parse_args()
    with running_engine() as sock:
        ours = bench("stackwright engine", sock, options.containers, options.rounds, look_at_monitors=True)
    reason = "asked not to" if options.no_docker else why_no_docker()
    if reason:
        print(f"Docker Engine not measured: {reason}")
    else:
        with running_dockerd() as docker:
            theirs = bench("docker engine", docker.socket, options.containers, options.rounds)
        print(f"ratio: {theirs / ours:.1f} times faster than Docker Engine")
    if ours > START_CEILING:
        print(f"the median is over the ceiling of {START_CEILING * 1e3:.0f} ms")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
