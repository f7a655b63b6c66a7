"""Power loss at a random moment: the state folder as it lay on the disk, and an engine that has to live with it.

Everything that writes is stopped for the moment of the copy, since a disk is never seen at two moments at once.
Then the world ends, the copy takes the folder's place, and a new engine starts on it.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from tests.embedded.api.faults import Known, check, clear, working
from tests.embedded.conftest import load_busybox
from tests.embedded.engine_process import EngineProcess
from tests.support.rounds import chance, rounds

pytestmark = [pytest.mark.root, pytest.mark.slow]
WORK = ("build", "create", "start", "stop", "remove", "load", "network")


def descendants(pid: int) -> list[int]:
    """A process and all below it, parents first."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = task.read_text().split()
        except OSError:
            continue
        for child in children:
            found += descendants(int(child))
    return found


def copy_frozen(engine: EngineProcess, known: Known, target: Path) -> Known:
    """Copy the state folder while nothing of the engine moves; what was acknowledged by then."""
    stopped: list[int] = []
    try:
        while fresh := [pid for pid in descendants(engine.pid) if pid not in stopped]:
            for pid in fresh:
                stopped.append(pid)
                try:
                    os.kill(pid, signal.SIGSTOP)
                except ProcessLookupError:
                    continue
        time.sleep(0.02)  # a signal takes effect when the process comes back from the kernel
        acknowledged = known.copy()
        subprocess.run(["cp", "-a", str(engine.state_dir), str(target)], check=True)
        return acknowledged
    finally:
        for pid in reversed(stopped):
            try:
                os.kill(pid, signal.SIGCONT)
            except ProcessLookupError:
                continue


def lose_power(engine: EngineProcess, seconds: float) -> Known:
    """Work for so long, then nothing but the disk is left; what was acknowledged by then."""
    known = Known()
    threads = working(engine, known, *WORK)
    time.sleep(seconds)
    copy = engine.root / "copy"
    acknowledged = copy_frozen(engine, known, copy)
    engine.kill()
    for thread in threads:
        thread.join()
    engine.start()  # ends what ran: it would not be there after a power loss
    assert engine.request("POST", "/stackwright/shutdown?force=1")[0] == 200
    assert engine.process is not None and engine.process.wait(60) == 0
    shutil.rmtree(engine.state_dir)
    copy.rename(engine.state_dir)
    return acknowledged


def test_nothing_acknowledged_is_lost(own_engine: EngineProcess) -> None:
    moments = chance()
    for number in range(rounds(3)):
        acknowledged = lose_power(own_engine, moments.uniform(0.05, 1.5))
        own_engine.start()
        check(own_engine, acknowledged, power_loss=True)
        if number % 3 == 2:
            clear(own_engine)
    clear(own_engine)


def test_a_torn_log_of_the_database_costs_the_last_changes_and_no_more(own_engine: EngineProcess) -> None:
    """What the disk had not written yet: the end of the database's log. Older than the files, but of one piece."""
    moments = chance()
    for _ in range(rounds(3)):
        lose_power(own_engine, moments.uniform(0.3, 1.5))
        log = own_engine.state_dir / "engine.db-wal"
        size = log.stat().st_size
        os.truncate(log, moments.randrange(max(0, size - 200_000), size + 1))
        own_engine.start()
        load_busybox(own_engine)
        check(own_engine, Known(), power_loss=True)
        for image in own_engine.request("GET", "/images/json?all=1")[1]:
            body = {"Image": image["Id"], "Cmd": ["true"], "HostConfig": {"NetworkMode": "none"}}
            made = own_engine.request("POST", "/containers/create", body)[1]["Id"]
            assert own_engine.request("POST", f"/containers/{made}/start")[0] == 204, image
        clear(own_engine)
