"""The engine is killed; containers go on, and the next engine takes them over."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest
from tests.embedded.containers.conftest import Host, gone, monitors_of, output_of

from stackwright.embedded.containers.logs import read_log
from stackwright.embedded.containers.running import Running
from stackwright.embedded.containers.runtime import ExitStatus
from stackwright.embedded.containers.spec import ContainerSpec, Namespaces, encode

pytestmark = pytest.mark.root
STUB = Path(__file__).with_name("engine_stub.py")


async def start_elsewhere(*specs: ContainerSpec) -> asyncio.subprocess.Process:
    """Start the containers in an engine of their own."""
    files = []
    for spec in specs:
        file = Path(spec.directory) / "spec.json"
        file.write_bytes(encode(spec))
        files.append(str(file))
    engine = await asyncio.create_subprocess_exec(
        sys.executable, str(STUB), *files, stdout=asyncio.subprocess.PIPE
    )
    assert engine.stdout is not None
    async with asyncio.timeout(20):
        assert await engine.stdout.readline() == b"started\n"
    return engine


async def kill(engine: asyncio.subprocess.Process) -> None:
    engine.kill()
    await engine.wait()


async def test_containers_run_on_and_no_line_is_lost(host: Host) -> None:
    spec = host.spec("i=0; while [ $i -lt 30000 ]; do i=$((i+1)); echo line $i; done; sleep 100")
    engine = await start_elsewhere(spec)
    await asyncio.sleep(0.1)
    await kill(engine)
    running = await host.runtime.adopt(spec)
    assert isinstance(running, Running)
    expected = [f"line {number}" for number in range(1, 30001)]
    async with asyncio.timeout(20):
        lines = [line.data.decode().strip() async for line in _first(spec, len(expected))]
    assert lines == expected
    assert await host.exec(running, "echo works") == (0, "works\n")
    await running.signal(signal.SIGKILL)
    assert (await running.wait()).code == 137


async def _first(spec: ContainerSpec, count: int):  # type: ignore[no-untyped-def]
    async for line in read_log(spec.directory, follow=True):
        yield line
        count -= 1
        if count == 0:
            return


async def test_exit_while_no_engine_was_there_is_known_afterwards(host: Host) -> None:
    spec = host.spec("sleep 0.5; echo bye; exit 42")
    engine = await start_elsewhere(spec)
    await kill(engine)
    await gone(lambda: not monitors_of(spec))
    status = await host.runtime.adopt(spec)
    assert isinstance(status, ExitStatus)
    assert (status.code, status.error) == (42, "")
    assert [line.data async for line in read_log(spec.directory)] == [b"bye\n"]


async def test_exit_code_of_an_adopted_container_arrives(host: Host) -> None:
    spec = host.spec("read line; exit 5", open_stdin=True)
    engine = await start_elsewhere(spec)
    await kill(engine)
    running = await host.runtime.adopt(spec)
    assert isinstance(running, Running)
    stream = await running.attach(stdin=True)
    await stream.write(b"go\n")
    async with asyncio.timeout(5):
        assert (await running.wait()).code == 5


async def test_killed_monitor_takes_its_container_along(host: Host) -> None:
    running = await host.start("sleep", "100")
    (monitor,) = monitors_of(running.spec)
    os.kill(monitor, signal.SIGKILL)
    async with asyncio.timeout(5):
        status = await running.wait()
    assert status.code == 137
    assert "monitor ended unexpectedly" in status.error
    await gone(lambda: not Path(f"/proc/{running.pid}").exists())
    assert isinstance(await host.runtime.adopt(running.spec), ExitStatus)


async def test_killed_monitor_of_a_process_that_changed_its_user(host: Host) -> None:
    # A change of user clears the parent-death signal: here the engine has to end it.
    running = await host.start("exec setpriv --reuid 1000 --clear-groups sleep 100")
    await gone(lambda: Path(f"/proc/{running.pid}/comm").read_text() == "sleep\n")
    (monitor,) = monitors_of(running.spec)
    os.kill(monitor, signal.SIGKILL)
    async with asyncio.timeout(5):
        assert (await running.wait()).code == 137
    await gone(lambda: not Path(f"/proc/{running.pid}").exists())


async def test_monitor_killed_while_no_engine_was_there(host: Host) -> None:
    spec = host.spec("exec setpriv --reuid 1000 --clear-groups sleep 100", namespaces=Namespaces(pid="host"))
    engine = await start_elsewhere(spec)
    await asyncio.sleep(0.3)
    await kill(engine)
    (monitor,) = monitors_of(spec)
    os.kill(monitor, signal.SIGKILL)
    status = await host.runtime.adopt(spec)
    assert isinstance(status, ExitStatus)
    assert status.code == 137 and status.error


async def test_never_started_container_is_adopted_as_not_running(host: Host) -> None:
    status = await host.runtime.adopt(host.spec("true"))
    assert isinstance(status, ExitStatus)
    assert status.error


async def test_engine_killed_in_the_middle_of_a_start_leaves_nothing_unknown(host: Host) -> None:
    for delay in (0.0, 0.002, 0.004, 0.006, 0.008, 0.01, 0.015, 0.02):
        spec = host.spec("sleep", "100")
        file = Path(spec.directory) / "spec.json"
        file.write_bytes(encode(spec))
        engine = await asyncio.create_subprocess_exec(sys.executable, str(STUB), str(file), stdout=-3)
        await gone(lambda spec=spec: bool(monitors_of(spec)), 20)
        await asyncio.sleep(delay)
        await kill(engine)
        async with asyncio.timeout(10):
            while not isinstance(await host.runtime.adopt(spec), Running) and monitors_of(spec):
                await asyncio.sleep(0.01)


async def test_whoever_reads_the_engines_output_sees_its_end(host: Host) -> None:
    spec = host.spec("sleep", "100")
    file = Path(spec.directory) / "spec.json"
    file.write_bytes(encode(spec))
    engine = await asyncio.create_subprocess_exec(
        sys.executable, str(STUB), str(file), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    assert engine.stdout is not None and engine.stderr is not None
    await engine.stdout.readline()
    await kill(engine)
    async with asyncio.timeout(5):
        assert await engine.stdout.read() == b""
        assert await engine.stderr.read() == b""


async def test_runtime_closed_in_order_leaves_containers_running(host: Host) -> None:
    from stackwright.embedded.containers.runtime import Runtime

    spec = host.spec("sleep", "100")
    other = Runtime()
    await other.start(spec)
    await other.close()
    running = await host.runtime.adopt(spec)
    assert isinstance(running, Running)
    assert await output_of(running) == ""
