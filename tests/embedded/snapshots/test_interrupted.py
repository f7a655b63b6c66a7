"""SIGKILL in the middle of snapshots, and what the next engine makes of it: nothing lost, nothing left over."""

from __future__ import annotations

import http.client
import json
import random
import shutil
import threading
import time
from pathlib import Path

import pytest
from tests.embedded.engine_process import EngineProcess
from tests.peers import IMAGE

pytestmark = pytest.mark.root
ROUNDS = 6


def prepared(engine: EngineProcess) -> str:
    """A stopped container with a file of its own and one in a volume; prints both when it is started."""
    script = "test -e /srv/f || { echo root > /srv/f; echo volume > /n/f; }; cat /srv/f /n/f"
    engine.docker("run", "--name", "src", "-v", "data:/n", IMAGE, "sh", "-c", script)
    return engine.docker("inspect", "-f", "{{.Id}}", "src").stdout.strip()


def whole(engine: EngineProcess, container: str) -> None:
    assert engine.docker("start", "-a", container).stdout == "root\nvolume\n"


def again(engine: EngineProcess) -> None:
    engine.kill()
    engine.start()


def test_a_move_that_was_not_written_down_goes_back_under_its_container(own_engine: EngineProcess) -> None:
    source = prepared(own_engine)
    own_engine.kill()
    moved = own_engine.state_dir / "frozen" / ("ab" * 32)
    moved.mkdir(parents=True)
    owner = {"kind": "container", "name": source, "born": "", "moved_ns": 1}
    (moved / "owner").write_text(json.dumps(owner))
    (own_engine.state_dir / "containers" / source / "fs" / "upper").rename(moved / "data")
    own_engine.start()
    whole(own_engine, "src")
    own_engine.docker("rm", "-v", "src")
    assert not moved.exists()


def test_a_volume_that_was_moved_goes_on_over_what_was_frozen(own_engine: EngineProcess) -> None:
    prepared(own_engine)
    born = own_engine.request("GET", "/volumes/data")[1]["CreatedAt"]
    own_engine.kill()
    moved = own_engine.state_dir / "frozen" / ("ab" * 32)
    moved.mkdir(parents=True)
    owner = {"kind": "volume", "name": "data", "born": born, "moved_ns": 1}
    (moved / "owner").write_text(json.dumps(owner))
    (own_engine.state_dir / "volumes" / "data" / "_data").rename(moved / "data")
    own_engine.start()
    whole(own_engine, "src")


def test_half_a_copy_is_removed(own_engine: EngineProcess) -> None:
    own_engine.kill()
    half = own_engine.state_dir / "frozen" / ("cd" * 32) / "data"
    half.mkdir(parents=True)
    own_engine.start()
    assert not half.parent.exists()


def test_a_move_that_never_reached_the_disk_is_forgotten(own_engine: EngineProcess) -> None:
    """Power loss: the database is ahead of the folders."""
    source = prepared(own_engine)
    status, _ = own_engine.request("POST", f"/containers/{source}/snapshot?name=s1")
    assert status == 201
    own_engine.docker("system", "df")
    own_engine.request("POST", "/stackwright/shutdown?keep=1")
    assert own_engine.process is not None
    own_engine.process.wait(30)
    for folder in (own_engine.state_dir / "frozen").iterdir():
        if not folder.name.startswith("."):
            owner = json.loads((folder / "owner").read_text())
            place = {
                "container": own_engine.state_dir / "containers" / source / "fs" / "upper",
                "volume": own_engine.state_dir / "volumes" / "data" / "_data",
            }[owner["kind"]]
            shutil.rmtree(place)
            (folder / "data").rename(place)
            shutil.rmtree(folder)
    own_engine.start()
    assert own_engine.request("GET", "/snapshots")[1] == []
    whole(own_engine, "src")


def test_copies_and_their_volumes_are_there_after_a_kill(own_engine: EngineProcess) -> None:
    prepared(own_engine)
    assert own_engine.request("POST", "/containers/src/snapshot?name=s1")[0] == 201
    assert own_engine.request("POST", "/containers/create?snapshot=s1&name=c1", {})[0] == 201
    again(own_engine)
    whole(own_engine, "c1")
    whole(own_engine, "src")


def test_random_kills(own_engine: EngineProcess) -> None:
    prepared(own_engine)
    random_ = random.Random(4)
    acknowledged: set[str] = set()

    def work() -> None:
        number = 0
        try:
            while True:
                number += 1
                name = f"s{time.monotonic_ns()}"
                if own_engine.request("POST", f"/containers/src/snapshot?name={name}")[0] == 201:
                    acknowledged.add(name)
                own_engine.request("POST", f"/containers/create?snapshot={name}&name=c{name}", {})
                if number % 3 == 0:
                    acknowledged.discard(name)
                    own_engine.request("DELETE", f"/snapshots/{name}")
                # Something new in both, so that the next one has something to freeze.
                own_engine.request("POST", "/containers/src/start")
                own_engine.request("POST", "/containers/src/wait")
        except (OSError, ValueError, http.client.HTTPException):
            return

    for _ in range(ROUNDS):
        worker = threading.Thread(target=work)
        worker.start()
        time.sleep(random_.uniform(0.02, 0.25))
        own_engine.kill()
        worker.join(30)
        own_engine.start()
    known = {one["Name"] for one in own_engine.request("GET", "/snapshots")[1]}
    assert acknowledged <= known
    whole(own_engine, "src")
    for name in sorted(known)[:3]:
        own_engine.request("POST", f"/containers/create?snapshot={name}&name=last{name}", {})
        whole(own_engine, f"last{name}")
    for one in own_engine.request("GET", "/containers/json?all=1")[1]:
        assert own_engine.request("DELETE", f"/containers/{one['Id']}?force=1&v=1")[0] == 204
    own_engine.docker("volume", "prune", "-af")
    own_engine.docker("image", "prune", "-af")
    assert own_engine.request("GET", "/snapshots")[1] == []
    assert [one.name for one in (own_engine.state_dir / "frozen").iterdir()] == [".trash"]
    mounted = Path("/proc/self/mountinfo").read_text()
    assert str(own_engine.state_dir) not in mounted
