"""aiodocker, which we did not write, used as its documentation shows."""

from __future__ import annotations

import asyncio
import io
import tarfile
from collections.abc import AsyncIterator

import aiodocker
import pytest
from tests.embedded.engine_process import EngineProcess
from tests.peers import IMAGE, busybox_archive

pytestmark = pytest.mark.root


@pytest.fixture
async def client(engine: EngineProcess) -> AsyncIterator[aiodocker.Docker]:
    async with aiodocker.Docker(url=engine.address) as made:
        yield made
        for container in await made.containers.list(all=True):
            await container.delete(force=True, v=True)


async def test_run_wait_and_logs(client: aiodocker.Docker) -> None:
    container = await client.containers.run({"Image": IMAGE, "Cmd": ["sh", "-c", "echo out; exit 3"]})
    assert (await asyncio.wait_for(container.wait(), 10))["StatusCode"] == 3
    assert await container.log(stdout=True) == ["out\n"]
    assert (await container.show())["State"]["Status"] == "exited"


async def test_logs_are_followed(client: aiodocker.Docker) -> None:
    command = ["sh", "-c", "for i in 1 2 3; do echo $i; sleep 0.1; done"]
    container = await client.containers.run({"Image": IMAGE, "Cmd": command})
    assert [line async for line in container.log(stdout=True, follow=True)] == ["1\n", "2\n", "3\n"]


async def test_attach_before_the_start_talks_both_ways(client: aiodocker.Docker) -> None:
    container = await client.containers.create(
        {"Image": IMAGE, "Cmd": ["cat"], "OpenStdin": True, "AttachStdin": True, "StdinOnce": True}
    )
    async with container.attach(stdin=True, stdout=True, stderr=True) as stream:
        await container.start()
        await stream.write_in(b"ping\n")
        message = await asyncio.wait_for(stream.read_out(), 10)
        assert message is not None and message.data == b"ping\n"


async def test_attach_over_a_websocket(client: aiodocker.Docker) -> None:
    container = await client.containers.create({"Image": IMAGE, "Cmd": ["cat"], "OpenStdin": True})
    await container.start()
    socket = await container.websocket(stdin=True, stdout=True, stream=True)
    await socket.send_bytes(b"ping")
    assert await socket.receive_bytes(timeout=10) == b"ping"
    await socket.close()


async def test_exec_with_output_and_exit_code(client: aiodocker.Docker) -> None:
    container = await client.containers.run({"Image": IMAGE, "Cmd": ["sleep", "100"]})
    execution = await container.exec(["sh", "-c", "echo $A; exit 4"], environment={"A": "b"})
    async with execution.start(detach=False) as stream:
        message = await asyncio.wait_for(stream.read_out(), 10)
        assert message is not None and (message.stream, message.data) == (1, b"b\n")
        assert await stream.read_out() is None
    assert (await execution.inspect())["ExitCode"] == 4


async def test_archives_in_and_out(client: aiodocker.Docker) -> None:
    container = await client.containers.create({"Image": IMAGE, "Cmd": ["true"]})
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        entry = tarfile.TarInfo("in.txt")
        entry.size = 4
        tar.addfile(entry, io.BytesIO(b"data"))
    await container.put_archive("/tmp", packed.getvalue())
    with await container.get_archive("/tmp/in.txt") as tar:
        member = tar.extractfile("in.txt")
        assert member is not None and member.read() == b"data"


async def test_pause_restart_rename_stats_and_kill(client: aiodocker.Docker) -> None:
    container = await client.containers.run({"Image": IMAGE, "Cmd": ["sleep", "100"]})
    await container.pause()
    assert (await container.show())["State"]["Paused"]
    await container.unpause()
    await container.restart(timeout=0)
    await container.rename("renamed")
    assert (await client.containers.get("renamed")).id == container.id
    assert (await container.stats(stream=False))[0]["pids_stats"]["current"] == 1
    await container.kill()
    await container.wait()


async def test_networks_and_volumes(client: aiodocker.Docker) -> None:
    network = await client.networks.create({"Name": "between"})
    volume = await client.volumes.create({"Name": "kept"})
    container = await client.containers.run(
        {"Image": IMAGE, "Cmd": ["sleep", "100"], "HostConfig": {"Binds": ["kept:/v"]}}
    )
    await network.connect({"Container": container.id, "EndpointConfig": {"Aliases": ["other"]}})
    assert "between" in (await container.show())["NetworkSettings"]["Networks"]
    await network.disconnect({"Container": container.id})
    await container.delete(force=True)
    await network.delete()
    await volume.delete()
    assert (await client.volumes.list())["Volumes"] in (None, [])


async def test_images_build_tag_save_load_and_remove(client: aiodocker.Docker) -> None:
    context = io.BytesIO()
    with tarfile.open(fileobj=context, mode="w:gz") as tar:
        text = f"FROM {IMAGE}\nRUN echo built > /built\n".encode()
        entry = tarfile.TarInfo("Dockerfile")
        entry.size = len(text)
        tar.addfile(entry, io.BytesIO(text))
    context.seek(0)
    lines = await client.images.build(fileobj=context, encoding="gzip", tag="made:1")
    assert any("Successfully tagged made:1" in line.get("stream", "") for line in lines)
    await client.images.tag("made:1", repo="made", tag="2")
    async with client.images.export_image("made:2") as exported:
        archive = b"".join([piece async for piece in exported.iter_chunked(65536)])
    await client.images.delete("made:1")
    await client.images.delete("made:2")
    await client.images.import_image(archive)
    assert (await client.images.inspect("made:2"))["RepoTags"] == ["made:2"]
    await client.images.delete("made:2")


async def test_load_of_an_archive_streams_its_progress(client: aiodocker.Docker) -> None:
    shown = [line async for line in client.images.import_image(busybox_archive("loaded:1"), stream=True)]
    assert any("loaded:1" in line.get("stream", "") for line in shown)
    await client.images.delete("loaded:1")


async def test_events_are_seen_as_they_happen(client: aiodocker.Docker) -> None:
    subscriber = client.events.subscribe()
    container = await client.containers.run({"Image": IMAGE, "Cmd": ["true"]})
    seen: list[str] = []
    async with asyncio.timeout(10):
        while "die" not in seen:
            event = await subscriber.get()
            if event is not None and event["Type"] == "container":
                seen.append(event["Action"])
    # The subscription opens beside the first request, so "create" may have passed by.
    assert [action for action in seen if action != "create"] == ["start", "die"]
    await container.delete()


async def test_errors_have_dockers_status_and_message(client: aiodocker.Docker) -> None:
    with pytest.raises(aiodocker.DockerError) as caught:
        await client.containers.get("no-such-container")
    assert (caught.value.status, caught.value.message) == (404, "No such container: no-such-container")


async def test_version_system_and_pull_of_what_is_not_there(client: aiodocker.Docker) -> None:
    assert (await client.version())["Os"] == "linux"
    assert (await client.system.info())["OSType"] == "linux"
    with pytest.raises(aiodocker.DockerError):
        await client.images.pull("localhost:1/none:1")
