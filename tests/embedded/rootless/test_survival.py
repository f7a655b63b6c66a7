"""Engine and keeper come and go; containers and their namespaces stay, until nobody needs them."""

from __future__ import annotations

import http.client
import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from tests.embedded.conftest import started
from tests.embedded.rootless.ordinary_user import Account, UserEngine, delegated_groups, why_not
from tests.peers import IMAGE

pytestmark = pytest.mark.root


@pytest.fixture(scope="module")
def account() -> Iterator[Account]:
    """A user who has no other engines: what runs as this user is counted here."""
    if (reason := why_not()) is not None:
        pytest.skip(reason)
    made = Account()
    yield made
    made.remove()


def serve(engine: UserEngine) -> int:
    engine.docker("network", "create", "front")
    script = "mkdir -p /www; echo hello > /www/index.html; exec httpd -f -p 80 -h /www"
    engine.docker("run", "-d", "--name", "web", "--network", "front", "-p", "80", IMAGE, "sh", "-c", script)
    port = int(engine.docker("port", "web", "80/tcp").stdout.splitlines()[0].rpartition(":")[2])
    for _ in range(50):  # the server may take a moment
        with suppress(OSError):
            if fetch(port) == "hello\n":
                break
        time.sleep(0.05)
    return port


def fetch(port: int) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", "/")
    return connection.getresponse().read().decode()


def namespace(engine: UserEngine) -> Path:
    """The network that the engine's bridges are in."""
    return Path(f"/proc/{engine.pid}/ns/net").readlink()


def ask_by_name(engine: UserEngine) -> str:
    return engine.docker(
        "run", "--rm", "--network", "front", IMAGE, "wget", "-q", "-O", "-", "http://web/"
    ).stdout


def test_a_killed_engine_is_followed_by_one_that_joins_the_same_namespaces(own_engine: UserEngine) -> None:
    port = serve(own_engine)
    before = own_engine.docker("inspect", "-f", "{{.State.Pid}}", "web").stdout
    network = namespace(own_engine)
    own_engine.kill()
    assert fetch(port) == "hello\n"
    own_engine.start()
    assert namespace(own_engine) == network
    assert own_engine.docker("inspect", "-f", "{{.State.Pid}}", "web").stdout == before
    assert own_engine.docker("exec", "web", "echo", "in").stdout == "in\n"
    assert ask_by_name(own_engine) == "hello\n"


def test_a_killed_keeper_is_replaced_by_the_next_engine(own_engine: UserEngine) -> None:
    port = serve(own_engine)
    network = namespace(own_engine)
    os.kill(own_engine.keeper(), signal.SIGKILL)
    own_engine.kill()
    assert fetch(port) == "hello\n"
    own_engine.start()
    assert namespace(own_engine) == network
    assert ask_by_name(own_engine) == "hello\n"
    again = own_engine.docker("run", "-d", "-p", "80", IMAGE, "sleep", "60").stdout.strip()
    assert own_engine.docker("port", again).stdout


def test_without_its_keeper_an_engine_says_what_to_do(own_engine: UserEngine) -> None:
    os.kill(own_engine.keeper(), signal.SIGKILL)
    failed = own_engine.docker("run", "--rm", "-p", "80", IMAGE, "true", check=False)
    assert "start the engine again" in failed.stderr
    own_engine.terminate()
    own_engine.start()
    own_engine.docker("run", "--rm", "-p", "80", IMAGE, "true")


def test_nothing_is_left_when_engine_and_containers_have_ended(own_engine: UserEngine) -> None:
    serve(own_engine)
    own_engine.request("POST", "/stackwright/shutdown?force=1")
    assert own_engine.process is not None
    assert own_engine.process.wait(30) == 0
    assert own_engine.account.wait_until_gone() == []
    assert [path.name for path in (own_engine.state_dir / "rootless").iterdir()] == ["lock"]


def test_the_keeper_ends_with_the_last_container_of_an_engine_that_was_killed(own_engine: UserEngine) -> None:
    own_engine.docker("run", "-d", IMAGE, "sleep", "3")
    own_engine.kill()
    assert own_engine.keeper()
    assert own_engine.account.wait_until_gone() == []


def test_two_engines_at_once_make_one_set_of_namespaces(own_engine: UserEngine) -> None:
    other = own_engine.spawn()
    assert other.wait(30) == 3
    assert other.stderr is not None
    assert b"another engine" in other.stderr.read()
    other.stderr.close()
    assert own_engine.keeper()


def test_delegated_control_groups_are_used(account: Account, tun: None) -> None:
    with delegated_groups(account) as groups:
        for engine in started(UserEngine(account, cgroups=groups)):
            engine.docker(
                "run", "-d", "--name", "cc", "-m", "32m", "--pids-limit", "20", IMAGE, "sleep", "60"
            )
            engine.docker("pause", "cc")
            assert engine.docker("inspect", "-f", "{{.State.Status}}", "cc").stdout == "paused\n"
            engine.docker("unpause", "cc")
            assert "sleep" in engine.docker("top", "cc").stdout
            forks = "for i in $(seq 40); do sleep 5 & done"
            assert "can't fork" in engine.docker("exec", "cc", "sh", "-c", forks, check=False).stderr
            shown = engine.docker("stats", "--no-stream", "--format", "{{.MemUsage}}", "cc").stdout
            assert shown.strip().endswith("32MiB")
            assert "cannot be paused" not in engine.words()
