"""SIGKILL at random moments of each of the things an engine does: what was acknowledged stays, nothing else does."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.embedded.api.faults import TAGS, Known, check, clear, settled, working
from tests.embedded.api.test_leftovers import owned
from tests.embedded.api.test_survival import inspect, parent_of, run, state
from tests.embedded.conftest import started, users_engine
from tests.embedded.engine_process import EngineProcess
from tests.embedded.images.conftest import docker_archive, opened, tar_of
from tests.embedded.rootless.ordinary_user import UserEngine
from tests.peers import IMAGE
from tests.support.registry import running_registry
from tests.support.rounds import chance, rounds
from tests.support.waiting import until

pytestmark = [pytest.mark.root, pytest.mark.slow]
ALL = ("pull", "build", "create", "start", "stop", "remove", "load", "network")
MOMENTS: dict[tuple[str, ...], float] = {
    ("pull", "pull"): 0.5,
    ("build", "build"): 0.8,
    ("create", "create"): 0.4,
    ("start", "start"): 0.5,
    ("stop", "stop"): 0.6,
    ("remove", "remove"): 0.6,
    ("load", "load"): 0.5,
    ("network", "network"): 0.5,
    ALL: 1.5,
}
"""What clients do side by side, and the seconds within which the engine is killed."""


@pytest.fixture(params=["root", "user"])
def own_engine(request: pytest.FixtureRequest) -> Iterator[EngineProcess]:
    """An engine for one test alone: root's, and an ordinary user's with control groups of its own."""
    if request.param == "user":
        yield from users_engine(request)
    else:
        yield from started(EngineProcess())


def times(engine: EngineProcess, few: int) -> int:
    """How often; the ordinary user's engine is the same but for what is around it, so that once says the most."""
    return rounds(1 if isinstance(engine, UserEngine) else few)


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A registry with `app:0` to `app:5`, which share a layer."""
    folder = tmp_path_factory.mktemp("registry")
    with running_registry(folder) as address:
        asyncio.run(_publish(address, folder))
        yield address


async def _publish(address: str, folder: Path) -> None:
    shared = tar_of([("shared", os.urandom(400_000))])
    with opened(folder / "store") as store:
        await store.images.start()
        for tag in range(2 * TAGS):
            own = [tar_of([(f"own{tag}-{n}", os.urandom(300_000))]) for n in range(3)]
            await store.load(docker_archive([shared, *own], [f"{address}/app:{tag}"]))
            await store.push(f"{address}/app:{tag}")


@pytest.mark.parametrize("verbs", MOMENTS, ids=lambda verbs: "all" if verbs == ALL else verbs[0])
def test_killed_at_any_moment_of(own_engine: EngineProcess, registry: str, verbs: tuple[str, ...]) -> None:
    longest = MOMENTS[verbs]
    if isinstance(own_engine, UserEngine):  # whose network has a loopback of its own: no registry is there
        verbs = tuple(verb for verb in verbs if verb != "pull")
    if not verbs:
        pytest.skip("pulls are the same for every user, and the test's registry is on root's loopback")
    moments = chance()
    instance = own_engine.request("GET", "/info")[1]["ID"]
    for number in range(times(own_engine, 3)):
        known = Known()
        threads = working(own_engine, known, *verbs, registry=registry)
        time.sleep(moments.uniform(0.01, longest))
        own_engine.kill()
        for thread in threads:
            thread.join()
        own_engine.start()
        check(own_engine, known)
        if number % 4 == 3:
            clear(own_engine)
    assert own_engine.request("POST", "/stackwright/shutdown?force=1")[0] == 200
    assert own_engine.process is not None and own_engine.process.wait(30) == 0
    assert owned(instance, own_engine.root) == {}


def test_monitors_killed_at_any_moment(own_engine: EngineProcess) -> None:
    """A third of the time the engine is killed as well: whoever comes back knows the container has ended."""
    moments = chance()
    for number in range(times(own_engine, 6)):
        name, again = f"m{number}", f"r{number}"
        run(own_engine, name, "sh", "-c", "while :; do echo x; sleep 0.01; done")
        run(own_engine, again, "sleep", "99", RestartPolicy={"Name": "always"})
        pids = {one: state(own_engine, one)["Pid"] for one in (name, again)}
        first_start = inspect(own_engine, again)["State"]["StartedAt"]
        monitors = [parent_of(pid) for pid in pids.values()]
        execs = threading.Thread(target=_exec, args=(own_engine, name))
        execs.start()
        time.sleep(moments.uniform(0, 0.1))
        with_engine = moments.random() < 0.33
        for pid in monitors:
            os.kill(pid, signal.SIGKILL)
        if with_engine:
            time.sleep(moments.uniform(0, 0.02))
            own_engine.kill()
        execs.join()
        if with_engine:
            own_engine.start()
        until(lambda one=name: state(own_engine, one)["Status"] == "exited")
        assert state(own_engine, name)["ExitCode"] == 137
        until(lambda one=again, pid=pids[again]: state(own_engine, one)["Pid"] not in (0, pid))
        assert inspect(own_engine, again)["State"]["StartedAt"] > first_start
        alive = state(own_engine, again)["Pid"]
        settled(lambda pid=alive: _foreign(own_engine, pid))
        for one in (name, again):
            assert own_engine.request("DELETE", f"/containers/{one}?force=1")[0] == 204
    clear(own_engine)


def _exec(engine: EngineProcess, name: str) -> None:
    """Something going on in the container while its monitor dies; how it ends does not matter."""
    try:
        made = engine.request("POST", f"/containers/{name}/exec", {"Cmd": ["true"], "AttachStdout": True})[1]
        engine.request("POST", f"/exec/{made['Id']}/start", {})
    except (OSError, KeyError, TypeError, ValueError, EOFError):
        return
    except Exception as error:  # noqa: BLE001 - http.client has many
        assert "http.client" in type(error).__module__


def _foreign(engine: EngineProcess, pid: int) -> dict[str, object]:
    from tests.embedded.api.faults import processes

    return {"processes": found} if (found := processes(engine) - {pid}) else {}


def test_two_engines_started_at_once_on_one_folder() -> None:
    """One wins and serves; the other says who has the folder, and leaves everything as it is."""
    engine = EngineProcess()
    both: list[subprocess.Popen[bytes]] = []
    try:
        for _ in range(rounds(5)):
            both = [engine.spawn("--socket", f"{engine.socket}{n}") for n in range(2)]
            until(lambda pair=both: any(one.poll() is not None for one in pair), 30)
            loser, winner = sorted(both, key=lambda one: one.poll() is None)
            assert loser.returncode == 3
            assert loser.stderr is not None
            said = loser.stderr.read().decode()
            assert f"another engine (pid {winner.pid}) serves {engine.state_dir}" in said, said
            place = Path(f"{engine.socket}{both.index(winner)}")
            assert f" on {place}" in said
            until(lambda where=place: _answers(where))
            assert not Path(f"{engine.socket}{both.index(loser)}").exists()
            ended(winner)
            loser.stderr.close()
            place.unlink()
    finally:
        for one in both:
            ended(one)
        engine.close()


def ended(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    if process.stderr is not None:
        process.stderr.close()


def _answers(place: Path) -> bool:
    from tests.embedded.engine_process import EngineClient

    try:
        return EngineClient(place.parent, place).request("GET", "/_ping")[0] == 200
    except OSError:
        return False


def test_two_hundred_clients_at_once(own_engine: EngineProcess) -> None:
    """Each makes a container, runs it, reads what it said and removes it."""
    failed: list[str] = []
    gate = threading.Barrier(200)

    def one(number: int) -> None:
        gate.wait()
        try:
            body = {
                "Image": IMAGE,
                "Cmd": ["echo", f"client {number}"],
                "HostConfig": {"NetworkMode": "none"},
            }
            status, made = own_engine.request("POST", "/containers/create", body, timeout=120)
            assert status == 201, made
            key = made["Id"]
            assert own_engine.request("POST", f"/containers/{key}/start", timeout=120)[0] == 204
            assert own_engine.request("POST", f"/containers/{key}/wait", timeout=120)[1] == {"StatusCode": 0}
            said = own_engine.exchange("GET", f"/containers/{key}/logs?stdout=1", timeout=120)[2]
            assert said[8:] == f"client {number}\n".encode(), said
            assert own_engine.request("DELETE", f"/containers/{key}", timeout=120)[0] == 204
        except (AssertionError, OSError, ValueError) as error:
            failed.append(f"{number}: {error!r}")

    threads = [threading.Thread(target=one, args=(number,)) for number in range(200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    clear(own_engine)
