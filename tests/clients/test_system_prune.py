"""After `docker system prune -af --volumes` the engine is as good as new."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.embedded.engine_process import EngineProcess
from tests.embedded.rootless.ordinary_user import UserEngine
from tests.peers import IMAGE, busybox_archive
from tests.support.waiting import until

pytestmark = pytest.mark.root
# An engine's own, some of it made when first needed.
_OWN = {
    "engine.log", "engine.db", "engine.db-wal", "engine.db-shm",
    "builder", "builder/cache", "builder/work", "containers", "steps",
}  # fmt: skip


@pytest.fixture(params=["embedded", "user"])
def fresh(request: pytest.FixtureRequest) -> Iterator[EngineProcess]:
    """An engine that nobody has used."""
    if shutil.which("docker") is None:
        pytest.skip("the docker client is not installed")
    if request.param == "user":
        request.getfixturevalue("tun")
        process: EngineProcess = UserEngine(request.getfixturevalue("account"))
    else:
        process = EngineProcess()
    try:
        process.start()
        yield process
    finally:
        process.close()


def listed(engine: EngineProcess) -> dict[str, object]:
    """What the API shows, without what changes from moment to moment."""
    return {
        "containers": engine.request("GET", "/containers/json?all=1")[1],
        "images": engine.request("GET", "/images/json?all=1")[1],
        "volumes": engine.request("GET", "/volumes")[1]["Volumes"] or [],
        "networks": sorted(one["Name"] for one in engine.request("GET", "/networks")[1]),
        "usage": {
            key: value or 0
            for key, value in engine.request("GET", "/system/df")[1].items()
            if isinstance(value, int | list | None)
        },
    }


def stored(engine: EngineProcess) -> set[str]:
    """Files and folders in the state folder, and the rows of each table that has any."""
    files = {str(path.relative_to(engine.state_dir)) for path in engine.state_dir.rglob("*")}
    database = sqlite3.connect(f"file:{engine.state_dir}/engine.db?mode=ro", uri=True)
    try:
        tables = [row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        counts = {name: database.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in tables}
    finally:
        database.close()
    rows = {f"{name}: {count} rows" for name, count in counts.items() if count and name != "migrations"}
    return files - _OWN | rows


def mounts() -> set[str]:
    """Everything mounted on the host."""
    return {line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()}


def use(engine: EngineProcess, folder: Path) -> None:
    """A bit of everything, left running, stopped, and lying about."""
    status, answer = engine.request("POST", "/images/load?quiet=1", raw=busybox_archive())
    assert status == 200, answer
    (folder / "Dockerfile").write_text(f"FROM {IMAGE}\nRUN echo 1 > /one\nRUN echo 2 > /two\nVOLUME /data\n")
    engine.docker("build", "-t", "made:1", str(folder))
    (folder / "Dockerfile").write_text(f"FROM {IMAGE}\nRUN echo 1 > /one\nRUN echo 3 > /two\n")
    engine.docker("build", "-t", "made:1", str(folder))
    engine.docker("network", "create", "between")
    engine.docker("volume", "create", "kept")
    engine.docker(
        "run", "-d", "--name", "stopped", "--network", "between", "-p", "80", "made:1", "sleep", "100"
    )
    engine.docker("exec", "stopped", "touch", "/written")
    engine.docker("commit", "stopped", "made:2")
    engine.docker("stop", "-t", "0", "stopped")
    engine.docker("run", "-v", "kept:/v", "-v", "/anonymous", IMAGE, "touch", "/v/file")
    engine.docker("create", IMAGE, "true")
    for path in ("/containers/stopped/snapshot?name=frozen", "/containers/create?snapshot=frozen&name=copy"):
        status, answer = engine.request("POST", path, {})
        assert status == 201, answer


def test_system_prune_leaves_a_new_engine(fresh: EngineProcess, tmp_path: Path) -> None:
    before = listed(fresh), stored(fresh)
    use(fresh, tmp_path)
    said = fresh.docker("system", "prune", "-af", "--volumes").stdout
    assert "Total reclaimed space" in said
    # A volume with a name is kept by `--volumes`, as by Docker since version 23; it takes a word more.
    assert fresh.docker("volume", "ls", "-q").stdout == "kept\n"
    fresh.docker("volume", "prune", "-af")
    assert listed(fresh) == before[0]
    until(
        lambda: stored(fresh) == before[1], 10
    )  # the kernel takes its bridge away a moment after the answer
    assert stored(fresh) == before[1]


def test_no_mount_and_no_network_is_left(fresh: EngineProcess, tmp_path: Path) -> None:
    use(fresh, tmp_path)
    fresh.docker("system", "prune", "-af", "--volumes")
    assert {one for one in mounts() if one.startswith(str(fresh.root))} == set()
    assert fresh.docker("network", "ls", "-q", "--filter", "type=custom").stdout == ""


def test_what_is_in_use_stays(fresh: EngineProcess, tmp_path: Path) -> None:
    use(fresh, tmp_path)
    fresh.docker(
        "run", "-d", "--name", "up", "--network", "between", "-v", "kept:/v", "made:1", "sleep", "100"
    )
    fresh.docker("system", "prune", "-af", "--volumes")
    assert fresh.docker("ps", "-a", "--format", "{{.Names}}").stdout == "up\n"
    assert fresh.docker("images", "--format", "{{.Repository}}:{{.Tag}}").stdout == "made:1\n"
    assert fresh.docker("exec", "up", "cat", "/one", "/two").stdout == "1\n3\n"
    assert fresh.docker("exec", "up", "ls", "/v").stdout == "file\n"
    assert fresh.docker("network", "ls", "-q", "--filter", "name=between").stdout
