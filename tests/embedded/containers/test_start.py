"""Starting, ending and failing to start."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from tests.embedded.containers.conftest import Host, changed, gone, monitors_of, output_of

from stackwright.embedded.containers.running import Running, cgroup_of
from stackwright.embedded.containers.runtime import Sandbox, StartError

pytestmark = pytest.mark.root


async def test_output_and_exit_code_are_kept(host: Host) -> None:
    running = await host.start("echo out; echo err >&2; exit 7")
    status = await running.wait()
    assert (status.code, status.signal, status.error) == (7, 0, "")
    assert sorted((await output_of(running)).split()) == ["err", "out"]
    assert status.started_at <= status.finished_at


async def test_signal_ends_it_with_128_and_the_number(host: Host) -> None:
    running = await host.start("sleep", "100")
    await running.signal(signal.SIGKILL)
    status = await running.wait()
    assert (status.code, status.signal, status.oom_killed) == (137, 9, False)
    with pytest.raises(ProcessLookupError):
        await running.signal(signal.SIGTERM)


async def test_pid_1_without_handler_ignores_sigterm_and_dies_of_sigkill(host: Host) -> None:
    running = await host.start("sleep", "100")
    await running.signal(signal.SIGTERM)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await running.wait()
    await running.signal(signal.SIGKILL)
    assert (await running.wait()).code == 137


async def test_trap_of_sigterm_is_run(host: Host) -> None:
    running = await host.start("trap 'echo bye; exit 3' TERM; echo ready; while :; do sleep 0.05; done")
    async with asyncio.timeout(10):
        while "ready" not in await output_of(running):
            await asyncio.sleep(0.01)
    await running.signal(signal.SIGTERM)
    assert (await running.wait()).code == 3
    assert "bye" in await output_of(running)


async def test_killing_pid_1_takes_its_children_along(host: Host) -> None:
    running = await host.start("sleep 100 & sleep 100 & wait")
    await asyncio.sleep(0.2)
    assert len(running.processes()) == 3
    await running.signal(signal.SIGKILL)
    await running.wait()
    assert running.processes() == []


@pytest.mark.parametrize(
    ("args", "code", "text"),
    [
        (("nosuch", "-x"), 127, 'exec: "nosuch": executable file not found in $PATH'),
        (("/no/such", "-x"), 127, 'exec: "/no/such": stat /no/such: no such file or directory'),
        (("/etc/issue", "-x"), 126, 'exec: "/etc/issue": permission denied'),
        (("/etc", "-x"), 126, 'exec: "/etc": is a directory'),
        (("/etc/issue/x", "-x"), 126, 'exec: "/etc/issue/x": not a directory'),
    ],
)
async def test_what_cannot_be_executed_fails_with_dockers_words(
    host: Host, args: tuple[str, ...], code: int, text: str
) -> None:
    with pytest.raises(StartError) as caught:
        await host.start(*args)
    assert caught.value.code == code
    assert text in str(caught.value)


async def test_missing_interpreter_is_said_in_the_containers_output(host: Host) -> None:
    status, output = await host.run("/etc/script", "x")
    assert status.code == 255
    assert output == "exec /etc/script: no such file or directory\n"


async def test_failed_start_leaves_nothing(host: Host) -> None:
    spec = host.spec("nosuch", "x")
    with pytest.raises(StartError):
        await host.runtime.start(spec)
    assert cgroup_of(spec).directories() == []
    await gone(lambda: not monitors_of(spec))


async def test_error_of_the_network_set_up_ends_the_start(host: Host) -> None:
    spec = host.spec("sleep", "100")

    async def fail(sandbox: Sandbox) -> None:
        assert sandbox.netns >= 0 and sandbox.netlink >= 0
        raise LookupError("no address left")

    with pytest.raises(LookupError, match="no address left"):
        await host.runtime.start(spec, fail)
    async with asyncio.timeout(5):
        while cgroup_of(spec).directories() or monitors_of(spec):
            await asyncio.sleep(0.01)


async def test_cancelled_start_leaves_nothing(host: Host) -> None:
    spec = host.spec("sleep", "100")

    async def hang(sandbox: Sandbox) -> None:
        await asyncio.sleep(100)

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await host.runtime.start(spec, hang)
    async with asyncio.timeout(5):
        while cgroup_of(spec).directories() or monitors_of(spec):
            await asyncio.sleep(0.01)


async def test_start_cancelled_at_any_moment_leaves_nothing(host: Host) -> None:
    for milliseconds in range(0, 40, 2):
        spec = host.spec("sleep", "100")
        running = None
        with suppress(TimeoutError):
            async with asyncio.timeout(milliseconds / 1000):
                running = await host.runtime.start(spec)
        if running is not None:
            await running.signal(signal.SIGKILL)
            await running.wait()
        await gone(lambda spec=spec: not cgroup_of(spec).directories() and not monitors_of(spec))


async def test_same_container_starts_again_after_its_end(host: Host) -> None:
    spec = host.spec("echo run >> /count; cat /count")
    for expected in ("run\n", "run\nrun\n"):
        running = await host.runtime.start(spec)
        assert (await running.wait()).code == 0
        assert (await output_of(running)).endswith(expected)


async def test_many_start_side_by_side(host: Host) -> None:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(host.run(f"exit {number}")) for number in range(12)]
    assert [task.result()[0].code for task in tasks] == list(range(12))


async def test_starter_that_was_killed_is_replaced(host: Host) -> None:
    os.kill(host.runtime.starter_pid, signal.SIGKILL)
    await asyncio.sleep(0.1)
    status, _ = await host.run("exit 5")
    assert status.code == 5


async def test_descriptor_limit_of_the_engine_is_not_handed_on_nor_its_files(host: Host) -> None:
    _, output = await host.run("ls /proc/self/fd | wc -l; cat /proc/self/environ | tr '\\0' '\\n' | sort")
    count, *env = output.split("\n")
    assert int(count) <= 4
    names = [
        entry.partition("=")[0] for entry in env if entry and not entry.startswith(("PWD", "OLDPWD", "_"))
    ]
    assert names == ["HOME", "HOSTNAME", "PATH"]


async def test_interpreter_behind_init_lies_on_a_read_only_mount(host: Host) -> None:
    # Busy while it runs; read-only also for who keeps hold of it until nobody runs it any more.
    running = await host.start("sleep", "100", init=True)
    exe = os.open(f"/proc/{running.pid}/exe", os.O_PATH)
    try:
        assert os.fstatvfs(exe).f_flag & os.ST_RDONLY
        assert os.path.samestat(os.fstat(exe), Path(sys.executable).stat())
    finally:
        os.close(exe)


async def test_layers_by_the_hundred_fit(host: Host) -> None:
    spec = host.spec("cat /layer-0 /layer-119")
    layers = []
    for number in range(120):
        layer = host.root / f"layer-with-a-rather-long-name-{number:03d}"
        layer.mkdir()
        (layer / f"layer-{number}").write_text(f"{number}\n")
        layers.append(str(layer))
    spec = changed(spec, rootfs=changed(spec.rootfs, lower=(*layers, str(host.lower))))  # type: ignore[arg-type]
    host.specs[-1] = spec
    running = await host.runtime.start(spec)
    assert (await running.wait()).code == 0
    assert await output_of(running) == "0\n119\n"


async def test_attached_before_the_start_misses_nothing(host: Host) -> None:
    spec = host.spec("echo first; echo second", log=_no_log())
    streams = []

    async def attach(sandbox: Sandbox) -> None:
        streams.append(await sandbox.attach())

    running = await host.runtime.start(spec, attach)
    assert isinstance(running, Running)
    received = b"".join([data async for _, data in streams[0]])
    assert received == b"first\nsecond\n"


def _no_log() -> object:
    from stackwright.embedded.containers.spec import LogConfig

    return LogConfig(driver="none")
