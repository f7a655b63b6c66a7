"""The default system call filter."""

from __future__ import annotations

import pytest
from tests.embedded.containers.conftest import Host

from stackwright.embedded.containers.spec import DEFAULT_CAPABILITIES, ProcessSpec
from stackwright.embedded.containers.syscalls import filter_for

ROOT = pytest.mark.root
TRY = """
import ctypes, errno, os, threading
libc = ctypes.CDLL(None, use_errno=True)
def call(*args):
    result = libc.syscall(*map(ctypes.c_long, args))
    return 'ok' if result >= 0 else errno.errorcode[ctypes.get_errno()]
thread = threading.Thread(target=lambda: None)
thread.start(); thread.join()
while len(os.listdir('/proc/self/task')) > 1: pass
for name, args in CALLS: print(name, call(*args))
"""
CALLS = [
    ("keyctl", (250, 0, -3, 0)),
    ("io_uring_setup", (425, 1, 0)),
    ("unshare", (272, 0x10000000)),
    ("clone3", (435, 0, 0)),
    ("future", (999,)),
    ("vsock", (41, 40, 1, 0)),
    ("unix", (41, 1, 1, 0)),
    ("personality", (135, 0xFFFFFFFF)),
    ("no-randomize", (135, 0x40000)),
    ("x32", (0x40000000 + 39,)),
    ("getpid", (39,)),
]


async def outcomes(host: Host, **options: object) -> dict[str, str]:
    script = f"CALLS = {CALLS!r}\n{TRY}"
    status, output = await host.run("/usr/bin/env", "python3", "-c", script, **options)
    assert status.code == 0, output
    return dict(line.split() for line in output.splitlines())


@ROOT
async def test_default_denies_what_docker_denies_and_threads_work(host: Host) -> None:
    assert await outcomes(host) == {
        "keyctl": "EPERM",
        "io_uring_setup": "EPERM",
        "unshare": "EPERM",
        "clone3": "ENOSYS",
        "future": "ENOSYS",
        "vsock": "EPERM",
        "unix": "ok",
        "personality": "ok",
        "no-randomize": "EPERM",
        "x32": "ENOSYS",
        "getpid": "ok",
    }


@ROOT
async def test_it_holds_with_no_new_privileges_and_for_ordinary_users(host: Host) -> None:
    from stackwright.embedded.containers.spec import User

    found = await outcomes(host, no_new_privileges=True, user=User(uid=1000, gid=1000))
    assert found["unshare"] == "EPERM" and found["getpid"] == "ok"


@ROOT
async def test_a_capability_lifts_its_restrictions(host: Host) -> None:
    found = await outcomes(host, capabilities=(*DEFAULT_CAPABILITIES, "CAP_SYS_ADMIN"))
    assert found["unshare"] == "ok"
    assert found["keyctl"] == "EPERM"


@ROOT
@pytest.mark.parametrize("options", [{"seccomp": "unconfined"}, {"privileged": True}])
async def test_unconfined_and_privileged_are_not_filtered(host: Host, options: dict[str, object]) -> None:
    found = await outcomes(host, **options)
    assert found["unshare"] == "ok"
    _, output = await host.run("grep Seccomp: /proc/self/status", **options)
    assert output.split()[1] == "0"


@ROOT
async def test_exec_is_filtered_as_well(host: Host) -> None:
    running = await host.start("sleep", "100")
    _, output = await host.exec(running, "grep Seccomp: /proc/self/status; unshare -U true")
    assert output.split()[1] == "2"
    assert "Operation not permitted" in output


def test_filter_is_small_and_the_same_for_the_same_capabilities() -> None:
    process = ProcessSpec(args=("true",))
    program = filter_for(process, privileged=False)
    assert len(program) % 8 == 0 and len(program) // 8 < 300
    assert filter_for(ProcessSpec(args=("false",)), privileged=False) is program
