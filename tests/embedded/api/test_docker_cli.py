"""A tour with the real `docker` client, which we did not write: what it shows is what people see."""

from __future__ import annotations

import json
import os
import pty
import select
import struct
import subprocess
import tarfile
import time
import urllib.request
from collections.abc import Iterator
from fcntl import ioctl
from pathlib import Path
from termios import TIOCSWINSZ

import pytest
from tests.embedded.engine_process import EngineClient, ours_only
from tests.peers import IMAGE, busybox_archive
from tests.support.waiting import until

pytestmark = [pytest.mark.root, pytest.mark.as_user, pytest.mark.usefixtures("docker_cli")]


@pytest.fixture(autouse=True)
def no_containers_left(engine: EngineClient) -> Iterator[None]:
    yield
    for container in engine.request("GET", "/containers/json?all=1")[1]:
        engine.request("DELETE", f"/containers/{container['Id']}?force=1&v=1")


@ours_only("its own name and versions")
def test_version_shows_client_and_engine(engine: EngineClient) -> None:
    shown = json.loads(engine.docker("version", "--format", "{{json .}}").stdout)
    assert shown["Server"]["Platform"]["Name"] == "Stackwright Engine"
    assert shown["Server"]["ApiVersion"] == "1.50"
    assert shown["Server"]["MinAPIVersion"] == "1.24"


def test_info_counts_containers_and_images(engine: EngineClient) -> None:
    engine.docker("run", "-d", IMAGE, "sleep", "100")
    shown = json.loads(engine.docker("info", "--format", "{{json .}}").stdout)
    assert shown["ContainersRunning"] == 1
    assert shown["Images"] >= 1
    assert not shown.get("ServerErrors")


def test_images_lists_what_was_loaded(engine: EngineClient) -> None:
    # Whatever other tests left without a name on a shared engine is not meant.
    words = ("images", "--filter", "dangling=false", "--format", "{{.Repository}}:{{.Tag}}")
    assert engine.docker(*words).stdout.split() == [IMAGE]


def test_run_rm_passes_output_streams_and_exit_code_on_and_leaves_nothing(engine: EngineClient) -> None:
    done = engine.docker("run", "--rm", IMAGE, "sh", "-c", "echo out; echo err >&2; exit 7", check=False)
    assert (done.returncode, done.stdout, done.stderr) == (7, "out\n", "err\n")
    assert engine.docker("ps", "-aq").stdout == ""


def test_run_i_carries_stdin_to_its_end(engine: EngineClient) -> None:
    big = "x" * 70_000 + "\n"
    assert engine.docker("run", "--rm", "-i", IMAGE, "cat", stdin=big * 20).stdout == big * 20


def test_run_of_a_missing_program_says_so_with_127(engine: EngineClient) -> None:
    done = engine.docker("run", "--rm", IMAGE, "no-such-program", check=False)
    assert done.returncode == 127
    assert "executable file not found in $PATH" in done.stderr
    assert engine.docker("ps", "-aq").stdout == ""


def test_run_of_a_file_that_is_no_program_says_so_with_126(engine: EngineClient) -> None:
    assert engine.docker("run", "--rm", IMAGE, "/etc/passwd", check=False).returncode == 126


def test_run_of_an_unknown_image_names_it(engine: EngineClient) -> None:
    done = engine.docker("run", "--rm", "localhost:1/no-such-image", "true", check=False)
    assert done.returncode == 125
    assert "localhost:1/no-such-image" in done.stderr


def test_ps_shows_status_ports_and_names(engine: EngineClient) -> None:
    engine.docker("run", "-d", "--name", "shown", "-p", "127.0.0.1::80", IMAGE, "sleep", "100")
    row = engine.docker("ps", "--format", "{{.Names}}|{{.Status}}|{{.Ports}}|{{.Command}}").stdout.strip()
    name, status, ports, command = row.split("|")
    assert (name, command) == ("shown", '"sleep 100"')
    assert status.startswith("Up ")
    assert ports.startswith("127.0.0.1:") and ports.endswith("->80/tcp")


@ours_only("the suite's Docker Engine has a loopback of its own")
def test_a_published_port_answers_on_the_loopback(engine: EngineClient) -> None:
    engine.docker("run", "-d", "--name", "web", "-p", "80", IMAGE, "httpd", "-f", "-p", "80", "-h", "/etc")
    address = engine.docker("port", "web", "80/tcp").stdout.splitlines()[0]
    port = address.rpartition(":")[2]
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/passwd", timeout=10) as answer:
        assert answer.read().startswith(b"root:x:0:0")


def test_logs_f_follows_to_the_end(engine: EngineClient) -> None:
    engine.docker(
        "run", "-d", "--name", "talker", IMAGE, "sh", "-c", "for i in 1 2 3; do echo $i; sleep 0.2; done"
    )
    assert engine.docker("logs", "-f", "talker").stdout == "1\n2\n3\n"


def test_logs_honour_tail_and_timestamps(engine: EngineClient) -> None:
    engine.docker("run", "--name", "talker", IMAGE, "sh", "-c", "for i in 1 2 3; do echo $i; done")
    lines = engine.docker("logs", "-t", "--tail", "2", "talker").stdout.splitlines()
    assert [line.split(" ", 1)[1] for line in lines] == ["2", "3"]
    assert all(line[:4].isdigit() and line.split(" ")[0].endswith("Z") for line in lines)


def test_exec_runs_beside_the_container_and_gives_its_exit_code(engine: EngineClient) -> None:
    engine.docker("run", "-d", "--name", "host", "-e", "A=1", IMAGE, "sleep", "100")
    done = engine.docker(
        "exec", "-e", "B=2", "-w", "/tmp", "-u", "user", "host", "sh", "-c", "id -un; pwd; echo $A$B; exit 3",
        check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (3, "user\n/tmp\n12\n")
    assert engine.docker("exec", "-i", "host", "cat", stdin="in").stdout == "in"


@ours_only("126 from version 20.10; 127 is what 25 and later say")
def test_exec_of_a_missing_program_gives_127(engine: EngineClient) -> None:
    engine.docker("run", "-d", "--name", "host", IMAGE, "sleep", "100")
    done = engine.docker("exec", "host", "no-such-program", check=False)
    assert done.returncode == 127
    assert "not found" in done.stdout + done.stderr


class Terminal:
    """A program with a terminal of a given size."""

    def __init__(self, engine: EngineClient, *arguments: str) -> None:
        self.master, slave = pty.openpty()
        ioctl(slave, TIOCSWINSZ, struct.pack("HHHH", 33, 101, 0, 0))
        environment = {**os.environ, "DOCKER_HOST": engine.address, "TERM": "xterm"}
        self.process = subprocess.Popen(
            ["docker", *arguments], stdin=slave, stdout=slave, stderr=slave, env=environment, close_fds=True
        )
        os.close(slave)
        self.seen = b""

    def type(self, text: str) -> None:
        os.write(self.master, text.encode())

    def expect(self, text: str, seconds: float = 15) -> None:
        deadline = time.monotonic() + seconds
        while text.encode() not in self.seen:
            ready, _, _ = select.select([self.master], [], [], max(0, deadline - time.monotonic()))
            assert ready, f"{text!r} did not come, but {self.seen!r}"
            try:
                self.seen += os.read(self.master, 4096)
            except OSError:
                raise AssertionError(f"{text!r} did not come, but {self.seen!r} and the end") from None

    def close(self) -> int:
        code = self.process.wait(15)
        os.close(self.master)
        return code


def test_run_it_gives_a_terminal_of_the_clients_size(engine: EngineClient) -> None:
    terminal = Terminal(engine, "run", "--rm", "-it", IMAGE, "sh")
    terminal.expect("# ")
    terminal.type("stty size; tty\n")
    terminal.expect("33 101")
    terminal.expect("/dev/pts/0")
    terminal.type("exit 5\n")
    assert terminal.close() == 5


def test_exec_it_gives_a_terminal_and_ctrl_c_reaches_the_program(engine: EngineClient) -> None:
    engine.docker("run", "-d", "--name", "host", IMAGE, "sleep", "100")
    terminal = Terminal(engine, "exec", "-it", "host", "sh")
    terminal.expect("# ")
    terminal.type("stty size; sleep 50\n")
    terminal.expect("33 101")
    time.sleep(0.3)
    terminal.type("\x03")
    terminal.expect("# ", 5)
    terminal.type("echo still-here\nexit 4\n")
    terminal.expect("still-here\r\n")
    assert terminal.close() == 4


def test_attach_sees_what_comes_after_it(engine: EngineClient) -> None:
    engine.docker("run", "-d", "--name", "ticker", IMAGE, "sh", "-c", "sleep 1; echo late; exit 2")
    done = engine.docker("attach", "--no-stdin", "ticker", check=False)
    assert (done.returncode, done.stdout) == (2, "late\n")


def test_start_a_misses_nothing_of_a_short_run(engine: EngineClient) -> None:
    engine.docker("create", "--name", "short", IMAGE, "echo", "everything")
    for _ in range(10):
        assert engine.docker("start", "-a", "short").stdout == "everything\n"


def test_inspect_tells_configuration_and_state(engine: EngineClient) -> None:
    engine.docker(
        "run", "-d", "--name", "seen", "--label", "a=b", "--memory", "64m", "--restart", "on-failure:3",
        "-v", "stored:/data", IMAGE, "sleep", "100",
    )  # fmt: skip
    shown = json.loads(engine.docker("inspect", "seen").stdout)[0]
    assert shown["Name"] == "/seen"
    assert shown["State"]["Status"] == "running" and shown["State"]["Pid"] > 1
    assert shown["Config"]["Labels"] == {"a": "b"} and shown["Config"]["Cmd"] == ["sleep", "100"]
    assert shown["HostConfig"]["Memory"] == 64 * 1024 * 1024
    assert shown["HostConfig"]["RestartPolicy"] == {"Name": "on-failure", "MaximumRetryCount": 3}
    assert shown["Mounts"][0]["Name"] == "stored" and shown["Mounts"][0]["Destination"] == "/data"
    assert shown["NetworkSettings"]["Networks"]["bridge"]["IPAddress"]
    engine.docker("rm", "-f", "seen")
    engine.docker("volume", "rm", "stored")


def test_stop_sends_the_stop_signal_and_kills_after_the_grace_period(engine: EngineClient) -> None:
    script = "trap 'echo bye; exit 9' TERM; echo up; while :; do sleep 0.05; done"
    engine.docker("run", "-d", "--name", "polite", IMAGE, "sh", "-c", script)
    until(lambda: "up" in engine.docker("logs", "polite").stdout)
    engine.docker("stop", "polite")
    assert engine.docker("logs", "polite").stdout == "up\nbye\n"
    assert engine.docker("inspect", "-f", "{{.State.ExitCode}}", "polite").stdout == "9\n"
    engine.docker("run", "-d", "--name", "stubborn", "--stop-timeout", "1", IMAGE, "sleep", "100")
    engine.docker("stop", "stubborn")
    assert engine.docker("inspect", "-f", "{{.State.ExitCode}}", "stubborn").stdout == "137\n"


def test_kill_restart_pause_and_wait(engine: EngineClient) -> None:
    engine.docker("run", "-d", "--name", "one", IMAGE, "sleep", "100")
    first = engine.docker("inspect", "-f", "{{.State.Pid}}", "one").stdout
    engine.docker("restart", "-t", "0", "one")
    assert engine.docker("inspect", "-f", "{{.State.Pid}}", "one").stdout != first
    engine.docker("pause", "one")
    assert "(Paused)" in engine.docker("ps", "--format", "{{.Status}}").stdout
    engine.docker("unpause", "one")
    engine.docker("kill", "-s", "KILL", "one")
    assert engine.docker("wait", "one").stdout == "137\n"


def test_rename_update_and_top(engine: EngineClient) -> None:
    engine.docker("run", "-d", "--name", "before", IMAGE, "sleep", "100")
    engine.docker("rename", "before", "after")
    engine.docker("update", "--memory", "32m", "--memory-swap", "64m", "--restart", "always", "after")
    shown = json.loads(engine.docker("inspect", "after").stdout)[0]["HostConfig"]
    assert (shown["Memory"], shown["RestartPolicy"]["Name"]) == (32 * 1024 * 1024, "always")
    top = engine.docker("top", "after").stdout.splitlines()
    assert top[0].split()[:3] == ["UID", "PID", "PPID"] and top[1].endswith("sleep 100")


def test_stats_shows_memory_and_processes(engine: EngineClient) -> None:
    engine.docker("run", "-d", "--name", "busy", "--memory", "64m", IMAGE, "sleep", "100")
    shown = json.loads(engine.docker("stats", "--no-stream", "--format", "{{json .}}", "busy").stdout)
    assert shown["Name"] == "busy" and shown["PIDs"] == "1"
    assert shown["MemUsage"].endswith("/ 64MiB")


def test_cp_goes_both_ways_also_when_the_container_is_stopped(engine: EngineClient, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_text("content")
    engine.docker("run", "-d", "--name", "box", "-v", "vault:/vault", IMAGE, "sleep", "100")
    engine.docker("cp", str(tmp_path / "in"), "box:/vault/in")
    assert engine.docker("exec", "box", "cat", "/vault/in/a.txt").stdout == "content"
    engine.docker("stop", "-t", "0", "box")
    engine.docker("cp", "box:/vault/in", str(tmp_path / "out"))
    assert (tmp_path / "out" / "a.txt").read_text() == "content"
    engine.docker("cp", str(tmp_path / "in" / "a.txt"), "box:/tmp/b.txt")
    engine.docker("start", "box")
    assert engine.docker("exec", "box", "cat", "/tmp/b.txt").stdout == "content"
    missing = engine.docker("cp", "box:/nowhere", str(tmp_path), check=False)
    assert missing.returncode == 1 and "Could not find the file /nowhere" in missing.stderr
    engine.docker("rm", "-f", "box")
    engine.docker("volume", "rm", "vault")


def test_diff_and_export_show_what_changed(engine: EngineClient, tmp_path: Path) -> None:
    engine.docker(
        "run", "--name", "changer", IMAGE, "sh", "-c", "echo x > /new; rm /etc/group; echo y >> /etc/passwd"
    )
    assert sorted(engine.docker("diff", "changer").stdout.splitlines()) == [
        "A /new",
        "C /etc",
        "C /etc/passwd",
        "D /etc/group",
    ]
    engine.docker("export", "-o", str(tmp_path / "root.tar"), "changer")
    with tarfile.open(tmp_path / "root.tar") as tar:
        names = tar.getnames()
    assert "new" in names and "bin/busybox" in names and "etc/group" not in names


def names_in_last_layer(archive: Path) -> set[str]:
    """Of an image that `docker save` wrote."""
    with tarfile.open(archive) as tar:
        manifest = tar.extractfile("manifest.json")
        assert manifest is not None
        layer = tar.extractfile(json.load(manifest)[0]["Layers"][-1])
        with tarfile.open(fileobj=layer) as names:
            return {name.strip("/") for name in names.getnames()}


def test_commit_makes_an_image_of_the_changes(engine: EngineClient, tmp_path: Path) -> None:
    engine.docker("run", "--name", "changer", IMAGE, "sh", "-c", "echo kept > /kept")
    engine.docker("commit", "changer", "changed:1")
    assert engine.docker("run", "--rm", "changed:1", "cat", "/kept").stdout == "kept\n"
    engine.docker("save", "-o", str(tmp_path / "image.tar"), "changed:1")
    assert "kept" in (names := names_in_last_layer(tmp_path / "image.tar"))
    assert not names & {".dockerenv", "etc/hosts", "etc/hostname", "etc/resolv.conf", "dev", "proc", "sys"}
    engine.docker("rm", "changer")
    engine.docker("rmi", "changed:1")


def test_networks_resolve_names_and_isolate(engine: EngineClient) -> None:
    for name in ("left", "right"):
        engine.docker("network", "create", name)
    engine.docker(
        "run", "-d", "--name", "server", "--network", "left", "--network-alias", "svc", IMAGE, "sleep", "100"
    )
    ping = ("timeout", "3", "ping", "-c1", "-W1")  # a name that nobody knows may be looked up for long
    assert engine.docker("run", "--rm", "--network", "left", IMAGE, *ping, "svc", check=False).returncode == 0
    assert (
        engine.docker("run", "--rm", "--network", "right", IMAGE, *ping, "svc", check=False).returncode != 0
    )
    engine.docker("network", "connect", "right", "server")
    assert engine.docker("run", "--rm", "--network", "right", IMAGE, *ping, "server").returncode == 0
    engine.docker("network", "disconnect", "right", "server")
    assert (
        engine.docker("run", "--rm", "--network", "right", IMAGE, *ping, "server", check=False).returncode
        != 0
    )
    names = engine.docker("network", "ls", "--format", "{{.Name}}").stdout.split()
    assert sorted(names) == ["bridge", "host", "left", "none", "right"]
    in_use = engine.docker("network", "rm", "left", check=False)
    assert in_use.returncode == 1 and "has active endpoints" in in_use.stderr
    engine.docker("rm", "-f", "server")
    engine.docker("network", "rm", "left", "right")


def test_volumes_are_created_listed_filled_and_removed(engine: EngineClient) -> None:
    engine.docker("volume", "create", "--label", "x=y", "things")
    engine.docker("run", "--rm", "-v", "things:/etc", IMAGE, "touch", "/etc/added")
    listed = engine.docker("run", "--rm", "-v", "things:/mnt:ro", IMAGE, "ls", "/mnt").stdout.split()
    assert {"added", "passwd"} <= set(listed)
    assert engine.docker("volume", "ls", "-q", "--filter", "label=x=y").stdout == "things\n"
    engine.docker("run", "-d", "--name", "user", "-v", "things:/x", IMAGE, "sleep", "100")
    assert "volume is in use" in engine.docker("volume", "rm", "things", check=False).stderr
    engine.docker("rm", "-f", "user")
    engine.docker("volume", "rm", "things")


def test_rm_v_removes_anonymous_volumes_and_keeps_named_ones(engine: EngineClient) -> None:
    engine.docker("run", "--name", "holder", "-v", "/anonymous", "-v", "named:/named", IMAGE, "true")
    assert len(engine.docker("volume", "ls", "-q").stdout.split()) == 2
    engine.docker("rm", "-v", "holder")
    assert engine.docker("volume", "ls", "-q").stdout == "named\n"
    engine.docker("volume", "rm", "named")


def test_build_with_the_classic_builder_then_run(engine: EngineClient, tmp_path: Path) -> None:
    (tmp_path / "hello").write_text("hello\n")
    (tmp_path / "Dockerfile").write_text(
        f"FROM {IMAGE} AS base\nARG WHO=nobody\nCOPY hello /hello\nRUN echo $WHO >> /hello\n"
        'FROM base\nUSER user\nCMD ["cat", "/hello"]\n'
    )
    built = engine.docker("build", "-t", "built:1", "--build-arg", "WHO=world", str(tmp_path))
    assert "Successfully tagged built:1" in built.stdout
    assert engine.docker("run", "--rm", "built:1").stdout == "hello\nworld\n"
    again = engine.docker("build", "-t", "built:1", "--build-arg", "WHO=world", str(tmp_path))
    assert again.stdout.count("Using cache") >= 3
    engine.docker("rmi", "built:1")


def test_a_failing_build_says_which_command_failed(engine: EngineClient, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(f"FROM {IMAGE}\nRUN echo trying; exit 3\n")
    done = engine.docker("build", str(tmp_path), check=False)
    assert done.returncode == 3
    assert "trying" in done.stdout
    assert "returned a non-zero code: 3" in done.stderr


def test_save_load_tag_and_rmi(engine: EngineClient, tmp_path: Path) -> None:
    engine.docker("tag", IMAGE, "other:2")
    archive = tmp_path / "image.tar"
    engine.docker("save", "-o", str(archive), "other:2")
    engine.docker("rmi", "other:2")
    assert "Loaded image: other:2" in engine.docker("load", "-i", str(archive)).stdout
    engine.docker("rmi", "other:2")
    (tmp_path / "busybox.tar.gz").write_bytes(busybox_archive("packed:1"))
    assert "packed:1" in engine.docker("load", "-i", str(tmp_path / "busybox.tar.gz")).stdout
    engine.docker("rmi", "packed:1")


def test_import_history_and_image_prune(engine: EngineClient, tmp_path: Path) -> None:
    engine.docker("create", "--name", "whole", IMAGE, "true")
    archive = tmp_path / "root.tar"
    engine.docker("export", "-o", str(archive), "whole")
    engine.docker("import", "-c", "CMD cat /etc/passwd", "-m", "from a file", str(archive), "imported:1")
    assert engine.docker("run", "--rm", "imported:1").stdout.startswith("root:x:0:0")
    shown = json.loads(engine.docker("image", "inspect", "imported:1").stdout)[0]
    assert shown["Comment"] == "from a file" and len(shown["RootFS"]["Layers"]) == 1
    rows = engine.docker("history", "--format", "{{.Comment}}", "imported:1").stdout.splitlines()
    assert rows == ["from a file"]
    engine.docker("tag", "imported:1", "other:1")
    engine.docker("rmi", "imported:1")
    engine.docker("image", "prune", "-af", "--filter", "until=1h")
    assert "other:1" in engine.docker("images", "--format", "{{.Repository}}:{{.Tag}}").stdout.split()
    engine.docker("rmi", "other:1")


def test_networks_with_subnets_fixed_addresses_and_prune(engine: EngineClient) -> None:
    engine.docker(
        "network", "create", "--subnet", "10.77.0.0/24", "--ip-range", "10.77.0.128/25", "--gateway", "10.77.0.254",
        "--label", "a=b", "planned",
    )  # fmt: skip
    shown = json.loads(engine.docker("network", "inspect", "planned").stdout)[0]
    config = shown["IPAM"]["Config"][0]
    assert (config["Subnet"], config["Gateway"]) == ("10.77.0.0/24", "10.77.0.254")
    fixed = ("--network", "planned", "--ip", "10.77.0.7")
    engine.docker("run", "-d", "--name", "fixed", *fixed, IMAGE, "sleep", "100")
    seen = engine.docker("exec", "fixed", "sh", "-c", "ip address show eth0; ip route").stdout
    assert "10.77.0.7/24" in seen and "default via 10.77.0.254" in seen
    engine.docker("run", "-d", "--name", "any", "--network", "planned", IMAGE, "sleep", "100")
    form = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
    address = engine.docker("inspect", "-f", form, "any").stdout.strip()
    assert int(address.rpartition(".")[2]) >= 128, "outside of the range"
    again = engine.docker(
        "run", "--rm", "--network", "planned", "--ip", "10.77.0.7", IMAGE, "true", check=False
    )
    assert again.returncode == 125 and "in use" in again.stderr.lower()
    engine.docker("network", "create", "idle")
    assert "idle" in engine.docker("network", "prune", "-f").stdout
    names = engine.docker("network", "ls", "--format", "{{.Name}}", "--filter", "label=a=b").stdout
    assert names == "planned\n"
    engine.docker("rm", "-f", "fixed", "any")
    engine.docker("network", "rm", "planned")


def test_build_uses_the_classic_builder_by_itself(engine: EngineClient, tmp_path: Path) -> None:
    """Without the buildx plugin nothing has to be said in the environment."""
    (tmp_path / "Dockerfile").write_text(f"FROM {IMAGE}\nRUN echo made > /made\n")
    environment = {key: value for key, value in os.environ.items() if key != "DOCKER_BUILDKIT"}
    environment |= {"DOCKER_HOST": engine.address, "DOCKER_CONFIG": str(tmp_path / "config")}
    plain = subprocess.run(["docker", "buildx", "version"], env=environment, capture_output=True, check=False)
    if plain.returncode == 0:
        pytest.skip("the buildx plugin is installed for every user")
    command = ["docker", "build", "-t", "built:2", str(tmp_path)]
    built = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert built.returncode == 0, built.stderr
    assert "Successfully tagged built:2" in built.stdout
    engine.docker("rmi", "built:2")


def test_events_replay_with_filters(engine: EngineClient) -> None:
    since = str(time.time())
    engine.docker("run", "--rm", "--name", "noted", IMAGE, "true")
    done = engine.docker(
        "events", "--since", since, "--until", str(time.time()), "--filter", "container=noted",
        "--filter", "type=container", "--format", "{{.Action}}",
    )  # fmt: skip
    assert done.stdout.split() == ["create", "attach", "start", "die", "destroy"]


def test_system_df_and_prune(engine: EngineClient) -> None:
    engine.docker("run", "--name", "done", IMAGE, "sh", "-c", "echo some bytes > /x")
    engine.docker("network", "create", "unused")
    assert "Images" in engine.docker("system", "df").stdout
    pruned = engine.docker("system", "prune", "-f").stdout
    assert "unused" in pruned and "Deleted Containers" in pruned
    assert engine.docker("ps", "-aq").stdout == ""


def test_a_name_in_use_is_refused_as_docker_does(engine: EngineClient) -> None:
    first = engine.docker("create", "--name", "taken", IMAGE).stdout.strip()
    second = engine.docker("create", "--name", "taken", IMAGE, check=False)
    assert f'The container name "/taken" is already in use by container "{first}"' in second.stderr
