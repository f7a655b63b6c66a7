"""The engine may be killed at any moment: containers go on, and the next engine knows what happened meanwhile."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import threading
import time
from contextlib import closing, suppress
from http.client import HTTPException
from pathlib import Path
from typing import Any

import pytest
from tests.embedded.builder.conftest import tar_of
from tests.embedded.engine_process import EngineClient, EngineProcess
from tests.peers import IMAGE
from tests.support.waiting import until

pytestmark = pytest.mark.root


def run(engine: EngineClient, name: str, *command: str, **host: Any) -> str:
    """Create and start a container; returns its id."""
    config = host.pop("config", {})
    body = {"Image": IMAGE, "Cmd": list(command), "HostConfig": host, **config}
    status, made = engine.request("POST", f"/containers/create?name={name}", body)
    assert status == 201, made
    status, answer = engine.request("POST", f"/containers/{name}/start")
    assert status == 204, answer
    return str(made["Id"])


def inspect(engine: EngineClient, name: str) -> dict[str, Any]:
    status, shown = engine.request("GET", f"/containers/{name}/json")
    assert status == 200, shown
    return dict(shown)


def state(engine: EngineClient, name: str) -> dict[str, Any]:
    return dict(inspect(engine, name)["State"])


def logs(engine: EngineClient, name: str) -> str:
    data = engine.exchange("GET", f"/containers/{name}/logs?stdout=1&stderr=1")[2]
    text = b""
    while data:
        length = int.from_bytes(data[4:8], "big")
        text += data[8 : 8 + length]
        data = data[8 + length :]
    return text.decode()


def parent_of(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("PPid:"))


def is_alive(pid: int) -> bool:
    """Zombies do not count: where process 1 of the host does not reap, they stay."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_container_that_only_the_database_knows_of_was_removed(own_engine: EngineProcess) -> None:
    """As a power loss leaves it that comes between the removal and the moment when the disk has the database's log."""
    key = run(own_engine, "gone", "true")
    assert own_engine.request("POST", f"/containers/{key}/wait")[0] == 200
    own_engine.kill()
    shutil.rmtree(own_engine.state_dir / "containers" / key)
    own_engine.start()
    assert own_engine.request("GET", "/containers/json?all=1")[1] == []
    run(own_engine, "gone", "true")


def test_a_running_container_is_adopted_with_its_pid_and_no_log_line_lost(own_engine: EngineProcess) -> None:
    run(own_engine, "counter", "sh", "-c", "i=0; while :; do i=$((i+1)); echo $i; sleep 0.01; done")
    before = state(own_engine, "counter")
    own_engine.kill()
    time.sleep(0.5)
    own_engine.start()
    after = state(own_engine, "counter")
    assert (after["Status"], after["Pid"]) == ("running", before["Pid"])
    assert after["StartedAt"] == before["StartedAt"]
    numbers = [int(line) for line in logs(own_engine, "counter").split()]
    assert numbers == list(range(1, len(numbers) + 1)) and len(numbers) > 30
    assert own_engine.request("POST", "/containers/counter/stop?t=0")[0] == 204
    assert state(own_engine, "counter")["ExitCode"] == 137


def test_an_end_that_happened_meanwhile_is_known_with_code_and_time(own_engine: EngineProcess) -> None:
    run(own_engine, "brief", "sh", "-c", "sleep 0.4; echo last words; exit 6")
    own_engine.kill()
    time.sleep(1)
    own_engine.start()
    shown = state(own_engine, "brief")
    assert (shown["Status"], shown["ExitCode"], shown["Error"]) == ("exited", 6, "")
    assert shown["FinishedAt"] > shown["StartedAt"]
    assert logs(own_engine, "brief") == "last words\n"


def test_a_restart_policy_is_made_up_for(own_engine: EngineProcess) -> None:
    run(own_engine, "again", "sh", "-c", "sleep 0.3; exit 1", RestartPolicy={"Name": "always"})
    own_engine.kill()
    time.sleep(0.8)
    own_engine.start()
    until(lambda: inspect(own_engine, "again")["RestartCount"] >= 1)


def test_auto_remove_is_made_up_for(own_engine: EngineProcess) -> None:
    run(own_engine, "gone", "sleep", "0.3", AutoRemove=True)
    own_engine.kill()
    time.sleep(0.8)
    own_engine.start()
    until(lambda: own_engine.request("GET", "/containers/gone/json")[0] == 404)


def test_requests_through_a_published_port_go_on_while_the_engine_is_dead(own_engine: EngineProcess) -> None:
    run(
        own_engine, "web", "httpd", "-f", "-p", "80", "-h", "/etc",
        PortBindings={"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": ""}]},
    )  # fmt: skip
    port = inspect(own_engine, "web")["NetworkSettings"]["Ports"]["80/tcp"][0]["HostPort"]
    failures: list[str] = []
    stop = threading.Event()

    def ask() -> None:
        import urllib.request

        while not stop.is_set():
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/passwd", timeout=5) as answer:
                    answer.read()
            except OSError as error:
                failures.append(str(error))

    thread = threading.Thread(target=ask)
    thread.start()
    time.sleep(0.3)
    own_engine.kill()
    time.sleep(0.5)
    own_engine.start()
    time.sleep(0.5)
    stop.set()
    thread.join()
    assert failures == []
    ports = inspect(own_engine, "web")["NetworkSettings"]["Ports"]
    assert ports["80/tcp"] == [{"HostIp": "127.0.0.1", "HostPort": port}]


def test_a_healthcheck_goes_on_after_the_engine_is_back(own_engine: EngineProcess) -> None:
    check = {"Test": ["CMD", "test", "-e", "/tmp/ok"], "Interval": 300_000_000, "Retries": 2}
    run(
        own_engine, "patient", "sh", "-c", "touch /tmp/ok; sleep 2; rm /tmp/ok; sleep 100",
        config={"Healthcheck": check},
    )  # fmt: skip
    until(lambda: state(own_engine, "patient")["Health"]["Status"] == "healthy")
    own_engine.kill()
    own_engine.start()
    assert state(own_engine, "patient")["Health"]["Status"] == "healthy"
    until(lambda: state(own_engine, "patient")["Health"]["Status"] == "unhealthy")


def test_names_on_a_network_resolve_after_the_engine_is_back(own_engine: EngineProcess) -> None:
    assert own_engine.request("POST", "/networks/create", {"Name": "shared"})[0] == 201
    run(own_engine, "alpha", "sleep", "100", NetworkMode="shared")
    own_engine.kill()
    own_engine.start()
    run(own_engine, "beta", "ping", "-c1", "-W2", "alpha", NetworkMode="shared")
    assert own_engine.request("POST", "/containers/beta/wait")[1] == {"StatusCode": 0}
    run(own_engine, "gamma", "sleep", "100", NetworkMode="shared")
    status, made = own_engine.request(
        "POST", "/containers/alpha/exec", {"Cmd": ["ping", "-c1", "-W2", "gamma"]}
    )
    assert status == 201
    own_engine.request("POST", f"/exec/{made['Id']}/start", {"Detach": True})
    until(lambda: own_engine.request("GET", f"/exec/{made['Id']}/json")[1]["ExitCode"] == 0)


def test_sigkill_of_process_1_restarts_it_by_policy(own_engine: EngineProcess) -> None:
    run(own_engine, "lively", "sleep", "100", RestartPolicy={"Name": "unless-stopped"})
    first = state(own_engine, "lively")["Pid"]
    os.kill(first, signal.SIGKILL)
    until(lambda: state(own_engine, "lively")["Pid"] not in (0, first))
    assert inspect(own_engine, "lively")["RestartCount"] == 1


def test_a_killed_monitor_takes_its_container_along_and_the_engine_says_so(own_engine: EngineProcess) -> None:
    run(own_engine, "orphan", "sleep", "100")
    pid = state(own_engine, "orphan")["Pid"]
    monitor = parent_of(pid)
    os.kill(monitor, signal.SIGKILL)
    until(lambda: state(own_engine, "orphan")["Status"] == "exited")
    shown = state(own_engine, "orphan")
    assert shown["ExitCode"] == 137
    assert not is_alive(pid)


def test_sigterm_leaves_containers_running_for_the_next_engine(own_engine: EngineProcess) -> None:
    run(own_engine, "stays", "sleep", "100")
    pid = state(own_engine, "stays")["Pid"]
    assert own_engine.terminate() == 0
    assert not own_engine.socket.exists()
    own_engine.start()
    assert state(own_engine, "stays")["Pid"] == pid


def test_shutdown_stops_containers_first(own_engine: EngineProcess) -> None:
    run(own_engine, "ends", "sh", "-c", "trap 'echo bye; exit 0' TERM; while :; do sleep 0.05; done")
    time.sleep(0.2)
    assert own_engine.request("POST", "/stackwright/shutdown")[0] == 200
    assert own_engine.process is not None and own_engine.process.wait(30) == 0
    own_engine.start()
    assert state(own_engine, "ends")["ExitCode"] == 0
    assert logs(own_engine, "ends") == "bye\n"


def test_a_second_engine_on_the_same_state_folder_says_who_has_it(own_engine: EngineProcess) -> None:
    second = own_engine.spawn("--socket", f"{own_engine.socket}2")
    _, said = second.communicate(timeout=30)
    assert second.returncode == 3
    assert f"another engine (pid {own_engine.pid}) serves" in said.decode()
    assert own_engine.request("GET", "/_ping")[0] == 200


def test_paused_stays_paused(own_engine: EngineProcess) -> None:
    run(own_engine, "frozen", "sleep", "100")
    assert own_engine.request("POST", "/containers/frozen/pause")[0] == 204
    own_engine.kill()
    own_engine.start()
    assert state(own_engine, "frozen")["Status"] == "paused"
    assert own_engine.request("POST", "/containers/frozen/unpause")[0] == 204
    assert state(own_engine, "frozen")["Status"] == "running"


def test_killed_while_creating_and_starting_it_comes_back_consistent(own_engine: EngineProcess) -> None:
    """Some requests are acknowledged, the rest not: what was acknowledged is there, and nothing else runs."""
    made: list[str] = []
    started: list[str] = []

    def churn() -> None:
        try:
            while True:
                status, answer = own_engine.request(
                    "POST", "/containers/create", {"Image": IMAGE, "Cmd": ["sleep", "99"]}
                )
                assert status == 201
                made.append(answer["Id"])
                assert own_engine.request("POST", f"/containers/{answer['Id']}/start")[0] == 204
                started.append(answer["Id"])
        except (OSError, EOFError, ValueError, AssertionError, HTTPException):
            return

    threads = [threading.Thread(target=churn) for _ in range(3)]
    for thread in threads:
        thread.start()
    time.sleep(0.6)
    own_engine.kill()
    for thread in threads:
        thread.join()
    own_engine.start()
    listed = {c["Id"]: c["State"] for c in own_engine.request("GET", "/containers/json?all=1")[1]}
    assert set(made) <= set(listed)
    assert all(listed[key] == "running" for key in started)
    pids = {state(own_engine, key)["Pid"] for key, value in listed.items() if value == "running"}
    instance = own_engine.request("GET", "/info")[1]["ID"]
    found = subprocess.run(["find", "/sys/fs/cgroup", "-path", f"*stackwright/{instance}/*", "-name", "cgroup.procs"],
                           capture_output=True, text=True, check=False).stdout.split()  # fmt: skip
    alive = {int(line) for file in found for line in Path(file).read_text().split()}
    assert alive == pids
    for key in listed:
        assert own_engine.request("DELETE", f"/containers/{key}?force=1")[0] == 204
    assert json.dumps(own_engine.request("GET", "/containers/json?all=1")[1]) == "[]"


def test_an_anonymous_volume_of_a_creation_cut_off_is_gone(own_engine: EngineProcess) -> None:
    """Named ones stay, as Docker has it, and so do those that a container has or that a client asked for."""
    many = [f"RUN mkdir -p /data/{n} && seq 3000 | (cd /data/{n} && xargs touch)" for n in range(3)]
    text = "\n".join([f"FROM {IMAGE}", *many])
    context = tar_of({"Dockerfile": text})
    assert b"Successfully tagged" in own_engine.request("POST", "/build?t=many", raw=context)[1]
    run(own_engine, "owner", "sleep", "99", Binds=["/small"])
    kept = {
        inspect(own_engine, "owner")["Mounts"][0]["Name"],
        own_engine.request("POST", "/volumes/create", {})[1]["Name"],
        "named",
    }

    def create() -> None:
        body = {"Image": "many", "HostConfig": {"Binds": ["named:/named", "/empty", "/data"]}}
        with suppress(OSError, HTTPException):
            own_engine.request("POST", "/containers/create?name=cut-off", body)

    creating = threading.Thread(target=create)
    creating.start()
    until(lambda: any((own_engine.state_dir / "volumes").glob("*/filling")))
    own_engine.kill()
    creating.join()
    assert len(list((own_engine.state_dir / "volumes").iterdir())) == len(kept) + 2
    own_engine.start()
    assert {one["Name"] for one in own_engine.request("GET", "/volumes")[1]["Volumes"]} == kept
    assert {path.name for path in (own_engine.state_dir / "volumes").iterdir()} == kept
    assert own_engine.request("GET", "/containers/cut-off/json")[0] == 404
    # What the container had stays when it goes, also after another engine's start.
    own_engine.kill()
    own_engine.start()
    assert own_engine.request("DELETE", "/containers/owner?force=1")[0] == 204
    own_engine.kill()
    own_engine.start()
    assert {one["Name"] for one in own_engine.request("GET", "/volumes")[1]["Volumes"]} == kept


def test_a_removal_with_its_volumes_is_brought_to_its_end(own_engine: EngineProcess) -> None:
    run(own_engine, "first", "true", Binds=["/own", "named:/named"])
    volume = next(one["Name"] for one in inspect(own_engine, "first")["Mounts"] if one["Name"] != "named")
    run(own_engine, "second", "true", VolumesFrom=["first"])
    (own_engine.state_dir / "volumes" / volume / "_data" / "file").write_text("x")
    own_engine.kill()
    with closing(sqlite3.connect(own_engine.state_dir / "engine.db")) as database, database:
        # As a kill leaves it that comes between the first step and the last.
        database.execute(
            "UPDATE volumes SET data = json_set(data, '$.pending', json('true')) WHERE name = ?", [volume]
        )
        database.execute(
            "UPDATE containers SET data = json_set(data, '$.status', 'removing') WHERE name = 'first'"
        )
    own_engine.start()
    assert own_engine.request("GET", "/containers/first/json")[0] == 404
    assert own_engine.request("GET", f"/volumes/{volume}")[0] == 200, "another container has it"
    with closing(sqlite3.connect(own_engine.state_dir / "engine.db")) as database, database:
        database.execute(
            "UPDATE volumes SET data = json_set(data, '$.pending', json('true')) WHERE name = ?", [volume]
        )
        database.execute(
            "UPDATE containers SET data = json_set(data, '$.status', 'removing') WHERE name = 'second'"
        )
    own_engine.kill()
    own_engine.start()
    assert [one["Name"] for one in own_engine.request("GET", "/volumes")[1]["Volumes"]] == ["named"]
    assert [path.name for path in (own_engine.state_dir / "volumes").iterdir()] == ["named"]
