"""Clients attached to a running container."""

from __future__ import annotations

import asyncio

import pytest
from tests.embedded.containers.conftest import Host, monitors_of, output_of, read_all

from stackwright.embedded.containers.runtime import Sandbox
from stackwright.embedded.kernel.process import stat_fields

pytestmark = pytest.mark.root


async def test_two_clients_see_the_same(host: Host) -> None:
    running = await host.start("read line; echo got $line", open_stdin=True)
    first = await running.attach(stdin=True)
    second = await running.attach()
    await asyncio.sleep(0.1)
    await first.write(b"hello\n")
    assert await asyncio.gather(read_all(first), read_all(second)) == ["got hello\n"] * 2
    assert await output_of(running) == "got hello\n"


async def test_only_the_wanted_stream_arrives(host: Host) -> None:
    running = await host.start("read line; echo out; echo err >&2", open_stdin=True)
    stream = await running.attach(stdin=True, stdout=False, stderr=True)
    await stream.write(b"\n")
    assert await read_all(stream) == "err\n"


async def test_closed_input_is_an_end_of_file(host: Host) -> None:
    running = await host.start("cat; echo end", open_stdin=True)
    stream = await running.attach(stdin=True)
    await stream.write(b"text\n")
    await stream.close_stdin()
    assert await read_all(stream) == "text\nend\n"


async def test_without_open_stdin_the_input_is_empty(host: Host) -> None:
    status, output = await host.run("cat; echo end")
    assert (status.code, output) == (0, "end\n")


async def test_stdin_once_ends_the_input_when_the_client_goes(host: Host) -> None:
    running = await host.start("cat; echo end", open_stdin=True, stdin_once=True)
    stream = await running.attach(stdin=True)
    await stream.write(b"text\n")
    await asyncio.sleep(0.2)
    await stream.close()
    async with asyncio.timeout(5):
        await running.wait()
    assert await output_of(running) == "text\nend\n"


async def test_detaching_leaves_the_container_alone(host: Host) -> None:
    running = await host.start("cat", open_stdin=True)
    stream = await running.attach(stdin=True)
    await stream.close()
    await asyncio.sleep(0.1)
    again = await running.attach(stdin=True)
    await again.write(b"still here\n")
    await again.close_stdin()
    assert await read_all(again) == "still here\n"


async def test_big_output_reaches_a_slow_client_whole(host: Host) -> None:
    streams = []

    async def attach(sandbox: Sandbox) -> None:
        streams.append(await sandbox.attach())

    spec = host.spec("seq 1 300000")
    await host.runtime.start(spec, attach)
    await asyncio.sleep(0.5)
    assert await read_all(streams[0]) == "".join(f"{n}\n" for n in range(1, 300001))


async def test_terminal_is_the_controlling_one(host: Host) -> None:
    running = await host.start(
        "tty; test -c /dev/console && echo console; stty size; read line; echo got $line",
        tty=True,
        open_stdin=True,
        console_size=(30, 100),
    )
    stream = await running.attach(stdin=True)
    await stream.write(b"hi\n")
    output = await read_all(stream) + await output_of(running)
    for text in ("/dev/pts/0", "console", "30 100", "got hi"):
        assert text in output


async def test_resizing_the_terminal_is_noticed(host: Host) -> None:
    running = await host.start(
        "trap 'stty size; exit 0' WINCH; echo ready; while :; do sleep 0.05; done", tty=True, open_stdin=True
    )
    async with asyncio.timeout(10):
        while "ready" not in await output_of(running):
            await asyncio.sleep(0.02)
        await running.resize(60, 190)
        await running.wait()
    assert "60 190" in await output_of(running)


async def test_a_reader_that_takes_its_time_gets_the_end_as_well(host: Host) -> None:
    streams = []

    async def attach(sandbox: Sandbox) -> None:
        streams.append(await sandbox.attach())

    running = await host.runtime.start(host.spec("seq 1 100000"), attach)
    received = b""
    async for _, data in streams[0]:
        if not received:
            await asyncio.sleep(1)
        received += data
    assert received.endswith(b"\n100000\n")
    assert (await running.wait()).code == 0


@pytest.mark.parametrize("tty", [False, True])
async def test_a_process_that_closes_its_streams_does_not_keep_its_monitor_busy(
    host: Host, tty: bool
) -> None:
    running = await host.start("exec 0<&- 1>&- 2>&-; exec sleep 100", open_stdin=True, tty=tty)
    await asyncio.sleep(0.3)
    (monitor,) = monitors_of(running.spec)
    before = cpu_ticks(monitor)
    await asyncio.sleep(0.5)
    assert cpu_ticks(monitor) - before <= 5


def cpu_ticks(pid: int) -> int:
    fields = stat_fields(pid)
    return int(fields[11]) + int(fields[12])
