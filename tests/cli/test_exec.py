"""`exec` and `run`: streams, exit codes, terminals."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import time
from dataclasses import replace

from tests.cli.conftest import Box
from tests.support.cuttable import cuttable

WEB = "services: {web: {image: $IMAGE, command: $SLEEP, environment: {A: b}}}"


def test_input_output_and_exit_code_pass_through(box: Box) -> None:
    box.write(WEB)
    box.ok("up", "-d")
    result = box.run("exec", "-T", "web", "sh", "-c", "cat; echo err >&2; exit 7", stdin="in\n")
    assert (result.returncode, result.stdout, result.stderr) == (7, "in\n", "err\n")


def test_user_folder_and_environment_can_be_chosen(box: Box) -> None:
    box.write(WEB)
    box.ok("up", "-d")
    out = box.ok(
        "exec", "-T", "-u", "user", "-w", "/tmp", "-e", "X=1", "web", "sh", "-c", "id -u; pwd; echo $X$A"
    )
    assert out == "1000\n/tmp\n1b\n"


def test_a_large_input_arrives_whole(box: Box) -> None:
    box.write(WEB)
    box.ok("up", "-d")
    assert box.ok("exec", "-T", "web", "sh", "-c", "wc -c", stdin="x" * 3_000_000).strip() == "3000000"


def test_a_service_that_does_not_run_is_said_so(box: Box) -> None:
    box.write(WEB)
    assert 'service "web" is not running' in box.fails("exec", "web", "true")


def test_a_terminal_is_a_terminal_of_our_size(box: Box) -> None:
    box.write(WEB)
    box.ok("up", "-d")
    master, slave = pty.openpty()
    import fcntl
    import struct
    import termios

    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 99, 0, 0))
    process = subprocess.Popen(
        box.command("exec", "web", "sh"),
        cwd=box.folder,
        env=box.environ,
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
    )
    os.close(slave)
    seen = _talk(master, b"#", b"sleep 0.3; tty; stty size; exit 5\n", process)
    assert process.wait(20) == 5, seen
    assert "/dev/pts/" in seen
    assert "33 99" in seen


def _talk(master: int, prompt: bytes, line: bytes, process: subprocess.Popen[bytes]) -> str:
    seen, sent = b"", False
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if select.select([master], [], [], 0.2)[0]:
            try:
                seen += os.read(master, 4096)
            except OSError:
                break
        elif process.poll() is not None:
            break
        if prompt in seen and not sent:
            os.write(master, line)
            sent = True
    os.close(master)
    return seen.decode()


def test_run_makes_a_container_of_its_own_after_the_dependencies(box: Box) -> None:
    box.write(
        """
        services:
          db:
            image: $IMAGE
            command: $SLEEP
            healthcheck: {test: [CMD, "true"], interval: 30s}
          web: {image: $IMAGE, command: [echo, default], depends_on: {db: {condition: service_healthy}}}
        """
    )
    assert box.ok("run", "--rm", "web") == "default\n"
    result = box.run(
        "run", "--rm", "-T", "-e", "X=y", "web", "sh", "-c", "cat; echo $X; exit 3", stdin="hello\n"
    )
    assert (result.returncode, result.stdout) == (3, "hello\ny\n")
    assert set(box.ps()) == {"db-1"}
    assert box.ok("run", "--rm", "--no-deps", "--entrypoint", "echo over", "web", "there") == "over there\n"


def test_run_in_the_background_can_be_named(box: Box) -> None:
    box.write(WEB)
    box.ok("run", "-d", "--name", f"{box.project}-mine", "web")
    assert box.ps()["mine"]["State"] == "running"
    box.ok("down")
    assert box.ps() == {}


def test_a_run_that_ends_before_the_engine_hears_that_somebody_waits_ends(box: Box) -> None:
    box.write(WEB)
    with cuttable(box.address) as way:
        way.late[b"/wait"] = 1.0
        result = replace(box, address=way.address).run(
            "run", "--rm", "-T", "web", "sh", "-c", "echo done; exit 4", timeout=30
        )
    assert (result.returncode, result.stdout) == (4, "done\n"), result.stderr
