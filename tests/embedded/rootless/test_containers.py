"""Containers of an ordinary user's engine, by the real `docker` client."""

from __future__ import annotations

import http.client
import http.server
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from tests.embedded.rootless.ordinary_user import UserEngine
from tests.peers import IMAGE

pytestmark = pytest.mark.root

OUTSIDE = "198.51.100.77"
"""An address of this host for the time of a test (TEST-NET-2)."""


def fetch(port: int, host: str = "127.0.0.1") -> str:
    connection = http.client.HTTPConnection(host, port, timeout=10)
    connection.request("GET", "/")
    return connection.getresponse().read().decode()


@pytest.fixture(scope="module")
def web(engine: UserEngine) -> Iterator[int]:
    """A web server named `web` in network `front`; its published port."""
    engine.docker("network", "create", "front")
    serve = "mkdir -p /www; echo hello > /www/index.html; echo up; exec httpd -f -p 80 -h /www"
    engine.docker("run", "-d", "--name", "web", "--network", "front", "-p", "80", IMAGE, "sh", "-c", serve)
    port = int(engine.docker("port", "web", "80/tcp").stdout.splitlines()[0].rpartition(":")[2])
    for _ in range(50):  # the server may take a moment
        with suppress(OSError):
            if fetch(port) == "hello\n":
                break
        time.sleep(0.05)
    yield port
    engine.docker("rm", "-f", "web")
    engine.docker("network", "rm", "front")


def test_root_inside_is_the_user_outside(engine: UserEngine) -> None:
    assert engine.docker("run", "--rm", IMAGE, "id", "-u").stdout == "0\n"
    name = engine.docker("run", "-d", IMAGE, "sleep", "60").stdout.strip()
    pid = int(engine.docker("inspect", "-f", "{{.State.Pid}}", name).stdout)
    assert Path(f"/proc/{pid}").stat().st_uid == engine.account.uid
    engine.docker("rm", "-f", name)


def test_the_hosts_processes_are_seen_where_asked_for(engine: UserEngine) -> None:
    script = "cat /proc/1/comm; ls /proc | grep -x $0; grep -c ' /proc/sys .* ro,' /proc/self/mounts"
    shown = engine.docker("run", "--rm", "--pid", "host", IMAGE, "sh", "-c", script, str(engine.pid)).stdout
    assert shown.split() == [*Path("/proc/1/comm").read_text().split(), str(engine.pid), "1"]


def test_other_users_inside_are_subordinate_ids_outside(engine: UserEngine) -> None:
    name = engine.docker("run", "-d", "--user", "33:34", IMAGE, "sleep", "60").stdout.strip()
    pid = int(engine.docker("inspect", "-f", "{{.State.Pid}}", name).stdout)
    assert Path(f"/proc/{pid}").stat().st_uid == engine.account.subordinate + 32
    engine.docker("rm", "-f", name)


def test_exec_logs_and_top_work(engine: UserEngine, web: int) -> None:
    assert engine.docker("exec", "web", "cat", "/www/index.html").stdout == "hello\n"
    assert engine.docker("exec", "-u", "7", "web", "id", "-u").stdout == "7\n"
    assert engine.docker("logs", "web").stdout == "up\n"
    assert "httpd" in engine.docker("top", "web").stdout


def test_devices_of_every_container_are_there(engine: UserEngine) -> None:
    text = engine.docker(
        "run", "--rm", IMAGE, "sh", "-c", "head -c 4 /dev/urandom | wc -c; echo x > /dev/null"
    )
    assert text.stdout.split()[0] == "4"


def test_a_terminal_is_given(engine: UserEngine) -> None:
    name = engine.docker("run", "-d", "-t", IMAGE, "tty").stdout.strip()
    engine.docker("wait", name)
    assert engine.docker("logs", name).stdout.strip() == "/dev/pts/0"
    engine.docker("rm", name)


def test_containers_find_each_other_by_name(engine: UserEngine, web: int) -> None:
    got = engine.docker("run", "--rm", "--network", "front", IMAGE, "wget", "-q", "-O", "-", "http://web/")
    assert got.stdout == "hello\n"


def test_a_published_port_is_reached_from_the_host(engine: UserEngine, web: int) -> None:
    assert fetch(web) == "hello\n"
    assert fetch(web, "::1") == "hello\n"


def test_a_published_port_is_reached_by_the_gateway(engine: UserEngine, web: int) -> None:
    script = f"wget -q -O - http://$(ip route | grep default | cut -d' ' -f3):{web}/"
    assert engine.docker("run", "--rm", "--network", "front", IMAGE, "sh", "-c", script).stdout == "hello\n"


def test_a_port_that_is_taken_says_so(engine: UserEngine, web: int) -> None:
    failed = engine.docker("run", "--rm", "-p", f"{web}:80", IMAGE, "true", check=False)
    assert failed.returncode == 125
    assert "port is already allocated" in failed.stderr


def test_a_port_of_roots_is_refused_with_the_sysctl_that_would_help(engine: UserEngine) -> None:
    failed = engine.docker("run", "--rm", "-p", "81:80", IMAGE, "true", check=False)
    assert failed.returncode == 126  # what the client makes of "permission denied"
    assert "sysctl net.ipv4.ip_unprivileged_port_start=81" in failed.stderr


def test_volumes_keep_owner_and_content(engine: UserEngine) -> None:
    mount = ("--rm", "-v", "data:/data")
    engine.docker("run", *mount, IMAGE, "sh", "-c", "echo kept > /data/f; chown 5:6 /data/f")
    assert engine.docker("run", *mount, IMAGE, "stat", "-c", "%u %g", "/data/f").stdout == "5 6\n"
    assert engine.docker("run", *mount, IMAGE, "cat", "/data/f").stdout == "kept\n"
    engine.docker("volume", "rm", "data")


def test_files_are_copied_and_containers_committed(engine: UserEngine, tmp_path: Path) -> None:
    (tmp_path / "f").write_text("copied\n")
    for state in ("created", "running"):
        engine.docker("create", "--name", "box", IMAGE, "sleep", "60")
        if state == "running":
            engine.docker("start", "box")
        engine.docker("cp", str(tmp_path / "f"), "box:/tmp/f")
        engine.docker("cp", "box:/tmp/f", str(tmp_path / "back"))
        assert (tmp_path / "back").read_text() == "copied\n"
        engine.docker("commit", "box", "snap")
        assert engine.docker("run", "--rm", "snap", "cat", "/tmp/f").stdout == "copied\n"
        engine.docker("rm", "-f", "box")
        engine.docker("rmi", "snap")


def test_datagrams_reach_a_published_port(engine: UserEngine) -> None:
    name = engine.docker("run", "-d", "-p", "53/udp", IMAGE, "sleep", "60").stdout.strip()
    port = int(engine.docker("port", name, "53/udp").stdout.splitlines()[0].rpartition(":")[2])
    pid = engine.docker("inspect", "-f", "{{.State.Pid}}", name).stdout.strip()
    echo = (
        "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('0.0.0.0', 53))\n"
        "while True: s.sendto(*s.recvfrom(99))"
    )
    server = subprocess.Popen(["nsenter", "-t", pid, "-n", sys.executable, "-c", echo])
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(0.5)
            for _ in range(20):
                client.sendto(b"ping", ("127.0.0.1", port))
                with suppress(TimeoutError):
                    assert client.recv(16) == b"ping"
                    break
            else:
                pytest.fail("no answer")
    finally:
        server.kill()
        server.wait()
        engine.docker("rm", "-f", name)


def test_networks_are_joined_and_left_while_running(engine: UserEngine, web: int) -> None:
    name = engine.docker("run", "-d", IMAGE, "sleep", "60").stdout.strip()
    engine.docker("network", "connect", "front", name)
    assert engine.docker("exec", name, "wget", "-q", "-O", "-", "http://web/").stdout == "hello\n"
    engine.docker("network", "disconnect", "front", name)
    assert engine.docker("exec", name, "wget", "-q", "-O", "-", "http://web/", check=False).returncode != 0
    engine.docker("rm", "-f", name)


def test_a_folder_that_the_user_may_not_enter_is_refused_by_name(engine: UserEngine, tmp_path: Path) -> None:
    hidden = tmp_path / "hidden"
    (hidden / "inside").mkdir(parents=True)
    hidden.chmod(0o700)
    done = engine.docker("run", "--rm", "-v", f"{hidden}/inside:/x", IMAGE, "true", check=False)
    assert done.returncode == 125
    assert f"bind source path {hidden}/inside: Permission denied" in done.stderr


def test_a_folder_of_the_user_is_bound(engine: UserEngine) -> None:
    home = engine.root / "home"
    engine.docker("run", "--rm", "-v", f"{home}:/h", IMAGE, "sh", "-c", "echo mine > /h/f")
    assert (home / "f").stat().st_uid == engine.account.uid
    assert (home / "f").read_text() == "mine\n"


def test_a_build_runs_commands_changes_owners_and_hides_what_lay_below(
    engine: UserEngine, tmp_path: Path
) -> None:
    (tmp_path / "f").write_text("f\n")
    (tmp_path / "Dockerfile").write_text(
        f"FROM {IMAGE} AS base\n"
        "RUN mkdir /app /gone && echo x > /app/x && chown 33:44 /app/x && touch /gone/old\n"
        "FROM base\n"
        "COPY --chown=12:13 f /app/f\n"
        "RUN rm -rf /gone && mkdir /gone && touch /gone/new\n"
    )
    engine.docker("build", "-t", "built", str(tmp_path))
    shown = engine.docker("run", "--rm", "built", "sh", "-c", "stat -c '%n %u:%g' /app/*; ls /gone").stdout
    assert shown.splitlines() == ["/app/f 12:13", "/app/x 33:44", "new"]
    archive = tmp_path / "built.tar"
    engine.docker("save", "-o", str(archive), "built")
    engine.docker("rmi", "built")
    engine.docker("load", "-i", str(archive))
    assert engine.docker("run", "--rm", "built", "ls", "/gone").stdout == "new\n"
    engine.docker("rmi", "built")


@pytest.mark.skipif(shutil.which("pasta") is None, reason="pasta is not installed")
def test_containers_reach_the_outside_through_pasta(engine: UserEngine) -> None:
    subprocess.run(["ip", "address", "add", f"{OUTSIDE}/32", "dev", "lo"], check=True)
    try:
        with http.server.ThreadingHTTPServer((OUTSIDE, 0), _Hello) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            url = f"http://{OUTSIDE}:{server.server_address[1]}/"
            assert engine.docker("run", "--rm", IMAGE, "wget", "-q", "-O", "-", url).stdout == "outside"
            server.shutdown()
    finally:
        subprocess.run(["ip", "address", "del", f"{OUTSIDE}/32", "dev", "lo"], check=True)


def test_info_tells_that_it_is_rootless_and_what_is_missing(engine: UserEngine) -> None:
    info = engine.request("GET", "/info")[1]
    assert "name=rootless" in info["SecurityOptions"]
    assert any("control groups" in line for line in info["Warnings"])
    assert engine.words().count("control groups") == 1


def test_limits_that_cannot_be_applied_do_not_keep_a_container_from_starting(engine: UserEngine) -> None:
    limited = ("--memory", "50m", "--cpus", "0.5", "--pids-limit", "20")
    assert engine.docker("run", "--rm", *limited, IMAGE, "echo", "runs").stdout == "runs\n"


class _Hello(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"outside")

    def log_message(self, *_: object) -> None:
        return
