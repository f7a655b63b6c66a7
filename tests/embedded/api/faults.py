"""What was acknowledged before a fault, whether it is still so afterwards, and whether anything was left over."""

from __future__ import annotations

import itertools
import json
import secrets
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path

from tests.embedded.builder.conftest import tar_of
from tests.embedded.engine_process import EngineProcess
from tests.peers import IMAGE, busybox_archive

CUT_OFF = (OSError, EOFError, ValueError, TypeError, KeyError, HTTPException, ConnectionError)
"""What a client sees of an engine that is killed while it answers."""


@dataclass
class Known:
    """What the engine has answered with success. What is being changed right now is nowhere."""

    containers: set[str] = field(default_factory=set)
    running: set[str] = field(default_factory=set)
    stopped: set[str] = field(default_factory=set)
    removed: set[str] = field(default_factory=set)
    volumes: set[str] = field(default_factory=set)
    images: set[str] = field(default_factory=set)
    removed_images: set[str] = field(default_factory=set)
    networks: set[str] = field(default_factory=set)
    removed_networks: set[str] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)
    """Answers that no fault excuses."""

    def copy(self) -> Known:
        return Known(*(type(value)(value) for value in vars(self).values()))  # type: ignore[call-arg]


_SEATS = itertools.count()
TAGS = 3
"""How many tags a puller uses; pullers beside each other use tags of their own, which share layers."""


class Client:
    """One client's work, over and over, until the engine is gone."""

    def __init__(self, engine: EngineProcess, known: Known, registry: str = "") -> None:
        self.engine, self.known, self.registry = engine, known, registry
        self._count = 0
        self._own = secrets.token_hex(4)
        self._seat = next(_SEATS)

    def _ask(
        self, status: int, method: str, path: str, body: object = None, raw: bytes | None = None
    ) -> object:
        answered, said = self.engine.request(method, path, body, raw=raw)
        if answered != status:
            self.known.wrong.append(f"{method} {path}: {answered} {said!r}")
        return said

    def _create(self) -> str:
        body = {"Image": IMAGE, "Cmd": ["sleep", "99"], "HostConfig": {"Binds": ["/anonymous"]}}
        made = str(self._ask(201, "POST", "/containers/create", body)["Id"])  # type: ignore[index]
        self.known.containers.add(made)
        return made

    def _start(self) -> str:
        made = self._create()
        self._ask(204, "POST", f"/containers/{made}/start")
        self.known.running.add(made)
        return made

    def create(self) -> None:
        """A container with a volume of its own."""
        self._create()
        self.known.volumes.add(str(self._ask(201, "POST", "/volumes/create", {})["Name"]))  # type: ignore[index]

    def start(self) -> None:
        self._start()

    def stop(self) -> None:
        made = self._start()
        self.known.running.discard(made)
        self._ask(204, "POST", f"/containers/{made}/stop?t=0")
        self.known.stopped.add(made)

    def remove(self) -> None:
        self._count += 1
        made = self._start() if self._count % 2 else self._create()
        self.known.running.discard(made)
        self.known.containers.discard(made)
        self._ask(204, "DELETE", f"/containers/{made}?force=1&v=1")
        self.known.removed.add(made)

    def _forget(self, image: str) -> None:
        self.known.images.discard(image)
        self._ask(200, "DELETE", f"/images/{image}?force=1")
        self.known.removed_images.add(image)

    def _had(self, image: str, said: object, word: bytes) -> None:
        if word not in bytes(said):  # type: ignore[call-overload]
            raise EOFError  # cut off, as all the others
        self.known.removed_images.discard(image)
        self.known.images.add(image)

    def pull(self) -> None:
        self._count += 1
        tag = self._seat % 2 * TAGS + self._count % TAGS
        image = f"{self.registry}/app:{tag}"
        path = f"/images/create?fromImage={self.registry}/app&tag={tag}"
        self.known.removed_images.discard(image)
        self._had(image, self._ask(200, "POST", path), b"Status: ")
        if self._count % 3:
            self._forget(image)

    def build(self) -> None:
        self._count += 1
        image = f"built:{self._own}-{self._count}"
        text = f"FROM {IMAGE}\nRUN echo {image} > /x\nCOPY data /data\nRUN rm /x\n"
        context = tar_of({"Dockerfile": text, "data": "x" * 200_000})
        self._had(image, self._ask(200, "POST", f"/build?t={image}", raw=context), b"Successfully tagged")
        if self._count % 2:
            self._forget(image)

    def load(self) -> None:
        self._count += 1
        image = f"loaded:{self._own}-{self._count}"
        archive = busybox_archive(image, {"Env": [f"N={self._count}"]})
        self._had(image, self._ask(200, "POST", "/images/load?quiet=1", raw=archive), b"Loaded image")
        self._forget(image)

    def network(self) -> None:
        """A network with a container on it, both removed again."""
        self._count += 1
        name = f"n{self._own}-{self._count}"
        self._ask(201, "POST", "/networks/create", {"Name": name})
        self.known.networks.add(name)
        body = {"Image": IMAGE, "Cmd": ["sleep", "99"], "HostConfig": {"NetworkMode": name}}
        made = str(self._ask(201, "POST", "/containers/create", body)["Id"])  # type: ignore[index]
        self.known.containers.add(made)
        self._ask(204, "POST", f"/containers/{made}/start")
        self.known.containers.discard(made)
        self._ask(204, "DELETE", f"/containers/{made}?force=1")
        self.known.removed.add(made)
        self.known.networks.discard(name)
        self._ask(204, "DELETE", f"/networks/{name}")
        self.known.removed_networks.add(name)

    def run(self, work: Callable[[], None]) -> None:
        """Until the connection breaks."""
        try:
            while not self.known.wrong:
                work()
        except CUT_OFF:
            return


def working(engine: EngineProcess, known: Known, *verbs: str, registry: str = "") -> list[threading.Thread]:
    """A client for each verb, at work in a thread of its own."""
    threads = []
    for verb in verbs:
        client = Client(engine, known, registry)
        threads.append(threading.Thread(target=client.run, args=(getattr(client, verb),)))
        threads[-1].start()
    return threads


def check(engine: EngineProcess, known: Known, *, power_loss: bool = False) -> None:
    """Everything acknowledged is there, everything is of one piece, and nothing is left that belongs to nobody.

    After a power loss no process is left: what ran has ended.
    """
    assert known.wrong == [], known.wrong
    listed = {c["Id"]: c["State"] for c in engine.request("GET", "/containers/json?all=1")[1]}
    assert known.containers <= set(listed), known.containers - set(listed)
    assert not known.removed & set(listed), known.removed & set(listed)
    alive = set()
    for key in listed:
        state = engine.request("GET", f"/containers/{key}/json")[1]["State"]
        assert (state["Pid"] > 0) == state["Running"], state
        assert state["Status"] in ("created", "running", "exited"), state
        if state["Running"]:
            alive.add(state["Pid"])
        if power_loss:
            assert not state["Running"], state
            assert key not in known.running or (state["Status"], state["ExitCode"]) == ("exited", 137)
        elif key in known.running:
            assert state["Running"], state
        if key in known.stopped:
            assert (state["Status"], state["ExitCode"]) == ("exited", 137), state
    names = {v["Name"] for v in engine.request("GET", "/volumes")[1]["Volumes"]}
    assert known.volumes <= names, known.volumes - names
    for image in known.images:
        status, shown = engine.request("GET", f"/images/{image}/json")
        assert status == 200, f"{image} was acknowledged: {shown}"
    for image in known.removed_images:
        assert engine.request("GET", f"/images/{image}/json")[0] == 404, image
    networks = {n["Name"] for n in engine.request("GET", "/networks")[1]}
    assert known.networks <= networks, (known.networks - networks, networks)
    assert not known.removed_networks & networks, known.removed_networks & networks
    settled(lambda: leftovers(engine, set(listed), names, alive))
    body = {"Image": IMAGE, "Cmd": ["true"], "HostConfig": {"NetworkMode": "none"}}
    made = engine.request("POST", "/containers/create", body)[1]["Id"]
    assert engine.request("POST", f"/containers/{made}/start")[0] == 204
    assert engine.request("POST", f"/containers/{made}/wait")[1] == {"StatusCode": 0}


def settled(wrong: Callable[[], dict[str, object]], seconds: float = 15) -> None:
    """Wait until there is nothing wrong; what is deleted in the background takes a moment."""
    deadline = time.monotonic() + seconds
    while (found := wrong()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert found == {}, found


def leftovers(
    engine: EngineProcess, containers: set[str], volumes: set[str], alive: set[int]
) -> dict[str, object]:
    """Folders, layers, processes and devices that nothing the engine knows of explains, by kind."""
    state = engine.state_dir

    def names(folder: str) -> set[str]:
        return {path.name for path in (state / folder).iterdir()} if (state / folder).is_dir() else set()

    with closing(sqlite3.connect(state / "engine.db")) as database:
        layers = {row[0] for row in database.execute("SELECT folder FROM image_layer")}
        blobs = {row[0].removeprefix("sha256:") for row in database.execute("SELECT blob FROM image_layer")}
    found: dict[str, object] = {
        "containers": names("containers") ^ containers,
        "volumes": names("volumes") ^ volumes,
        "layers": names("images/layers") ^ layers,
        "blobs": {name for name in names("images/blobs/sha256") - blobs if not name.endswith(".part")},
        "processes": processes(engine) ^ alive,
    }
    for folder in ("images/work", "images/trash", "builder/work", "steps", "trash"):
        found[folder] = names(folder)
    for listed in engine.request("GET", "/networks")[1]:
        network = engine.request("GET", f"/networks/{listed['Id']}")[1]
        if network["Driver"] == "bridge":
            attached = len(devices_on(engine, f"sw{network['Id'][:8]}"))
            found[f"devices on {network['Name']}"] = attached - len(network["Containers"] or {})
    return {kind: what for kind, what in found.items() if what}


def devices_on(engine: EngineProcess, bridge: str) -> list[str]:
    """Names of what is plugged in there, in the network that the engine is in."""
    shown = subprocess.run(
        ["nsenter", "-t", str(engine.pid), "-n", "ip", "-j", "link", "show", "master", bridge],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return [str(one["ifname"]) for one in json.loads(shown.stdout or "[]") if one]


def processes(engine: EngineProcess) -> set[int]:
    """What runs in the engine's control groups."""
    instance = engine.request("GET", "/info")[1]["ID"]
    pattern = f"*stackwright/{instance}/*"
    found = subprocess.run(
        ["find", "/sys/fs/cgroup", "-path", pattern, "-name", "cgroup.procs"],
        capture_output=True, text=True, check=False,
    ).stdout.split()  # fmt: skip
    pids = set()
    for file in found:
        try:
            pids |= {int(line) for line in Path(file).read_text().split()}
        except OSError:
            continue
    return pids


def clear(engine: EngineProcess) -> None:
    """As `docker system prune -af --volumes`, but for the test image: afterwards as good as new."""
    for container in engine.request("GET", "/containers/json?all=1")[1]:
        status, answer = engine.request("DELETE", f"/containers/{container['Id']}?force=1&v=1")
        assert status in (204, 404), answer
    engine.request("POST", "/networks/prune")
    engine.request("POST", '/volumes/prune?filters={"all":["true"]}')
    keeper = engine.request("POST", "/containers/create?name=keeper", {"Image": IMAGE})[1]["Id"]
    engine.request("POST", '/images/prune?filters={"dangling":["false"]}')
    assert engine.request("DELETE", f"/containers/{keeper}")[0] == 204
    assert engine.request("GET", "/volumes")[1]["Volumes"] == []
    settled(lambda: leftovers(engine, set(), set(), set()))
