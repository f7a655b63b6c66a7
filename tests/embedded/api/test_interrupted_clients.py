"""Clients that go away in the middle: what only they wanted ends with them, and nothing is left open."""

from __future__ import annotations

import socket
import threading
import time
from pathlib import Path

import pytest
from tests.embedded.builder.conftest import tar_of
from tests.embedded.engine_process import EngineProcess
from tests.peers import IMAGE
from tests.support.leftovers import groups_of

pytestmark = pytest.mark.root


def ask(
    engine: EngineProcess, method: str, path: str, *, upgrade: bool = False, body: bytes = b""
) -> socket.socket:
    """Send a request and leave the connection open."""
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(20)
    client.connect(str(engine.socket))
    head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
    if upgrade:
        head += "Connection: Upgrade\r\nUpgrade: tcp\r\n"
    client.sendall(f"{head}\r\n".encode() + body)
    return client


def descriptors(engine: EngineProcess) -> int:
    return len(list(Path(f"/proc/{engine.pid}/fd").iterdir()))


def settle(engine: EngineProcess, most: int, seconds: float = 10) -> int:
    """The number of open descriptors once it is no larger than `most`, or after the time."""
    deadline = time.monotonic() + seconds
    while (count := descriptors(engine)) > most and time.monotonic() < deadline:
        time.sleep(0.05)
    return count


def started(engine: EngineProcess, *command: str) -> str:
    made = engine.request(
        "POST", "/containers/create", {"Image": IMAGE, "Cmd": list(command), "OpenStdin": True}
    )[1]
    assert engine.request("POST", f"/containers/{made['Id']}/start")[0] == 204
    return str(made["Id"])


def test_followers_that_go_away_leave_no_descriptor_behind(own_engine: EngineProcess) -> None:
    container = started(own_engine, "sh", "-c", "while :; do echo tick; sleep 0.05; done")
    idle = started(own_engine, "sleep", "100")
    for path in (f"/containers/{container}/logs?follow=1&stdout=1", "/events"):
        client = ask(own_engine, "GET", path)
        assert client.recv(15)
        client.close()
    before = settle(own_engine, 0, 1)
    clients = []
    for _ in range(10):
        clients += [
            ask(own_engine, "GET", f"/containers/{container}/logs?follow=1&stdout=1"),
            ask(own_engine, "GET", f"/containers/{idle}/logs?follow=1&stdout=1"),
            ask(own_engine, "GET", "/events"),
            ask(own_engine, "GET", f"/containers/{idle}/stats?stream=1"),
            ask(own_engine, "POST", f"/containers/{idle}/wait"),
            ask(own_engine, "POST", f"/containers/{container}/attach?stream=1&stdout=1", upgrade=True),
            ask(own_engine, "POST", f"/containers/{idle}/attach?stream=1&stdout=1&stdin=1", upgrade=True),
        ]
    time.sleep(0.5)
    assert descriptors(own_engine) > before + 50
    for client in clients:
        client.close()
    assert settle(own_engine, before + 2) <= before + 2
    assert own_engine.request("GET", f"/containers/{idle}/json")[1]["State"]["Running"]


def test_a_build_ends_with_its_client(own_engine: EngineProcess) -> None:
    instance = own_engine.request("GET", "/info")[1]["ID"]
    text = f"FROM {IMAGE}\nRUN echo begun-$((6*7)); sleep 300\n"
    client = ask(own_engine, "POST", "/build", body=tar_of({"Dockerfile": text}))
    seen = b""
    while b"begun-42" not in seen:
        seen += client.recv(4096)
    steps = own_engine.state_dir / "steps"
    assert list(steps.iterdir()) and step_groups(instance)
    client.close()
    deadline = time.monotonic() + 10
    while (step_groups(instance) or list(steps.iterdir())) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert step_groups(instance) == []
    assert list(steps.iterdir()) == []


def step_groups(instance: str) -> list[Path]:
    """Cgroups below those of one engine: with no container, those of build steps."""
    return [path for group in groups_of(instance) for path in group.glob("*") if path.is_dir()]


def test_a_stop_goes_on_without_its_client(own_engine: EngineProcess) -> None:
    container = started(own_engine, "sh", "-c", "trap 'sleep 0.5; exit 5' TERM; while :; do sleep 0.05; done")
    time.sleep(0.3)
    ask(own_engine, "POST", f"/containers/{container}/stop?t=20").close()
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        state = own_engine.request("GET", f"/containers/{container}/json")[1]["State"]
        if state["Status"] == "exited":
            break
        time.sleep(0.05)
    assert (state["Status"], state["ExitCode"]) == ("exited", 5)


def test_an_upload_that_breaks_off_leaves_nothing(own_engine: EngineProcess) -> None:
    images = own_engine.request("GET", "/images/json")[1]
    for path in ("/images/load", "/build", "/images/create?fromSrc=-&repo=half"):
        client = socket.socket(socket.AF_UNIX)
        client.connect(str(own_engine.socket))
        client.sendall(
            f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n".encode() + b"x" * 5000
        )
        time.sleep(0.1)
        client.close()
    time.sleep(0.5)
    assert own_engine.request("GET", "/images/json")[1] == images
    assert own_engine.request("GET", "/_ping")[0] == 200


def test_a_container_that_nobody_reads_does_not_hold_others_up(own_engine: EngineProcess) -> None:
    """A client attached to a torrent that reads nothing: the engine's memory stays, others are served."""
    container = started(own_engine, "sh", "-c", "yes | head -c 30000000; echo done; sleep 100")
    client = ask(own_engine, "POST", f"/containers/{container}/attach?stream=1&stdout=1", upgrade=True)
    lines = Path(f"/proc/{own_engine.pid}/status").read_text()
    before = int(lines.split("VmRSS:")[1].split()[0])
    answers: list[int] = []
    thread = threading.Thread(target=lambda: answers.append(own_engine.request("GET", "/containers/json")[0]))
    time.sleep(1.5)
    thread.start()
    thread.join(10)
    assert answers == [200]
    after = int(Path(f"/proc/{own_engine.pid}/status").read_text().split("VmRSS:")[1].split()[0])
    assert after - before < 20_000, "kB of memory for a client that does not read"
    client.close()
