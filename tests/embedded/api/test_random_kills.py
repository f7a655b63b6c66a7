"""SIGKILL at random moments under load: afterwards everything acknowledged is there, and nothing is half known."""

from __future__ import annotations

import io
import random
import tarfile
import threading
import time
from collections.abc import Callable
from http.client import HTTPException

import pytest
from tests.embedded.api.test_leftovers import owned
from tests.embedded.engine_process import EngineProcess
from tests.peers import IMAGE, busybox_archive

pytestmark = [pytest.mark.root, pytest.mark.slow]
ROUNDS = 12


class Acknowledged:
    """What the engine has answered with success; `pending` was asked for and not answered."""

    def __init__(self) -> None:
        self.containers: set[str] = set()
        self.volumes: set[str] = set()
        self.pending: set[str] = set()


def context(text: str) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        entry = tarfile.TarInfo("Dockerfile")
        entry.size = len(text)
        tar.addfile(entry, io.BytesIO(text.encode()))
    return packed.getvalue()


def containers(engine: EngineProcess, known: Acknowledged) -> None:
    body = {"Image": IMAGE, "Cmd": ["sleep", "99"], "HostConfig": {"Binds": ["/anonymous"]}}
    made = engine.request("POST", "/containers/create", body)[1]["Id"]
    known.containers.add(made)
    assert engine.request("POST", f"/containers/{made}/start")[0] == 204
    if random.random() < 0.6:
        known.pending.add(made)
        if random.random() < 0.5:
            assert engine.request("POST", f"/containers/{made}/stop?t=0")[0] == 204
        assert engine.request("DELETE", f"/containers/{made}?force=1&v=1")[0] == 204
        known.containers.discard(made)


def volumes(engine: EngineProcess, known: Acknowledged) -> None:
    name = engine.request("POST", "/volumes/create", {})[1]["Name"]
    known.volumes.add(name)
    time.sleep(0.01)


def images(engine: EngineProcess, known: Acknowledged) -> None:
    tag = f"built:{random.randrange(10**9)}"
    text = f"FROM {IMAGE}\nRUN echo {tag} > /x\nCOPY Dockerfile /\n"
    status, answer = engine.request("POST", f"/build?t={tag}", raw=context(text))
    assert status == 200 and b"Successfully tagged" in answer
    engine.request("POST", "/images/load?quiet=1", raw=busybox_archive(f"loaded:{random.randrange(10**9)}"))
    engine.request("DELETE", f"/images/{tag}?force=1")


def networks(engine: EngineProcess, known: Acknowledged) -> None:
    name = f"n{random.randrange(10**9)}"
    assert engine.request("POST", "/networks/create", {"Name": name})[0] == 201
    body = {"Image": IMAGE, "Cmd": ["true"], "HostConfig": {"NetworkMode": name, "AutoRemove": True}}
    made = engine.request("POST", "/containers/create", body)[1]["Id"]
    engine.request("POST", f"/containers/{made}/start")
    time.sleep(0.1)
    engine.request("DELETE", f"/networks/{name}")


def churn(
    engine: EngineProcess, known: Acknowledged, work: Callable[[EngineProcess, Acknowledged], None]
) -> None:
    try:
        while True:
            work(engine, known)
    except (OSError, EOFError, ValueError, TypeError, KeyError, AssertionError, HTTPException):
        return  # killed meanwhile


def test_whatever_is_killed_when(own_engine: EngineProcess) -> None:
    random.seed(7)
    instance = own_engine.request("GET", "/info")[1]["ID"]
    for _ in range(ROUNDS):
        known = Acknowledged()
        threads = [
            threading.Thread(target=churn, args=(own_engine, known, work))
            for work in (containers, containers, volumes, images, networks)
        ]
        for thread in threads:
            thread.start()
        time.sleep(random.uniform(0.1, 1.5))
        own_engine.kill()
        for thread in threads:
            thread.join()
        own_engine.start()
        check(own_engine, known)
        clear(own_engine)
    root = own_engine.root
    assert own_engine.request("POST", "/stackwright/shutdown?force=1")[0] == 200
    assert own_engine.process is not None and own_engine.process.wait(30) == 0
    assert owned(instance, root) == {}


def check(engine: EngineProcess, known: Acknowledged) -> None:
    listed = {c["Id"]: c for c in engine.request("GET", "/containers/json?all=1")[1]}
    assert known.containers - known.pending <= set(listed)
    for key in listed:
        status, shown = engine.request("GET", f"/containers/{key}/json")
        if status == 404:
            continue  # it was to be removed by itself, and has just been
        assert (shown["State"]["Pid"] > 0) == shown["State"]["Running"], shown["State"]
    names = {v["Name"] for v in engine.request("GET", "/volumes")[1]["Volumes"]}
    assert known.volumes <= names
    for image in engine.request("GET", "/images/json")[1]:
        assert engine.request("GET", f"/images/{image['Id']}/json")[0] == 200
    body = {"Image": IMAGE, "Cmd": ["true"]}
    made = engine.request("POST", "/containers/create", body)[1]["Id"]
    assert engine.request("POST", f"/containers/{made}/start")[0] == 204
    assert engine.request("POST", f"/containers/{made}/wait")[1] == {"StatusCode": 0}


def clear(engine: EngineProcess) -> None:
    """As `docker system prune -af --volumes`, but for the test image: afterwards as good as new."""
    for container in engine.request("GET", "/containers/json?all=1")[1]:
        status, answer = engine.request("DELETE", f"/containers/{container['Id']}?force=1&v=1")
        assert status in (204, 404), answer
    for network in engine.request("POST", "/networks/prune")[1]["NetworksDeleted"] or []:
        assert network
    engine.request("POST", '/volumes/prune?filters={"all":["true"]}')
    assert engine.request("GET", "/volumes")[1]["Volumes"] == []
    deadline = time.monotonic() + 5
    while (
        left := sorted(p.name for p in (engine.state_dir / "containers").iterdir())
    ) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert left == []
