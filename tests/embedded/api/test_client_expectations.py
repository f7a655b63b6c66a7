"""Leaving a terminal by keys; WebSocket attach; expectations that docker-py's own tests revealed."""

from __future__ import annotations

import asyncio
import io
import os
import pty
import subprocess
import tarfile
import time
from collections.abc import Iterator

import aiohttp
import docker
import pytest
from docker import DockerClient
from docker.errors import APIError, ImageLoadError
from tests.embedded.engine_process import EngineClient, ours_only
from tests.peers import IMAGE

from stackwright.embedded.api.detach import DetachKeys, parse_keys
from stackwright.embedded.errors import BadParameter

pytestmark = pytest.mark.as_user


@pytest.mark.parametrize(
    ("text", "keys"), [("", b"\x10\x11"), ("ctrl-x", b"\x18"), ("ctrl-@,q", b"\0q"), ("ctrl-\\", b"\x1c")]
)
def test_keys_are_written_as_docker_does(text: str, keys: bytes) -> None:
    assert parse_keys(text) == keys


@pytest.mark.parametrize("text", ["ctrl-", "ctrl-P", "ab", "a,,b", "é"])
def test_other_keys_are_refused(text: str) -> None:
    with pytest.raises(BadParameter, match="Invalid detach keys"):
        parse_keys(text)


@pytest.mark.parametrize(
    ("typed", "passed", "detached"),
    [
        ([b"hello"], b"hello", False),
        ([b"a\x10\x11b"], b"a", True),
        ([b"\x10", b"\x11"], b"", True),
        ([b"\x10", b"x"], b"\x10x", False),
        ([b"\x10\x10\x11"], b"\x10", True),
    ],
)
def test_keys_typed_in_part_are_held_back(typed: list[bytes], passed: bytes, detached: bool) -> None:
    keys, seen, done = DetachKeys(b"\x10\x11"), b"", False
    for data in typed:
        more, done = keys.feed(data)
        seen += more
    assert (seen, done) == (passed, detached)


@pytest.fixture
def client(engine: EngineClient) -> Iterator[DockerClient]:
    made = docker.DockerClient(base_url=engine.address, timeout=30)
    yield made
    for container in made.containers.list(all=True):
        container.remove(force=True, v=True)
    made.close()


@pytest.mark.root
@pytest.mark.usefixtures("docker_cli")
def test_docker_run_it_is_left_by_keys_and_goes_on(engine: EngineClient) -> None:
    ours, theirs = pty.openpty()
    environment = {**os.environ, "DOCKER_HOST": engine.address}
    process = subprocess.Popen(
        ["docker", "run", "--name", "left", "-it", IMAGE, "sh", "-c", "echo begun; cat; sleep 100"],
        stdin=theirs, stdout=theirs, stderr=theirs, env=environment,
    )  # fmt: skip
    os.close(theirs)
    try:
        shown = b""
        while b"begun" not in shown:
            shown += os.read(ours, 1024)
        os.write(ours, b"\x10")
        time.sleep(0.1)
        os.write(ours, b"\x11")
        assert process.wait(10) == 0
        assert engine.docker("inspect", "-f", "{{.State.Running}}", "left").stdout == "true\n"
        assert "cat" in engine.docker("top", "left").stdout
    finally:
        process.kill()
        process.wait()
        os.close(ours)
        engine.docker("rm", "-f", "left")


@pytest.mark.root
async def test_attach_over_a_websocket(engine: EngineClient, client: DockerClient) -> None:
    container = client.containers.create(IMAGE, "cat", stdin_open=True)
    connector = aiohttp.UnixConnector(str(engine.socket))
    url = f"http://x/containers/{container.id}/attach/ws?stdin=1&stdout=1&stream=1"
    async with aiohttp.ClientSession(connector=connector) as session, session.ws_connect(url) as socket:
        await asyncio.to_thread(container.start)
        await socket.send_bytes(b"ping")
        assert await socket.receive_bytes(timeout=10) == b"ping"
        await asyncio.to_thread(container.kill)
        assert (await socket.receive(timeout=10)).type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED)


@pytest.mark.root
def test_a_volume_takes_files_before_the_first_start(client: DockerClient) -> None:
    container = client.containers.create(IMAGE, "cat /deep/er/file", volumes=["/deep/er"])
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        entry = tarfile.TarInfo("file")
        entry.size = 4
        tar.addfile(entry, io.BytesIO(b"data"))
    assert container.put_archive("/deep/er", packed.getvalue())
    container.start()
    container.wait()
    assert container.logs() == b"data"
    assert [row["Path"] for row in container.diff()] == ["/deep", "/deep/er"]


@pytest.mark.root
@ours_only("Docker may be a moment late with it")
def test_output_is_there_as_soon_as_start_returns(client: DockerClient) -> None:
    for _ in range(5):
        container = client.containers.run(IMAGE, "echo hello", detach=True)
        assert container.logs() == b"hello\n"


@pytest.mark.root
def test_a_link_on_the_default_bridge_sets_variables(client: DockerClient) -> None:
    linked = client.containers.run(
        IMAGE, "sleep 100", detach=True, name="data-base", environment={"A": "b"}, ports={"80/tcp": None}
    )
    linked.reload()
    address = linked.attrs["NetworkSettings"]["IPAddress"]
    shown = client.containers.run(IMAGE, "env", name="user", links={"data-base": "db-1"}).decode().split("\n")
    assert {
        "DB_1_NAME=/user/db-1",
        "DB_1_ENV_A=b",
        f"DB_1_PORT=tcp://{address}:80",
        f"DB_1_PORT_80_TCP_ADDR={address}",
    } <= set(shown)


@pytest.mark.root
def test_waiting_for_a_container_that_restarts_ends_with_the_run(client: DockerClient) -> None:
    container = client.containers.run(
        IMAGE, "sh -c 'sleep 0.5; exit 3'", detach=True, restart_policy={"Name": "always"}
    )
    assert container.wait(timeout=10)["StatusCode"] == 3


@pytest.mark.root
def test_a_broken_archive_is_refused_in_the_stream(client: DockerClient) -> None:
    with pytest.raises(ImageLoadError):
        client.images.load(b"no archive")


@pytest.mark.root
def test_a_container_that_is_not_in_a_network_cannot_be_taken_out_by_force(client: DockerClient) -> None:
    network = client.networks.create("alone")
    container = client.containers.create(IMAGE, "true")
    try:
        with pytest.raises(APIError, match="is not connected"):
            network.disconnect(container, force=True)
    finally:
        network.remove()


@pytest.mark.root
def test_field_names_are_read_in_any_case(engine: EngineClient) -> None:
    status, made = engine.request(
        "POST", "/containers/create", {"image": IMAGE, "CMD": ["true"], "tty": True}
    )
    assert status == 201, made
    shown = engine.request("GET", f"/containers/{made['Id']}/json")[1]["Config"]
    assert (shown["Cmd"], shown["Tty"]) == (["true"], True)
    engine.request("DELETE", f"/containers/{made['Id']}")
