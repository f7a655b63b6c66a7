"""A command carried out by a fork server: nobody could tell, but for the time."""

from __future__ import annotations

import json
import os
import pty
import resource
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from tests.support.forkserver import DECLINED, Served, end_servers, server_of
from tests.support.waiting import until

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture
def place(tmp_path: Path) -> Served:
    """Where nobody listens yet."""
    folder = tmp_path / "warm"
    folder.mkdir(mode=0o700)
    kept = {
        key: value for key, value in os.environ.items() if key not in ("CI", "DOCKER_HOST", "DOCKER_CONTEXT")
    }
    added = {"STACKWRIGHT_WARM": "1", "STACKWRIGHT_WARM_DIR": str(folder), "PYTHONPATH": str(REPOSITORY)}
    return Served(folder, {**kept, **added, "HOME": str(tmp_path)})


def serve(place: Served, source: Path, idle: float = 60) -> subprocess.Popen[bytes]:
    """A fork server that listens, or has ended because it could not."""
    source.touch()
    words = [sys.executable, "-m", "tests.support.forkserver", "serve", str(source), str(idle)]
    process = subprocess.Popen(words, env=place.environ, stdin=subprocess.DEVNULL, start_new_session=True)
    until(lambda: process.poll() is not None or ((path := place.socket()) and server_of(path) == process.pid))
    return process


@pytest.fixture
def served(place: Served, tmp_path: Path) -> Iterator[Served]:
    """With a fork server that listens."""
    process = serve(place, tmp_path / "source.py")
    yield place
    process.terminate()
    process.wait()


def told(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def test_a_worker_is_started_as_its_client_was(served: Served, tmp_path: Path) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    environ = {**served.environ, "ONLY": "here", "TZ": "Asia/Tokyo"}
    script = f"umask 027; exec {shlex.join(served.client('version', 'tell', 'a b', ''))}"
    done = told(run_shell(script, environ, folder))
    assert done["words"] == done["argv"] == ["version", "tell", "a b", ""]
    assert done["folder"] == str(folder)
    expected = {**environ, "PWD": str(folder)}
    assert {**done["environ"], "PWD": str(folder), "_": "", "SHLVL": "", "OLDPWD": ""} == {
        **expected, "_": "", "SHLVL": "", "OLDPWD": "",
    }  # fmt: skip
    assert done["umask"] == 0o027
    assert done["zone"] == "JST"
    assert len(done["files"]) == 5, (
        "standard input, output, error, the line to its client, the listing itself"
    )
    assert done["inherited"] == [0, 1, 2], "what the commands that it starts get"
    assert "default_int_handler" in done["interrupt"]


def run_shell(script: str, environ: dict[str, str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", "-c", script], env=environ, cwd=folder, capture_output=True, text=True, timeout=60
    )


def test_nothing_of_one_command_is_left_for_the_next(served: Served) -> None:
    told(served.ask("tell", env={**served.environ, "ONLY": "once"}))
    assert "ONLY" not in told(served.ask("tell"))["environ"]


@pytest.mark.skipif(
    tuple(map(int, os.uname().release.split(".")[:2])) < (5, 14), reason="the kernel cannot populate pages"
)
def test_a_worker_forked_ahead_shares_no_page_that_it_would_have_to_copy(
    place: Served, tmp_path: Path
) -> None:
    process = serve(place, tmp_path / "source.py")
    try:
        spare = int(until(lambda: spare_of(process.pid)))
        until(lambda: shared_pages(spare) < 0.1)
    finally:
        process.terminate()
        process.wait()


def shared_pages(pid: int) -> float:
    """Which part of the memory that a process may write to it still shares with others."""
    shared = owned = 0
    writable = False
    for text in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        name, _, value = text.partition(":")
        if " rw-p " in text:
            writable = "[stack]" not in text
        elif " " in name:
            writable = False
        elif writable and name in ("Shared_Clean", "Shared_Dirty"):
            shared += int(value.split()[0])
        elif writable and name in ("Private_Clean", "Private_Dirty"):
            owned += int(value.split()[0])
    return shared / (shared + owned)


def test_standard_streams_are_the_clients(served: Served) -> None:
    done = served.ask("copy", input="in and out\n")
    assert (done.stdout, done.stderr) == ("in and out\n", "aside\n")


@pytest.mark.parametrize("code", [0, 1, 17, 255])
def test_the_exit_code_is_the_workers(served: Served, code: int) -> None:
    assert served.ask("exit", str(code)).returncode == code


def test_an_error_is_told_as_without_a_fork_server(served: Served) -> None:
    done = served.ask("fail")
    assert done.returncode == 1
    assert "RuntimeError: as planned" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGABRT])
def test_a_client_ends_by_the_signal_that_ended_the_worker(served: Served, number: int) -> None:
    assert served.ask("die", str(int(number))).returncode == -number


def test_signals_are_passed_on(served: Served) -> None:
    names = ["SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM", "SIGUSR1", "SIGUSR2", "SIGWINCH"]
    with client(served, "listen", *names) as process:
        assert line(process).startswith("pid")
        for name in names:
            process.send_signal(getattr(signal, name))
            assert line(process) == name
        process.kill()


def test_what_the_client_ignores_the_worker_ignores(served: Served) -> None:
    script = f"trap '' HUP INT; exec {shlex.join(served.client('version', 'tell'))}"
    done = told(run_shell(script, served.environ, served.folder))
    assert "SIG_IGN" in done["hangup"]
    assert "SIG_IGN" in done["interrupt"]


def test_a_killed_client_takes_its_worker_along(served: Served) -> None:
    with client(served, "wait") as process:
        pid = int(line(process).split()[1])
        process.kill()
        process.wait()
        until(lambda: not Path(f"/proc/{pid}").exists())


def test_a_killed_fork_server_is_said(served: Served) -> None:
    with client(served, "wait") as process:
        line(process)
        path = served.socket()
        assert path
        os.kill(server_of(path), signal.SIGKILL)
        _, errors = process.communicate(timeout=20)
    assert process.returncode == 1
    assert "has ended with its fork server; run it again" in errors


def client(served: Served, *words: str, **extra: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        served.client("version", *words),
        env=served.environ, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **extra,
    )  # fmt: skip


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    return process.stdout.readline().strip()


def spare_of(pid: int) -> str:
    """The worker that a fork server without commands has forked ahead."""
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().strip()


def state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def on_a_terminal(served: Served, script: str) -> tuple[int, int]:
    """A shell with job control on a terminal of its own: its process and the terminal's other end."""
    pid, master = pty.fork()
    if pid == 0:
        os.execvpe("bash", ["bash", "--norc", "-i", "-c", f"set -m; {script}"], served.environ)
    return pid, master


def read_until(master: int, text: str, seconds: float = 20.0) -> str:
    said = ""
    deadline = time.monotonic() + seconds
    while text not in said:
        assert time.monotonic() < deadline, said
        with suppress(OSError):
            said += os.read(master, 4096).decode()
    return said


def test_ctrl_z_stops_the_worker_and_fg_continues_it(served: Served) -> None:
    command = shlex.join(served.client("version", "wait"))
    pid, master = on_a_terminal(served, f"{command}; echo stopped; read; fg; echo over")
    try:
        worker = int(read_until(master, "pid ").partition("pid ")[2] or read_until(master, "\n"))
        os.write(master, b"\x1a")
        read_until(master, "stopped")
        until(lambda: state(worker) == "T")
        os.write(master, b"\n")
        # Only then does Ctrl-C go to the command: the shell itself has the terminal until `fg` gives it away.
        until(lambda: os.tcgetpgrp(master) != pid)
        until(lambda: state(worker) in "RS")
        os.write(master, b"\x03")
        read_until(master, "over")
        assert not Path(f"/proc/{worker}").exists()
    finally:
        os.close(master)
        os.waitpid(pid, 0)


def test_a_job_in_the_background_of_a_terminal_runs_by_itself(served: Served) -> None:
    command = shlex.join(served.client("version", "tell"))
    pid, master = on_a_terminal(served, f"{command} & wait $!; echo code=$?")
    try:
        assert f"code={DECLINED}" in read_until(master, f"code={DECLINED}")
    finally:
        os.close(master)
        os.waitpid(pid, 0)


@pytest.mark.parametrize(
    "difference",
    [
        pytest.param("LC_ALL=C.UTF-8 exec", id="a locale"),
        pytest.param("ulimit -n 99; exec", id="a limit"),
        pytest.param("exec nice -n 3", id="a priority"),
        pytest.param("PYTHONHASHSEED=5 exec", id="a setting of the interpreter"),
        pytest.param("STACKWRIGHT_WARM=0 exec", id="not wanted"),
        pytest.param(
            "DOCKER_HOST=ssh://somewhere exec", id="an engine behind ssh, which may ask for a passphrase"
        ),
        pytest.param("unset STACKWRIGHT_WARM; CI=true exec", id="a build server"),
    ],
)
def test_a_command_started_differently_runs_by_itself(served: Served, difference: str) -> None:
    script = f"{difference} {shlex.join(served.client('version', 'tell'))}"
    assert run_shell(script, served.environ, served.folder).returncode == DECLINED
    assert served.ask("exit", "0").returncode == 0, "others are still served"


def test_nobody_listens(place: Served) -> None:
    assert place.ask("tell").returncode == DECLINED


def test_a_changed_program_is_not_served_from_memory(place: Served, tmp_path: Path) -> None:
    source = tmp_path / "source.py"
    process = serve(place, source)
    assert place.ask("exit", "0").returncode == 0
    source.write_text("changed = True\n")
    assert place.ask("exit", "0").returncode == DECLINED
    assert process.wait(timeout=20) == 0
    assert place.socket() is None


def test_it_ends_when_idle_and_when_its_socket_is_removed(place: Served, tmp_path: Path) -> None:
    process = serve(place, tmp_path / "source.py", idle=0.3)
    assert process.wait(timeout=20) == 0
    assert place.socket() is None
    process = serve(place, tmp_path / "source.py")
    path = place.socket()
    assert path
    path.unlink()
    assert process.wait(timeout=20) == 0


@pytest.mark.parametrize(("parent", "code"), [("os.getppid()", 0), ("os.getpid()", 1)])
def test_a_worker_without_its_fork_server_ends(parent: str, code: int) -> None:
    """`code` 1: it had ended between the fork and the worker's wish to end with it."""
    words = f"import os; from stackwright.cli.warm.worker import die_with; die_with({parent})"
    assert subprocess.run([sys.executable, "-c", words], timeout=60).returncode == code


def test_it_waits_for_its_last_command(place: Served, tmp_path: Path) -> None:
    process = serve(place, tmp_path / "source.py", idle=2)
    with client(place, "wait") as command:
        line(command)
        time.sleep(2.5)
        assert process.poll() is None
        command.kill()
    assert process.wait(timeout=20) == 0


def test_one_serves_the_second_leaves(served: Served, tmp_path: Path) -> None:
    second = serve(served, tmp_path / "another.py")
    assert second.wait(timeout=20) == 3
    assert served.ask("exit", "5").returncode == 5


def test_a_dead_ones_socket_is_taken_over(place: Served, tmp_path: Path) -> None:
    first = serve(place, tmp_path / "source.py")
    path = place.socket()
    assert path
    first.kill()
    first.wait()
    until(lambda: not server_of(path), "the worker that it forked in its last moment to let go of its socket")
    second = serve(place, tmp_path / "source.py")
    assert place.ask("exit", "5").returncode == 5
    second.terminate()
    second.wait()


def test_only_its_user_may_come_in(served: Served) -> None:
    path = served.socket()
    assert path
    assert path.stat().st_mode & 0o077 == 0


def test_a_folder_that_others_may_write_is_not_used(place: Served, tmp_path: Path) -> None:
    place.folder.chmod(0o777)
    assert serve(place, tmp_path / "source.py").wait(timeout=20) == 3


def test_a_large_environment_arrives(served: Served) -> None:
    large = {f"V{number}": "x" * 100_000 for number in range(12)}
    environ = told(served.ask("tell", env={**served.environ, **large}))["environ"]
    assert all(environ[name] == value for name, value in large.items())


@pytest.mark.parametrize(
    "garbage", [b"", b"\0", b"\xff\xff\xff\xff", b"\0\0\0\x05hello", b"GET / HTTP/1.0\r\n\r\n"]
)
def test_garbage_is_turned_away(served: Served, garbage: bytes) -> None:
    path = served.socket()
    assert path
    with closing(socket.socket(socket.AF_UNIX)) as stranger:
        stranger.connect(str(path))
        stranger.sendall(garbage)
        stranger.shutdown(socket.SHUT_WR)
        with suppress(ConnectionResetError):
            assert stranger.recv(10) == b""
    assert served.ask("exit", "5").returncode == 5


def test_a_worker_knows_the_process_that_the_shell_knows(served: Served) -> None:
    done = run_shell(
        f"echo $$; exec {shlex.join(served.client('version', 'tell'))}", served.environ, served.folder
    )
    pid, report = done.stdout.splitlines()
    assert json.loads(report)["command"] == int(pid)


def test_many_at_once(served: Served) -> None:
    commands = [client(served, "exit", str(number)) for number in range(30)]
    assert [command.wait(timeout=60) for command in commands] == list(range(30))
    for command in commands:
        command.communicate()


def test_the_limits_of_this_test_are_those_of_the_worker(served: Served) -> None:
    assert told(served.ask("tell"))["open files"] == resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def test_the_command_leaves_one_and_the_next_uses_it(place: Served, tmp_path: Path) -> None:
    command = [str(Path(sys.executable).with_name("stackwright")), "version", "--short"]
    try:
        first = subprocess.run(command, env=place.environ, cwd=tmp_path, capture_output=True, text=True)
        path = until(place.socket)
        pid = until(lambda: server_of(path))
        waiting = until(lambda: spare_of(pid))
        second = subprocess.run(command, env=place.environ, cwd=tmp_path, capture_output=True, text=True)
        assert (first.returncode, first.stdout) == (second.returncode, second.stdout)
        # The worker that waited has been used; it may still be ending.
        assert until(lambda: spare_of(pid) not in ("", waiting))
        assert Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[2] == b"stackwright.cli.warm.forkserver"
    finally:
        end_servers(place.folder)
