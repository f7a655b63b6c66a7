"""Copying in and out never leaves the container, whatever links it holds and whatever the archive says."""

from __future__ import annotations

import io
import os
import sys
import tarfile
import time
from pathlib import Path
from urllib.parse import quote

import pytest
from tests.embedded.engine_process import EngineProcess
from tests.peers import IMAGE

from stackwright.embedded.lifecycle.rootview import running_root

pytestmark = pytest.mark.root


def archive(*entries: tuple[str, bytes | str]) -> bytes:
    """A tar; bytes are a file's content, text is a symbolic link's target."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, content in entries:
            entry = tarfile.TarInfo(name)
            if isinstance(content, str):
                entry.type, entry.linkname = tarfile.SYMTYPE, content
                tar.addfile(entry)
            else:
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def put(engine: EngineProcess, name: str, path: str, data: bytes) -> tuple[int, object]:
    return engine.request("PUT", f"/containers/{name}/archive?path={quote(path)}", raw=data)


def get(engine: EngineProcess, name: str, path: str) -> bytes:
    status, _, data = engine.exchange("GET", f"/containers/{name}/archive?path={quote(path)}")
    assert status == 200, data
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        member = tar.extractfile(tar.getmembers()[0])
        assert member is not None
        return member.read()


@pytest.fixture(params=["running", "stopped"])
def box(engine: EngineProcess, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    script = f"ln -s / /root-link; ln -s ../../../../../.. /up-link; ln -s {tmp_path} /host-link; sleep 100"
    made = engine.request("POST", "/containers/create", {"Image": IMAGE, "Cmd": ["sh", "-c", script]})[1][
        "Id"
    ]
    engine.request("POST", f"/containers/{made}/start")
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        if engine.exchange("HEAD", f"/containers/{made}/archive?path=/host-link")[0] == 200:
            break
        time.sleep(0.02)
    if request.param == "stopped":
        engine.request("POST", f"/containers/{made}/stop?t=0")
    request.addfinalizer(lambda: engine.request("DELETE", f"/containers/{made}?force=1"))
    return str(made)


def test_links_lead_to_the_containers_own_files(engine: EngineProcess, box: str) -> None:
    for link in ("/root-link", "/up-link", "/up-link/root-link/up-link"):
        assert get(engine, box, f"{link}/etc/passwd").startswith(b"root:x:0:0:root:/root:/bin/sh")
        assert put(engine, box, f"{link}/tmp", archive(("in.txt", link.encode())))[0] == 200
        assert get(engine, box, "/tmp/in.txt") == link.encode()


def test_a_link_to_a_host_folder_is_no_way_there(engine: EngineProcess, box: str, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    assert engine.exchange("GET", f"/containers/{box}/archive?path=/host-link/secret")[0] == 404
    assert put(engine, box, "/host-link", archive(("x", b"x")))[0] == 404
    assert [p.name for p in tmp_path.iterdir()] == ["secret"]


def test_archives_that_climb_out_are_refused(engine: EngineProcess, box: str, tmp_path: Path) -> None:
    target = tmp_path / "escaped"
    climbing = "../" * 12 + str(target).lstrip("/")
    status, shown = put(engine, box, "/tmp", archive((climbing, b"x")))
    assert status in (200, 400), shown  # taken as a path inside, or refused: never outside
    through = archive(("way", str(tmp_path)), ("way/escaped", b"x"))
    put(engine, box, "/tmp", through)
    assert not target.exists()


def test_a_container_that_swaps_links_meanwhile_gains_nothing(engine: EngineProcess, tmp_path: Path) -> None:
    script = (
        "mkdir -p /a/real; while :; do rm -rf /a/x; mkdir /a/x 2>/dev/null; rm -rf /a/x;"
        f" ln -s {tmp_path} /a/x 2>/dev/null; done"
    )
    made = engine.request("POST", "/containers/create", {"Image": IMAGE, "Cmd": ["sh", "-c", script]})[1][
        "Id"
    ]
    engine.request("POST", f"/containers/{made}/start")
    stop = time.monotonic() + 2
    while time.monotonic() < stop:
        put(engine, made, "/a/x", archive(("swapped", b"x")))
        put(engine, made, "/a", archive(("x/swapped", b"x")))
    engine.request("DELETE", f"/containers/{made}?force=1")
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_imported_inside_a_root() -> None:
    seen: list[str] = []

    def work() -> None:
        try:
            import antigravity  # noqa: F401 (any module that is not loaded yet)
        except ImportError as error:
            seen.append(str(error))

    running_root(os.getpid(), work)
    assert seen == ["antigravity may not be imported inside a container's root"]
    assert "antigravity" not in sys.modules
    assert Path.cwd().exists()
