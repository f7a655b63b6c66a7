"""The client against a real Docker Engine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from tests.peers import IMAGE, busybox_archive

from stackwright.engine.client import EngineClient
from stackwright.engine.errors import Conflict, EngineUnavailable, NotFound, PullFailed
from stackwright.engine.image_calls import split_reference

pytestmark = pytest.mark.docker


@pytest_asyncio.fixture
async def engine(dockerd_socket: str) -> AsyncIterator[EngineClient]:
    async with EngineClient(dockerd_socket) as client:
        yield client


async def make(engine: EngineClient, *command: str, **config: object) -> str:
    return await engine.create_container(None, {"Image": IMAGE, "Cmd": list(command), **config})


async def test_the_version_is_agreed_on(engine: EngineClient) -> None:
    assert engine.api_version == (1, 41)
    assert engine.kind == "docker"
    assert (await engine.version())["ApiVersion"] == "1.41"


async def test_a_container_lives_and_its_output_is_split_again(engine: EngineClient) -> None:
    container = await make(engine, "sh", "-c", "echo out; echo err >&2; exit 3")
    await engine.start_container(container)
    assert await engine.wait_container(container) == 3
    found = {(chunk.stream, chunk.data) async for chunk in engine.logs(container)}
    assert found == {(1, b"out\n"), (2, b"err\n")}
    await engine.remove_container(container)
    with pytest.raises(NotFound):
        await engine.inspect_container(container)


async def test_logs_of_a_terminal_are_not_multiplexed(engine: EngineClient) -> None:
    container = await make(engine, "echo", "hello", Tty=True)
    await engine.start_container(container)
    await engine.wait_container(container)
    assert b"".join([chunk.data async for chunk in engine.logs(container)]) == b"hello\r\n"
    await engine.remove_container(container)


async def test_exec_gives_output_and_exit_code(engine: EngineClient) -> None:
    container = await make(engine, "sleep", "100")
    await engine.start_container(container)
    assert await engine.run_exec(container, ["sh", "-c", "echo hi; exit 4"]) == (4, b"hi\n")
    await engine.remove_container(container, force=True)


async def test_attach_passes_input_through_and_its_end(engine: EngineClient) -> None:
    container = await make(engine, "cat", OpenStdin=True, StdinOnce=True, AttachStdin=True)
    async with await engine.attach(container, stdin=True) as stream:
        await engine.start_container(container)
        await stream.write(b"there and back\n")
        await stream.close_input()
        assert b"".join([chunk.data async for chunk in stream]) == b"there and back\n"
    assert await engine.wait_container(container) == 0
    await engine.remove_container(container)


async def test_events_tell_of_a_container(engine: EngineClient) -> None:
    container = await make(engine, "true", Labels={"test": "events"})
    seen: list[str] = []

    async def listen() -> None:
        async for message in engine.events(filters={"label": ["test=events"]}):
            seen.append(message["Action"])
            if message["Action"] == "die":
                return

    task = asyncio.create_task(listen())
    await asyncio.sleep(0.1)
    await engine.start_container(container)
    await asyncio.wait_for(task, 20)
    assert seen == ["start", "die"]
    await engine.remove_container(container)


async def test_a_taken_name_is_a_conflict(engine: EngineClient) -> None:
    container = await engine.create_container("sw-test-taken", {"Image": IMAGE, "Cmd": ["true"]})
    with pytest.raises(Conflict):
        await engine.create_container("sw-test-taken", {"Image": IMAGE, "Cmd": ["true"]})
    await engine.remove_container(container)


async def test_an_image_is_loaded_tagged_and_removed(engine: EngineClient) -> None:
    messages = [message async for message in engine.load(busybox_archive("sw-test/loaded:1"))]
    assert any("sw-test/loaded:1" in message.get("stream", "") for message in messages)
    await engine.tag_image("sw-test/loaded:1", "sw-test/again", "2")
    assert await engine.has_image("sw-test/again:2")
    await engine.remove_image("sw-test/again:2")
    await engine.remove_image("sw-test/loaded:1")
    assert not await engine.has_image("sw-test/loaded:1")


async def test_a_dead_network_is_told_from_a_refusal(engine: EngineClient) -> None:
    with pytest.raises(PullFailed) as caught:
        _ = [message async for message in engine.pull("no.such.registry.invalid/app:1")]
    assert caught.value.unreachable


async def test_a_silent_address_is_unavailable() -> None:
    with pytest.raises(EngineUnavailable):
        await EngineClient("unix:///nowhere/engine.sock").connect()


def test_references_are_split_at_the_tag() -> None:
    assert split_reference("localhost:5000/app") == ("localhost:5000/app", "latest")
    assert split_reference("app@sha256:1") == ("app", "sha256:1")
