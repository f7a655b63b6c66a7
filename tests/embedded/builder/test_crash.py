"""SIGKILL of the engine in the middle of builds, loads and removals: the next one finds a consistent store."""

from __future__ import annotations

import contextlib
import http.client
import random
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.embedded.builder.conftest import tar_of
from tests.embedded.engine_process import EngineProcess
from tests.peers import IMAGE, busybox_archive
from tests.support.rounds import chance, rounds

pytestmark = [pytest.mark.root, pytest.mark.slow]
ROUNDS = rounds(4)
DOCKERFILE = f"FROM {IMAGE}\n" + "".join(
    f"RUN echo {n} > /f{n} && rm -rf /f{n - 1}\nCOPY data /d{n}\n" for n in range(4)
)


@pytest.fixture
def engine() -> Iterator[EngineProcess]:
    process = EngineProcess()
    process.start()
    yield process
    process.close()


def consistent(engine: EngineProcess) -> None:
    """Every image can be inspected and has its layers; nothing else lies about."""
    for _ in range(50):
        trash = list((engine.state_dir / "images" / "trash").iterdir())
        if not trash:
            break
        time.sleep(0.1)
    folders = {path.name for path in (engine.state_dir / "images" / "layers").iterdir()}
    database = sqlite3.connect(engine.state_dir / "engine.db")
    rows = {row[0] for row in database.execute("SELECT folder FROM image_layer")}
    database.close()
    assert folders == rows
    for image in engine.request("GET", "/images/json?all=1")[1]:
        status, shown = engine.request("GET", f"/images/{image['Id']}/json")
        assert status == 200
        for folder in shown["GraphDriver"]["Data"]["UpperDir"].split(":"):
            assert folder.rpartition("/")[2] in folders
    for left in ("images/work", "builder/work"):  # the second is made with the first build
        folder = engine.state_dir / left
        assert not folder.exists() or list(folder.iterdir()) == []


@pytest.mark.parametrize("what", ["build", "load", "remove"])
def test_a_killed_engine_leaves_a_consistent_store(engine: EngineProcess, what: str) -> None:
    context = tar_of({"Dockerfile": DOCKERFILE, "data/a": "x" * 100_000, "data/b": "y" * 500_000})
    moments = chance()
    requests = {
        "build": ("POST", "/build?t=crash&nocache=1", context),
        "load": ("POST", "/images/load", busybox_archive("crash:1", {"Cmd": ["x"]})),
        "remove": ("DELETE", "/images/crash?force=1", None),
    }
    method, path, body = requests[what]
    for _ in range(ROUNDS):
        engine.request("POST", "/images/load", raw=busybox_archive())
        if what == "remove":
            assert engine.request("POST", "/build?t=crash", raw=context)[0] == 200
        failed: list[Exception] = []

        def send(failed: list[Exception] = failed) -> None:
            try:
                engine.request(method, path, raw=body)
            except (OSError, http.client.HTTPException) as error:  # cut off, as wanted
                failed.append(error)
            except ValueError:
                return

        thread = threading.Thread(target=send)
        thread.start()
        time.sleep(moments.random() * (0.35 if what == "build" else 0.05))
        engine.kill()
        thread.join()
        engine.start()
        consistent(engine)
    engine.request("POST", "/images/load", raw=busybox_archive())
    status, answer = engine.request("POST", "/build?t=after", raw=context)
    assert status == 200
    assert b"Successfully tagged after:latest" in answer


def test_a_step_that_a_killed_engine_left_running_is_ended_by_the_next(engine: EngineProcess) -> None:
    marker = f"sleep 31{random.randrange(10_000, 99_999)}"
    engine.request("POST", "/images/load", raw=busybox_archive())
    context = tar_of({"Dockerfile": f"FROM {IMAGE}\nRUN {marker}\n"})

    def send() -> None:
        with contextlib.suppress(OSError, http.client.HTTPException):
            engine.request("POST", "/build?t=x", raw=context)

    thread = threading.Thread(target=send)
    thread.start()
    assert wait_until(lambda: processes(marker))
    engine.kill()
    thread.join()
    engine.start()
    assert wait_until(lambda: not processes(marker))
    assert not list((engine.state_dir / "steps").glob("*"))


def wait_until(condition: Callable[[], object], seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return False


def processes(marker: str) -> list[str]:
    """Processes whose command line is ``marker``."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if file.read_bytes().replace(b"\0", b" ").strip() == marker.encode():
                found.append(str(file))
    return found
