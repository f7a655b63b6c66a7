"""What `docker run` can be told about a container, checked from inside it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.embedded.engine_process import EngineClient, root_only
from tests.peers import IMAGE

pytestmark = [pytest.mark.root, pytest.mark.as_user, pytest.mark.usefixtures("docker_cli")]


@pytest.fixture(autouse=True)
def no_containers_left(engine: EngineClient) -> Iterator[None]:
    yield
    for container in engine.request("GET", "/containers/json?all=1")[1]:
        engine.request("DELETE", f"/containers/{container['Id']}?force=1&v=1")


def run(engine: EngineClient, *arguments: str) -> str:
    return engine.docker("run", "--rm", *arguments).stdout


def test_environment_directory_user_and_host_name(engine: EngineClient) -> None:
    seen = run(
        engine, "-e", "A=b c", "-w", "/srv", "-u", "1000:5", "-h", "me", IMAGE, "sh", "-c",
        "echo $A; pwd; id -u; id -g; hostname",
    )  # fmt: skip
    assert seen.splitlines() == ["b c", "/srv", "1000", "5", "me"]


def test_entrypoint_replaces_and_an_empty_one_clears(engine: EngineClient) -> None:
    assert run(engine, "--entrypoint", "echo", IMAGE, "given") == "given\n"
    assert run(engine, "--entrypoint", "", IMAGE, "echo", "plain") == "plain\n"


def test_a_read_only_root_with_a_tmpfs(engine: EngineClient) -> None:
    script = "touch /x 2>/dev/null || echo refused; touch /scratch/x && echo written; grep -c ' /scratch ' /proc/mounts"
    assert (
        run(engine, "--read-only", "--tmpfs", "/scratch:size=1m", IMAGE, "sh", "-c", script)
        == "refused\nwritten\n1\n"
    )


@root_only("the folder is root's: test_containers.py::test_a_folder_of_the_user_is_bound")
def test_binds_read_only_and_read_write(engine: EngineClient, tmp_path: Path) -> None:
    (tmp_path / "seen").write_text("seen")
    script = "cat /ro/seen; touch /ro/x 2>/dev/null || echo -n ' refused'; echo back > /rw/back"
    assert (
        run(engine, "-v", f"{tmp_path}:/ro:ro", "-v", f"{tmp_path}:/rw", IMAGE, "sh", "-c", script)
        == "seen refused"
    )
    assert (tmp_path / "back").read_text() == "back\n"


@root_only("the folder is root's")
def test_a_bind_of_a_missing_folder_makes_it_and_the_long_form_refuses(
    engine: EngineClient, tmp_path: Path
) -> None:
    run(engine, "-v", f"{tmp_path}/made:/m", IMAGE, "true")
    assert (tmp_path / "made").is_dir()
    refused = engine.docker(
        "run",
        "--rm",
        "--mount",
        f"type=bind,source={tmp_path}/not-made,target=/m",
        IMAGE,
        "true",
        check=False,
    )
    assert "bind source path does not exist" in refused.stderr


def test_volumes_from_another_container(engine: EngineClient) -> None:
    engine.docker("run", "--name", "giver", "-v", "/shared", IMAGE, "sh", "-c", "echo gift > /shared/x")
    assert run(engine, "--volumes-from", "giver:ro", IMAGE, "cat", "/shared/x") == "gift\n"


def test_limits_on_memory_processes_and_processor(engine: EngineClient) -> None:
    engine.docker(
        "run",
        "-d",
        "--name",
        "small",
        "-m",
        "32m",
        "--pids-limit",
        "20",
        "--cpus",
        "0.5",
        IMAGE,
        "sleep",
        "100",
    )
    shown = json.loads(engine.docker("inspect", "small").stdout)[0]["HostConfig"]
    assert (shown["Memory"], shown["PidsLimit"], shown["NanoCpus"]) == (32 * 1024 * 1024, 20, 500_000_000)
    forks = engine.docker("exec", "small", "sh", "-c", "for i in $(seq 40); do sleep 5 & done", check=False)
    assert "can't fork" in forks.stderr


def test_capabilities_dropped_and_added(engine: EngineClient) -> None:
    assert (
        run(engine, "--cap-drop", "ALL", IMAGE, "sh", "-c", "chown 1 /tmp 2>/dev/null || echo refused")
        == "refused\n"
    )
    status = run(
        engine, "--cap-drop", "ALL", "--cap-add", "CHOWN", IMAGE, "grep", "CapEff", "/proc/self/status"
    )
    assert int(status.split()[1], 16) == 1


def test_ulimits_and_init_and_names_of_hosts(engine: EngineClient) -> None:
    assert (
        run(engine, "--ulimit", "nofile=123:456", IMAGE, "sh", "-c", "ulimit -n; ulimit -Hn") == "123\n456\n"
    )
    assert run(
        engine, "--add-host", "db.example:192.0.2.7", IMAGE, "grep", "db.example", "/etc/hosts"
    ).startswith("192.0.2.7")
    gateway = run(
        engine, "--add-host", "host.docker.internal:host-gateway", IMAGE, "grep", "internal", "/etc/hosts"
    )
    route = run(engine, IMAGE, "sh", "-c", "ip route | grep default").split()[2]
    assert gateway.split()[0] == route
    assert run(engine, "--init", IMAGE, "sh", "-c", "echo $$").strip() != "1"


def test_network_modes_host_none_and_container(engine: EngineClient) -> None:
    assert "eth0" not in run(engine, "--network", "none", IMAGE, "ip", "link")
    engine.docker(
        "run", "-d", "--name", "first", IMAGE, "sh", "-c", "echo shared > /tmp/i; httpd -f -p 8080 -h /tmp"
    )
    assert (
        run(engine, "--network", "container:first", IMAGE, "wget", "-qO-", "http://127.0.0.1:8080/i")
        == "shared\n"
    )
    host = run(engine, "--network", "host", IMAGE, "hostname").strip()
    assert host == Path("/proc/sys/kernel/hostname").read_text().strip()


def test_links_on_the_default_bridge(engine: EngineClient) -> None:
    engine.docker("run", "-d", "--name", "linked", IMAGE, "sleep", "100")
    assert (
        engine.docker(
            "run", "--rm", "--link", "linked:other", IMAGE, "ping", "-c1", "-W2", "other"
        ).returncode
        == 0
    )


def test_restart_on_failure_gives_up_after_its_count(engine: EngineClient) -> None:
    engine.docker(
        "run", "-d", "--name", "loser", "--restart", "on-failure:2", IMAGE, "sh", "-c", "echo try; exit 3"
    )
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        shown = json.loads(engine.docker("inspect", "loser").stdout)[0]
        if shown["State"]["Status"] == "exited" and shown["RestartCount"] == 2:
            break
        time.sleep(0.05)
    assert (shown["State"]["Status"], shown["RestartCount"], shown["State"]["ExitCode"]) == ("exited", 2, 3)
    assert engine.docker("logs", "loser").stdout == "try\n" * 3


def test_restart_backs_off_and_stop_ends_it(engine: EngineClient) -> None:
    engine.docker("run", "-d", "--name", "flapper", "--restart", "always", IMAGE, "true")
    time.sleep(1.2)
    count = json.loads(engine.docker("inspect", "flapper").stdout)[0]["RestartCount"]
    assert 2 <= count <= 4  # 100, 200, 400, 800 ms
    engine.docker("stop", "flapper")
    time.sleep(1)
    shown = json.loads(engine.docker("inspect", "flapper").stdout)[0]
    assert shown["State"]["Status"] == "exited"
    assert shown["RestartCount"] <= count + 1


def test_log_rotation_keeps_what_it_is_told_to(engine: EngineClient) -> None:
    script = "i=0; while [ $i -lt 3000 ]; do echo line-$i; i=$((i+1)); done"
    engine.docker(
        "run",
        "--name",
        "chatty",
        "--log-opt",
        "max-size=20k",
        "--log-opt",
        "max-file=2",
        IMAGE,
        "sh",
        "-c",
        script,
    )
    lines = engine.docker("logs", "chatty").stdout.splitlines()
    assert lines[-1] == "line-2999"
    assert 100 < len(lines) < 3000
    assert lines == [f"line-{i}" for i in range(3000 - len(lines), 3000)]


@pytest.mark.parametrize(
    ("driver", "whose"), [("json-file", "json-file log driver"), ("local", "log driver local")]
)
def test_an_unknown_option_of_the_log_is_refused(engine: EngineClient, driver: str, whose: str) -> None:
    words = ("create", "--log-driver", driver, "--log-opt", "max-files=2", IMAGE)
    assert f"unknown log opt 'max-files' for {whose}" in engine.docker(*words, check=False).stderr


def test_without_ipc_there_is_no_shared_memory(engine: EngineClient) -> None:
    ipc = ("run", "--rm", "--ipc")
    assert engine.docker(*ipc, "none", IMAGE, "sh", "-c", "ls -d /dev/shm", check=False).returncode == 1
    assert engine.docker(*ipc, "private", IMAGE, "sh", "-c", "ls -d /dev/shm").stdout == "/dev/shm\n"


def test_udp_ports_and_port_ranges(engine: EngineClient) -> None:
    engine.docker(
        "run",
        "-d",
        "--name",
        "ported",
        "-p",
        "127.0.0.1::53/udp",
        "-p",
        "39000-39005:80",
        IMAGE,
        "sleep",
        "100",
    )
    shown = json.loads(engine.docker("inspect", "ported").stdout)[0]["NetworkSettings"]["Ports"]
    assert int(shown["53/udp"][0]["HostPort"]) > 0
    assert 39000 <= int(shown["80/tcp"][0]["HostPort"]) <= 39005


def test_create_then_start_then_wait_gives_the_code_of_that_run(engine: EngineClient) -> None:
    engine.docker("create", "--name", "later", IMAGE, "sh", "-c", "sleep 0.3; exit 8")
    engine.docker("start", "later")
    assert engine.docker("wait", "later").stdout == "8\n"
