"""Exec sessions: streams, terminals, identity, endings."""

from __future__ import annotations

import asyncio
import uuid

import pytest
from tests.embedded.containers.conftest import Host, process_spec, read_all

from stackwright.embedded.containers.runtime import StartError
from stackwright.embedded.containers.spec import ExecSpec, User

pytestmark = pytest.mark.root


def exec_spec(*args: str, **options: object) -> ExecSpec:
    return ExecSpec(id=uuid.uuid4().hex, process=process_spec(args, options))


async def test_output_and_exit_code_come_back(host: Host) -> None:
    running = await host.start("sleep", "100")
    assert await host.exec(running, "echo out; exit 4") == (4, "out\n")


async def test_streams_are_told_apart(host: Host) -> None:
    running = await host.start("sleep", "100")
    session = await running.exec(exec_spec("echo out; echo err >&2"))
    assert session.stream is not None
    received = {name: data async for name, data in session.stream}
    assert received == {"stdout": b"out\n", "stderr": b"err\n"}


async def test_input_is_passed_on_up_to_its_end(host: Host) -> None:
    running = await host.start("sleep", "100")
    session = await running.exec(exec_spec("wc", "-c", open_stdin=True))
    assert session.stream is not None
    await session.stream.write(b"x" * 1_000_000)
    await session.stream.close_stdin()
    assert await read_all(session.stream) == "1000000\n"
    assert await session.wait() == 0


async def test_a_slow_reader_gets_every_byte(host: Host) -> None:
    running = await host.start("sleep", "100")
    session = await running.exec(exec_spec("head -c 20000000 /dev/zero"))
    assert session.stream is not None
    total = 0
    async for _, data in session.stream:
        if total == 0:
            await asyncio.sleep(0.5)
        total += len(data)
    assert total == 20_000_000
    assert await session.wait() == 0


async def test_terminal_has_its_size_and_takes_input(host: Host) -> None:
    running = await host.start("sleep", "100")
    spec = exec_spec(
        "tty; stty size; read line; echo got $line", tty=True, open_stdin=True, console_size=(40, 132)
    )
    session = await running.exec(spec)
    assert session.stream is not None
    await session.stream.write(b"hello\n")
    output = await read_all(session.stream)
    assert "/dev/pts/" in output
    assert "40 132" in output
    assert "got hello" in output


async def test_terminal_can_be_resized(host: Host) -> None:
    running = await host.start("sleep", "100")
    session = await running.exec(
        exec_spec(
            "trap 'stty size; exit 0' WINCH; echo ready; while :; do sleep 0.05; done",
            tty=True,
            open_stdin=True,
        )
    )
    assert session.stream is not None
    output = b""
    async with asyncio.timeout(10):
        async for _, data in session.stream:
            output += data
            if data.startswith(b"ready"):
                await session.resize(50, 200)
    assert b"50 200" in output


async def test_control_c_in_a_terminal_interrupts(host: Host) -> None:
    running = await host.start("sleep", "100")
    session = await running.exec(exec_spec("sleep", "100", tty=True, open_stdin=True))
    assert session.stream is not None
    await asyncio.sleep(0.2)
    await session.stream.write(b"\x03")
    async with asyncio.timeout(5):
        assert await session.wait() == 130


async def test_user_directory_and_environment_are_its_own(host: Host) -> None:
    running = await host.start("sleep", "100")
    code, output = await host.exec(
        running,
        "id -u; id -g; id -G; pwd; echo $GREETING $HOME",
        user=User(uid=1000, gid=1000, groups=(2000,), home="/home/app"),
        cwd="/tmp",
        env=("GREETING=hi",),
    )
    assert code == 0
    assert output.split("\n")[:5] == ["1000", "1000", "1000 2000", "/tmp", "hi /home/app"]


async def test_privileged_exec_has_every_capability(host: Host) -> None:
    running = await host.start("sleep", "100")
    _, plain = await host.exec(running, "grep CapEff /proc/self/status")
    _, full = await host.exec(running, "grep CapEff /proc/self/status", privileged=True)
    assert plain.split()[1] == "00000000a80425fb"
    assert int(full.split()[1], 16) > int(plain.split()[1], 16)


async def test_it_shares_the_containers_view(host: Host) -> None:
    running = await host.start("echo here > /tmp/note; hostname; sleep 100", hostname="box")
    code, output = await host.exec(
        running, "until cat /tmp/note; do sleep 0.01; done 2>/dev/null; hostname; cat /proc/1/comm"
    )
    assert code == 0
    assert output.split() == ["here", "box", "sh"]


async def test_detached_exec_runs_to_its_end(host: Host) -> None:
    running = await host.start("sleep", "100")
    session = await running.exec(exec_spec("echo unseen; exit 6"), attach=False)
    assert session.stream is None
    assert await session.wait() == 6


@pytest.mark.parametrize(("command", "code"), [("nosuch", 127), ("/etc/issue", 126)])
async def test_what_cannot_be_executed_fails_as_for_containers(host: Host, command: str, code: int) -> None:
    running = await host.start("sleep", "100")
    with pytest.raises(StartError, match="exec: ") as caught:
        await running.exec(exec_spec(command, "x"))
    assert caught.value.code == code


async def test_exec_in_an_ended_container_is_refused(host: Host) -> None:
    running = await host.start("exit 0")
    await running.wait()
    with pytest.raises(StartError, match="not running"):
        await running.exec(exec_spec("true"))


async def test_exec_ends_with_its_container(host: Host) -> None:
    running = await host.start("sleep", "100")
    session = await running.exec(exec_spec("sleep", "100"))
    await running.signal(9)
    async with asyncio.timeout(5):
        assert await session.wait() == 137


async def test_background_child_does_not_keep_the_session(host: Host) -> None:
    running = await host.start("sleep", "100")
    async with asyncio.timeout(5):
        assert await host.exec(running, "sleep 50 & echo started") == (0, "started\n")


async def test_unread_output_does_not_hide_the_end_of_a_closed_stream(host: Host) -> None:
    running = await host.start("sleep", "100")
    session = await running.exec(exec_spec("head -c 10000000 /dev/zero; exit 9"))
    assert session.stream is not None
    await session.stream.close()
    async with asyncio.timeout(10):
        assert await session.wait() == 9


async def test_execs_side_by_side_do_not_mix(host: Host) -> None:
    running = await host.start("sleep", "100")
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(host.exec(running, f"echo {n}; exit {n}")) for n in range(10)]
    assert [task.result() for task in tasks] == [(n, f"{n}\n") for n in range(10)]
