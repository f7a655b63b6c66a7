"""docker-py, which we did not write, used as its documentation shows."""

from __future__ import annotations

import io
import tarfile
import threading
from collections.abc import Iterator

import docker
import pytest
from docker import DockerClient
from docker.errors import APIError, ContainerError, ImageNotFound, NotFound
from tests.embedded.engine_process import EngineClient
from tests.peers import IMAGE

pytestmark = [pytest.mark.root, pytest.mark.as_user]


@pytest.fixture(scope="module")
def client(engine: EngineClient) -> Iterator[DockerClient]:
    made = docker.DockerClient(base_url=engine.address, timeout=30)
    yield made
    made.close()


@pytest.fixture(autouse=True)
def no_containers_left(client: DockerClient) -> Iterator[None]:
    yield
    for container in client.containers.list(all=True):
        container.remove(force=True, v=True)


def test_ping_version_and_info(client: DockerClient) -> None:
    assert client.ping()
    assert client.version()["Os"] == "linux"
    assert client.info()["OSType"] == "linux"


def test_run_returns_the_output(client: DockerClient) -> None:
    assert client.containers.run(IMAGE, ["echo", "hello"], remove=True) == b"hello\n"


def test_run_raises_with_stderr_and_exit_status(client: DockerClient) -> None:
    with pytest.raises(ContainerError) as caught:
        client.containers.run(IMAGE, ["sh", "-c", "echo why >&2; exit 4"], remove=True, stderr=True)
    assert caught.value.exit_status == 4
    assert b"why" in caught.value.stderr


def test_a_detached_container_is_followed_and_waited_for(client: DockerClient) -> None:
    container = client.containers.run(
        IMAGE, ["sh", "-c", "for i in 1 2; do echo $i; sleep 0.2; done"], detach=True
    )
    assert b"".join(container.logs(stream=True, follow=True)) == b"1\n2\n"
    assert container.wait(timeout=10)["StatusCode"] == 0
    container.reload()
    assert container.status == "exited"


def test_attach_streams_live_output(client: DockerClient) -> None:
    container = client.containers.create(IMAGE, ["sh", "-c", "echo a; sleep 0.1; echo b"])
    stream = container.attach(stream=True, stdout=True, stderr=True)
    container.start()
    assert b"".join(stream) == b"a\nb\n"


def test_exec_run_with_demultiplexed_streams(client: DockerClient) -> None:
    container = client.containers.run(IMAGE, ["sleep", "100"], detach=True)
    code, output = container.exec_run(["sh", "-c", "echo out; echo err >&2; exit 3"], demux=True)
    assert (code, output) == (3, (b"out\n", b"err\n"))
    result = container.exec_run("env", environment={"X": "y"}, workdir="/tmp", user="user")
    assert b"X=y\n" in result.output


def test_exec_with_a_socket_talks_both_ways(client: DockerClient) -> None:
    container = client.containers.run(IMAGE, ["sleep", "100"], detach=True)
    _, sock = container.exec_run("cat", stdin=True, socket=True)
    sock._sock.sendall(b"ping")
    header = sock.read(8)
    assert header[0] == 1
    assert sock.read(int.from_bytes(header[4:], "big")) == b"ping"
    sock.close()


def test_archives_in_and_out(client: DockerClient) -> None:
    container = client.containers.create(IMAGE, ["cat", "/tmp/in.txt"])
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        entry = tarfile.TarInfo("in.txt")
        entry.size = 4
        tar.addfile(entry, io.BytesIO(b"data"))
    assert container.put_archive("/tmp", packed.getvalue())
    pieces, stat = container.get_archive("/tmp/in.txt")
    assert stat["name"] == "in.txt" and stat["size"] == 4
    with tarfile.open(fileobj=io.BytesIO(b"".join(pieces))) as tar:
        member = tar.extractfile("in.txt")
        assert member is not None and member.read() == b"data"


def test_stats_top_and_diff(client: DockerClient) -> None:
    container = client.containers.run(IMAGE, ["sleep", "100"], detach=True, mem_limit="64m")
    stats = container.stats(stream=False)
    assert stats["memory_stats"]["limit"] == 64 * 1024 * 1024
    assert stats["pids_stats"]["current"] == 1
    assert stats["networks"]["eth0"]["tx_bytes"] >= 0
    assert container.top()["Processes"][0][-1] == "sleep 100"
    container.exec_run(["touch", "/added"])
    assert {"Path": "/added", "Kind": 1} in container.diff()


def test_networks_with_fixed_addresses_and_aliases(client: DockerClient) -> None:
    pool = docker.types.IPAMPool(subnet="10.213.7.0/24", gateway="10.213.7.1")
    network = client.networks.create("fixed", ipam=docker.types.IPAMConfig(pool_configs=[pool]))
    container = client.containers.create(IMAGE, ["sleep", "100"])
    network.connect(container, ipv4_address="10.213.7.99", aliases=["nick"])
    container.start()
    container.reload()
    assert container.attrs["NetworkSettings"]["Networks"]["fixed"]["IPAddress"] == "10.213.7.99"
    assert client.containers.run(IMAGE, ["nslookup", "nick"], network="fixed", remove=True).count(
        b"10.213.7.99"
    )
    network.reload()
    assert [c.id for c in network.containers] == [container.id]
    network.disconnect(container)
    container.remove(force=True)
    network.remove()


def test_volumes(client: DockerClient) -> None:
    volume = client.volumes.create("kept", labels={"a": "b"})
    client.containers.run(IMAGE, ["sh", "-c", "echo 1 > /v/x"], volumes={"kept": {"bind": "/v"}}, remove=True)
    seen = client.containers.run(
        IMAGE, ["cat", "/v/x"], volumes={"kept": {"bind": "/v", "mode": "ro"}}, remove=True
    )
    assert seen == b"1\n"
    assert [v.name for v in client.volumes.list(filters={"label": "a=b"})] == ["kept"]
    volume.remove()
    with pytest.raises(NotFound):
        client.volumes.get("kept")


def test_images_build_tag_save_load_and_remove(client: DockerClient) -> None:
    dockerfile = io.BytesIO(f"FROM {IMAGE}\nLABEL made=here\nRUN echo built > /built\n".encode())
    image, lines = client.images.build(fileobj=dockerfile, tag="made:1", rm=True)
    assert image.labels == {"made": "here"}
    assert any("Successfully built" in line.get("stream", "") for line in lines)
    assert image.tag("made", "2")
    archive = b"".join(client.images.get("made:2").save(named="made:2"))
    client.images.remove("made:1")
    client.images.remove("made:2")
    with pytest.raises(ImageNotFound):
        client.images.get("made:1")
    assert client.images.load(archive)[0].tags == ["made:2"]
    assert client.images.get("made:2").history()[0]["Tags"] == ["made:2"]
    client.images.remove("made:2")


def test_events_are_seen_as_they_happen(client: DockerClient) -> None:
    seen: list[str] = []
    ready = threading.Event()

    def listen() -> None:
        events = client.events(decode=True, filters={"type": "container"})
        ready.set()
        for event in events:
            seen.append(event["Action"])
            if event["Action"] == "destroy":
                events.close()
                return

    thread = threading.Thread(target=listen)
    thread.start()
    assert ready.wait(5)
    client.containers.run(IMAGE, ["true"], remove=True)
    thread.join(10)
    assert seen[0] == "create" and seen[-1] == "destroy" and "die" in seen


def test_errors_have_dockers_status_and_explanation(client: DockerClient) -> None:
    client.containers.create(IMAGE, name="only-one")
    with pytest.raises(APIError) as caught:
        client.containers.create(IMAGE, name="only-one")
    assert caught.value.status_code == 409
    assert "already in use" in str(caught.value.explanation)
    with pytest.raises(ImageNotFound):
        client.containers.create("no-such-image:1")


def test_pause_restart_rename_update_and_prune(client: DockerClient) -> None:
    container = client.containers.run(IMAGE, ["sleep", "100"], detach=True)
    container.pause()
    container.reload()
    assert container.status == "paused"
    container.unpause()
    container.restart(timeout=0)
    container.rename("renamed")
    container.update(mem_limit="40m", memswap_limit="80m")
    container.reload()
    assert (container.name, container.attrs["HostConfig"]["Memory"]) == ("renamed", 40 * 1024 * 1024)
    container.kill()
    container.wait()
    assert client.containers.prune()["ContainersDeleted"] == [container.id]
