"""Podman's service: found where it listens, started when it was asked for and nobody listens."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.peers import why_no_podman
from tests.support.scripted import scripted

from stackwright.engine import podman_api
from stackwright.engine.client import EngineClient
from stackwright.engine.errors import ApiError, Conflict, ServerFailure

SCRIPT = """
mount -t tmpfs none /run
export CONTAINERS_CONF={folder}/containers.conf CONTAINERS_STORAGE_CONF={folder}/storage.conf HOME={folder}
{stackwright} --engine podman engine status --format json
{stackwright} --engine podman ls --format json
{stackwright} engine status --format json
"""


@pytest.mark.root
def test_podman_is_started_when_asked_for_and_found_afterwards(tmp_path: Path) -> None:
    if reason := why_no_podman():
        pytest.skip(reason)
    (tmp_path / "containers.conf").write_text(
        '[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n'
    )
    (tmp_path / "storage.conf").write_text(
        f'[storage]\ndriver = "vfs"\ngraphroot = "{tmp_path}/data"\nrunroot = "{tmp_path}/run"\n'
    )
    program = Path(sys.executable).with_name("stackwright")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("DOCKER_", "CONTAINER_"))}
    # Mount and process namespaces of its own: nobody else's socket is there, and the service ends with it.
    done = subprocess.run(
        ["unshare", "--mount", "--propagation", "slave", "--net", "--pid", "--fork", "--kill-child", "--mount-proc",
         "sh", "-ec", SCRIPT.format(folder=tmp_path, stackwright=program)],
        env=kept, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    before, listed, after = (json.loads(line) for line in done.stdout.splitlines())
    assert (before["engine"], before["running"]) == ("podman", False)
    assert listed == []
    assert (after["engine"], after["running"]) == ("podman", True)
    assert after["reason"] == (
        "no Docker Engine answers on this machine, and Podman answers at /run/podman/podman.sock"
    )


@pytest.mark.root
def test_without_podman_the_message_says_what_to_do(tmp_path: Path) -> None:
    environ = {
        "PATH": str(tmp_path), "HOME": str(tmp_path), "CONTAINER_HOST": f"unix://{tmp_path}/podman.sock",
    }  # fmt: skip
    program = Path(sys.executable).with_name("stackwright")
    done = subprocess.run(
        [program, "--engine", "podman", "ls"], env=environ, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert "(CONTAINER_HOST is set)" in done.stderr
    assert "Podman is not installed here" in done.stderr


def test_events_are_asked_for_and_told_by_dockers_names() -> None:
    filters = {"event": ["start", "die", "destroy"], "label": ["a=b"]}
    assert podman_api.event_filters(filters) == {**filters, "event": ["start", "died", "remove"]}
    told = podman_api.event({"Type": "container", "Action": "remove", "status": "remove", "id": "x"})
    assert (told["Action"], told["status"]) == ("destroy", "destroy")


def test_times_are_whole_seconds_that_leave_nothing_out() -> None:
    now = time.time()
    begin, end = podman_api.event_times(now, now)
    assert begin is not None
    assert end is not None
    assert int(begin) <= now <= int(end)


def test_signals_have_names() -> None:
    assert podman_api.inspected({"Config": {"StopSignal": "15"}})["Config"]["StopSignal"] == "SIGTERM"
    assert podman_api.inspected({"Config": {"StopSignal": "SIGUSR1"}})["Config"]["StopSignal"] == "SIGUSR1"


def test_a_networks_name_does_not_pass_for_its_id() -> None:
    listed = podman_api.listed(
        [{"NetworkSettings": {"Networks": {"a": {"NetworkID": "a"}, "b": {"NetworkID": "1f"}}}}]
    )
    networks = listed[0]["NetworkSettings"]["Networks"]
    assert (networks["a"]["NetworkID"], networks["b"]["NetworkID"]) == ("", "1f")


def test_a_stop_waits_unless_somebody_says_otherwise() -> None:
    assert podman_api.to_create({"Image": "x"})["StopTimeout"] == 10
    assert podman_api.to_create({"StopTimeout": 0})["StopTimeout"] == 0


def test_a_network_in_use_is_a_conflict() -> None:
    assert isinstance(podman_api.failure(ServerFailure(500, '"x": network is being used')), Conflict)


def test_lines_of_top_have_columns() -> None:
    answer = {"Titles": ["PID   USER  COMMAND"], "Processes": [["1 root  sleep 100"]]}
    assert podman_api.top(answer) == {
        "Titles": ["PID", "USER", "COMMAND"], "Processes": [["1", "root", "sleep 100"]],
    }  # fmt: skip


def test_a_name_that_is_taken_is_a_conflict() -> None:
    taken = ServerFailure(500, 'the container name "x" is already in use by 123')
    assert isinstance(podman_api.failure(taken), Conflict)
    other = ServerFailure(500, "no space left")
    assert podman_api.failure(other) is other
    assert isinstance(other, ApiError)


async def test_a_container_that_ends_while_podman_looks_is_looked_at_again(tmp_path: Path) -> None:
    ping = b"HTTP/1.1 200 OK\r\nLibpod-Api-Version: 4.3.1\r\nApi-Version: 1.41\r\nContent-Length: 2\r\n\r\nOK"
    said = b'{"message": "read /proc/18989/cgroup: no such process"}'
    failure = b"HTTP/1.1 500 Error\r\nContent-Length: %d\r\n\r\n%s" % (len(said), said)
    state = b'{"Id": "x", "State": {"Status": "exited"}}'
    found = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(state), state)
    async with scripted(tmp_path / "s", ping, failure, found, failure, failure) as (transport, _):
        client = EngineClient(transport.address)
        await client.connect()
        assert (await client.inspect_container("x"))["State"]["Status"] == "exited"
        with pytest.raises(ServerFailure):
            await client.inspect_container("x")
        client.close()


def test_a_range_of_host_ports_is_one_free_port_of_it() -> None:
    def asked(text: str) -> dict[str, object]:
        return {"HostConfig": {"PortBindings": {"80/tcp": [{"HostIp": "", "HostPort": text}]}}}

    def given(config: dict[str, object]) -> str:
        return str(config["HostConfig"]["PortBindings"]["80/tcp"][0]["HostPort"])  # type: ignore[index]

    taken = podman_api.published([{"Ports": [{"PublicPort": 8000, "Type": "tcp"}, {"PrivatePort": 1}]}])
    assert podman_api.has_ranges(asked("8000-8002"))
    assert not podman_api.has_ranges(asked("8000"))
    assert [given(podman_api.single_ports(asked("8000-8002"), taken)) for _ in range(3)] == [
        "8001",
        "8002",
        "8000-8002",
    ]
    assert given(podman_api.single_ports(asked("8000"), taken)) == "8000"
    assert podman_api.single_ports({}, taken) == {}
