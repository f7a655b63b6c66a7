"""An engine that has nothing to do ends by itself, and what it made on the host is gone with it."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest
from tests.embedded.conftest import load_busybox
from tests.embedded.engine_process import EngineProcess
from tests.peers import IMAGE
from tests.support.leftovers import groups_of

pytestmark = pytest.mark.root


def owned(instance: str, root: Path) -> dict[str, list[str]]:
    """Whatever on this host can be told to be of one engine."""
    groups = [str(path) for path in groups_of(instance)]
    tables = subprocess.run(["nft", "list", "tables"], capture_output=True, text=True, check=False).stdout
    mounts = [line for line in Path("/proc/self/mounts").read_text().splitlines() if str(root) in line]
    processes = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if str(root) in command and "pytest" not in command:
                processes.append(f"{folder.name} {command}")
    found = {
        "cgroups": groups,
        "nft tables": [line for line in tables.splitlines() if instance in line],
        "mounts": mounts,
        "processes": processes,
    }
    return {kind: rows for kind, rows in found.items() if rows}


def test_it_ends_when_idle_and_leaves_nothing() -> None:
    engine = EngineProcess(idle_seconds=1.0)
    try:
        engine.start()
        load_busybox(engine)
        instance = engine.request("GET", "/info")[1]["ID"]
        assert engine.request("POST", "/networks/create", {"Name": "mine"})[0] == 201
        body = {
            "Image": IMAGE, "Cmd": ["sleep", "100"],
            "HostConfig": {"NetworkMode": "mine", "PortBindings": {"80/tcp": [{"HostPort": ""}]},
                           "Binds": ["vol:/v"]},
        }  # fmt: skip
        made = engine.request("POST", "/containers/create", body)[1]["Id"]
        assert engine.request("POST", f"/containers/{made}/start")[0] == 204
        assert owned(instance, engine.root).get("cgroups")
        networks = engine.request("GET", f"/containers/{made}/json")[1]["NetworkSettings"]["Networks"]
        bridge = f"sw{networks['mine']['NetworkID'][:8]}"
        assert (Path("/sys/class/net") / bridge).exists()
        time.sleep(2)
        assert engine.process is not None and engine.process.poll() is None, "it ended with a container up"
        assert engine.request("DELETE", f"/containers/{made}?force=1&v=1")[0] == 204
        assert engine.process.wait(15) == 0
        assert not engine.socket.exists()
        deadline = time.monotonic() + 5
        while owned(instance, engine.root) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert owned(instance, engine.root) == {}
        assert not (Path("/sys/class/net") / bridge).exists()
    finally:
        engine.close()


def test_a_request_under_way_keeps_it_up(tmp_path: Path) -> None:
    engine = EngineProcess(idle_seconds=0.3)
    try:
        engine.start()
        until = int(time.time()) + 3
        begun = time.monotonic()
        assert engine.exchange("GET", f"/events?until={until}")[0] == 200
        assert time.monotonic() - begun > 1.5
        assert engine.process is not None
        assert engine.process.wait(10) == 0
    finally:
        engine.close()


def test_removed_containers_leave_no_files(own_engine: EngineProcess) -> None:
    made = own_engine.request("POST", "/containers/create", {"Image": IMAGE, "Cmd": ["true"]})[1]["Id"]
    own_engine.request("POST", f"/containers/{made}/start")
    own_engine.request("POST", f"/containers/{made}/wait")
    assert own_engine.request("DELETE", f"/containers/{made}")[0] == 204
    assert list((own_engine.state_dir / "containers").iterdir()) == []
