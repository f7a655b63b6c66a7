"""Requests whose head is there and whose body never comes: given up in time, at a bounded price, on every kind of route."""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import pytest
from tests.embedded.conftest import load_busybox
from tests.embedded.engine_process import EngineProcess
from tests.embedded.images.conftest import tar_of
from tests.peers import IMAGE

pytestmark = pytest.mark.root
WITHIN = 0.4
"""Seconds for a small body; an upload may pause for five times as long."""
MB = 1 << 20
UPLOADS = ("POST /build?t=slow", "POST /images/load", "PUT /containers/real/archive?path=/tmp",
           "POST /images/create?fromSrc=-&repo=slow")  # fmt: skip
SMALL = (
    "POST /containers/create",
    "POST /networks/create",
    "POST /volumes/create",
    "POST /containers/real/exec",
)


@pytest.fixture(scope="module")
def engine() -> Iterator[EngineProcess]:
    process = EngineProcess()
    try:
        process.start("--body-seconds", str(WITHIN))
        load_busybox(process)
        body = {"Image": IMAGE, "Cmd": ["sleep", "1000"], "HostConfig": {"NetworkMode": "none"}}
        assert process.request("POST", "/containers/create?name=real", body)[0] == 201
        assert process.request("POST", "/containers/real/start")[0] == 204
        yield process
    finally:
        process.close()


def begun(engine: EngineProcess, what: str, first: bytes = b"") -> socket.socket:
    """A request that announces a body of 8 MiB, and sends `first` of it."""
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(20)
    client.connect(str(engine.socket))
    kind = "application/x-tar" if what in UPLOADS else "application/json"
    head = f"{what} HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\nContent-Length: {8 * MB}\r\n\r\n"
    client.sendall(head.encode() + first)
    return client


def said(client: socket.socket) -> tuple[int, str]:
    """The answer's status and message, by either way that an error is told."""
    text = b""
    while not re.search(rb'"(message|error)":"[^"]*"', text):
        piece = client.recv(65536)
        if not piece:
            break
        text += piece
    message = re.search(r'"message":"([^"]*)"', text.decode())
    assert message, text
    return int(text.split()[1]), message[1]


@pytest.mark.parametrize("what", [*UPLOADS, *SMALL])
def test_a_body_that_does_not_come_is_given_up(engine: EngineProcess, what: str) -> None:
    first = tar_of([("a", b"x" * 2000)])[:1500] if what in UPLOADS else b'{"Image": "'
    start = time.monotonic()
    with closing(begun(engine, what, first)) as client:
        status, message = said(client)
    took = time.monotonic() - start
    # As with Docker, `load` tells its errors in the stream of messages.
    assert status == (200 if "/load" in what else 400), message
    if what in UPLOADS:
        assert "stalled: nothing came for 2 seconds" in message
        assert 5 * WITHIN <= took < 5 * WITHIN + 3
    else:
        assert message == "the request's body did not arrive in time"
        assert WITHIN <= took < WITHIN + 3
    assert engine.request("GET", "/_ping")[0] == 200


def test_an_upload_that_goes_on_takes_as_long_as_it_takes(engine: EngineProcess) -> None:
    """Longer than any pause may be: a slow line is no stalled one."""
    archive = tar_of([("dripped", b"x" * 2000)])
    pieces = [archive[n : n + 1024] for n in range(0, len(archive), 1024)]
    client = socket.socket(socket.AF_UNIX)
    with closing(client):
        client.settimeout(20)
        client.connect(str(engine.socket))
        head = f"PUT /containers/real/archive?path=/tmp HTTP/1.1\r\nHost: x\r\nContent-Length: {len(archive)}\r\n\r\n"
        client.sendall(head.encode())
        for piece in pieces:
            time.sleep(max(0.3, 3 / len(pieces)))
            client.sendall(piece)
        assert client.recv(100).startswith(b"HTTP/1.1 200")


def memory(engine: EngineProcess) -> int:
    """Bytes that the engine has in memory."""
    text = Path(f"/proc/{engine.pid}/status").read_text()
    return int(re.findall(r"VmRSS:\s+(\d+) kB", text)[0]) * 1024


def test_many_of_them_cost_little_and_others_are_served(engine: EngineProcess) -> None:
    before = memory(engine)
    with ExitStack() as held:
        clients = [
            held.enter_context(closing(begun(engine, what, bytes(60_000))))
            for what in UPLOADS
            for _ in range(60)
        ]
        assert engine.request("GET", "/_ping")[0] == 200
        grown = memory(engine) - before
        assert grown < len(clients) * 300_000, grown
        for client in clients:
            client.settimeout(30)
            assert client.recv(100), "each is told"
    assert engine.request("GET", "/_ping")[0] == 200


def test_many_large_small_bodies_are_refused_before_the_memory_ends() -> None:
    """Of those that are kept whole in memory, no more than 128 MiB at a time."""
    process = EngineProcess()
    try:
        process.start("--body-seconds", "30")
        before = memory(process)
        with ExitStack() as held:
            clients = []
            for _ in range(30):
                client = held.enter_context(closing(begun(process, "POST /containers/create")))
                client.settimeout(5)
                with suppress(OSError):  # refused while it was sending
                    client.sendall(b" " * (8 * MB - 100))
                clients.append(client)
            statuses = [said(client)[0] for client in clients[20:]]
            assert set(statuses) == {503}
            assert memory(process) - before < 300 * MB
            assert process.request("GET", "/_ping")[0] == 200
            made = process.request("POST", "/networks/create", {"Name": "n"})
            assert made[0] in (201, 503), made
        deadline = time.monotonic() + 10
        while process.request("POST", "/volumes/create", {"Name": "kept"})[0] != 201:
            assert time.monotonic() < deadline, "clients that went away still count"
            time.sleep(0.1)
        assert json.loads(process.exchange("GET", "/volumes")[2])["Volumes"]
    finally:
        process.close()
