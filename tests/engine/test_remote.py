"""A project on an engine that is elsewhere: through ssh, over TLS, over plain TCP. Real servers at the other end."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.peers import IMAGE, Peer, busybox_archive, running_dockerd, why_no_docker
from tests.support import certificates
from tests.support.sshd import Sshd, free_port, running_sshd, why_no_sshd

pytestmark = pytest.mark.docker

TEXT = f"""
name: remote
services:
  db:
    image: {IMAGE}
    init: true
    command: [sleep, "1000"]
    healthcheck: {{test: [CMD, "true"], interval: 1s}}
  web:
    image: {IMAGE}
    init: true
    command: [sh, -c, "echo hello from afar; exec sleep 1000"]
    depends_on: {{db: {{condition: service_healthy}}}}
    deploy: {{replicas: 6}}
"""


@dataclass
class Far:
    """The command in a folder with a project, in an environment that names an engine elsewhere."""

    folder: Path
    environ: dict[str, str]
    prefix: tuple[str, ...] = ()

    def run(self, *words: str, stdin: str = "", **more: str) -> subprocess.CompletedProcess[str]:
        program = str(Path(sys.executable).with_name("stackwright"))
        kept = {
            key: value for key, value in os.environ.items() if not key.startswith(("COMPOSE_", "DOCKER_"))
        }
        return subprocess.run(
            [*self.prefix, program, *words], cwd=self.folder, env={**kept, **self.environ, **more},
            input=stdin, capture_output=True, text=True, timeout=120,
        )  # fmt: skip

    def ok(self, *words: str, stdin: str = "", **more: str) -> str:
        done = self.run(*words, stdin=stdin, **more)
        assert done.returncode == 0, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def fails(self, *words: str, **more: str) -> str:
        done = self.run(*words, **more)
        assert done.returncode == 1, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        return done.stderr

    def tour(self) -> None:
        """Up, look, input with an end, output, down: whatever a connection has to carry."""
        (self.folder / "compose.yaml").write_text(TEXT)
        self.ok("up", "-d", "--wait")
        assert len(self.ok("ps", "-q").splitlines()) == 7
        # `cat` ends only when the end of its input arrives, and its output must still come back.
        text = "0123456789abcdef\n" * 20_000
        assert self.ok("exec", "-T", "web", "cat", stdin=text) == text
        assert self.run("exec", "-T", "web", "sh", "-c", "exit 7").returncode == 7
        assert self.ok("logs", "--no-log-prefix", "web").count("hello from afar") == 6
        self.ok("down", "-t", "5")
        assert self.ok("ps", "-aq") == ""


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    if reason := why_no_sshd():
        pytest.skip(reason)
    with running_sshd(tmp_path_factory.mktemp("sshd")) as server:
        yield server


@pytest.fixture
def ssh(sshd: Sshd, tmp_path: Path) -> Far:
    return Far(tmp_path, {"PATH": sshd.path, "HOME": str(tmp_path)})


def test_a_project_runs_on_a_machine_that_ssh_reaches(ssh: Far, sshd: Sshd, dockerd: Peer) -> None:
    ssh.environ["DOCKER_HOST"] = f"ssh://root@127.0.0.1:{sshd.port}{dockerd.socket}"
    ssh.tour()
    lingering = subprocess.run(["pgrep", "-f", f"ssh_config.*-p {sshd.port}"], capture_output=True, text=True)
    assert lingering.stdout == ""


def test_podman_is_reached_through_ssh_too(ssh: Far, sshd: Sshd, podman: Peer) -> None:
    ssh.environ["CONTAINER_HOST"] = f"ssh://root@127.0.0.1:{sshd.port}{podman.socket}"
    ssh.tour()


def test_a_context_leads_through_ssh(ssh: Far, sshd: Sshd, dockerd: Peer) -> None:
    address = f"ssh://root@127.0.0.1:{sshd.port}{dockerd.socket}"
    subprocess.run(
        ["docker", "context", "create", "far", "--docker", f"host={address}"],
        env={**os.environ, **ssh.environ}, check=True, capture_output=True,
    )  # fmt: skip
    status = json.loads(ssh.ok("--context", "far", "engine", "status", "--format", "json"))
    assert (status["running"], status["address"]) == (True, address)
    assert status["reason"] == "--context far"


def test_who_may_not_log_in_is_told_what_ssh_said(ssh: Far, sshd: Sshd, dockerd: Peer) -> None:
    ssh.environ["DOCKER_HOST"] = f"ssh://nobody-of-that-name@127.0.0.1:{sshd.port}"
    said = ssh.fails("ls")
    assert "no ssh connection to ssh://nobody-of-that-name@127.0.0.1" in said
    assert "Permission denied" in said
    assert f"try it by hand: ssh -p {sshd.port} nobody-of-that-name@127.0.0.1 true" in said


def test_a_machine_without_an_engine_is_told_from_one_that_ssh_cannot_reach(ssh: Far, sshd: Sshd) -> None:
    ssh.environ["DOCKER_HOST"] = f"ssh://root@127.0.0.1:{sshd.port}/nowhere/docker.sock"
    said = ssh.fails("ls")
    assert "no engine answers at ssh://root@127.0.0.1" in said
    assert "/nowhere/docker.sock" in said
    ssh.environ["DOCKER_HOST"] = "ssh://root@127.0.0.1:1"
    assert "Connection refused" in ssh.fails("ls")


def test_plain_tcp_is_enough_where_a_tunnel_protects_it(ssh: Far, sshd: Sshd, dockerd: Peer) -> None:
    with forwarded(sshd, dockerd) as port:
        ssh.environ["DOCKER_HOST"] = f"tcp://127.0.0.1:{port}"
        ssh.tour()
    assert f"no engine answers at tcp://127.0.0.1:{port}: Connection refused" in ssh.fails("ls")


@contextmanager
def forwarded(sshd: Sshd, dockerd: Peer) -> Iterator[int]:
    """A port on loopback that leads to the engine's socket, by `ssh -L`."""
    port = free_port()
    words = ["ssh", "-o", "ExitOnForwardFailure=yes", "-L", f"127.0.0.1:{port}:{dockerd.socket}",
             "-p", str(sshd.port), "root@127.0.0.1", "echo ready; exec cat"]  # fmt: skip
    with subprocess.Popen(
        words, env={**os.environ, **sshd.environ()}, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as tunnel:
        assert tunnel.stdout is not None
        assert tunnel.stdout.readline() == b"ready\n"
        yield port
        tunnel.terminate()


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders `server`, `me` and `stranger` with keys; the stranger's are of another authority."""
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed")
    root = tmp_path_factory.mktemp("keys")
    ca, other = certificates.authority(root / "ca"), certificates.authority(root / "other")
    names = "subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth\n"
    certificates.signed(root / "server", ca, name="engine", extensions=names)
    certificates.signed(root / "me", ca, name="me", extensions="extendedKeyUsage=clientAuth\n")
    stranger = certificates.signed(
        root / "stranger", other, name="x", extensions="extendedKeyUsage=clientAuth\n"
    )
    shutil.copytree(stranger, root / "half-known")
    shutil.copy(ca / "ca.pem", root / "half-known" / "ca.pem")
    return root


@pytest.fixture(scope="module")
def listening(keys: Path) -> Iterator[Peer]:
    """A Docker Engine that listens on 2376 with TLS."""
    import docker

    if reason := why_no_docker():
        pytest.skip(reason)
    flags = [f"--tls{name}={keys}/server/{file}.pem"
             for name, file in (("cacert", "ca"), ("cert", "cert"), ("key", "key"))]  # fmt: skip
    with running_dockerd("--tlsverify", *flags, "--host=tcp://127.0.0.1:2376") as engine:
        client = docker.DockerClient(base_url=engine.address)
        client.images.load(busybox_archive())
        client.close()
        yield engine


@pytest.fixture
def tls(listening: Peer, keys: Path, tmp_path: Path) -> Far:
    environ = {
        "HOME": str(tmp_path), "DOCKER_HOST": "tcp://127.0.0.1:2376",
        "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(keys / "me"),
    }  # fmt: skip
    return Far(tmp_path, environ, ("nsenter", "-t", str(listening.inner_pid), "-n"))


def test_a_project_runs_over_tls_with_keys_on_both_sides(tls: Far) -> None:
    tls.tour()


def test_keys_of_a_context_are_used(tls: Far, keys: Path) -> None:
    me = keys / "me"
    host = f"host=tcp://127.0.0.1:2376,ca={me}/ca.pem,cert={me}/cert.pem,key={me}/key.pem"
    home = {"HOME": tls.environ["HOME"], "PATH": os.environ["PATH"]}
    subprocess.run(["docker", "context", "create", "safe", "--docker", host], env=home, check=True)
    tls.environ = {"HOME": tls.environ["HOME"], "DOCKER_CONTEXT": "safe"}
    assert json.loads(tls.ok("engine", "status", "--format", "json"))["running"] is True


def test_an_engine_that_is_not_the_one_we_trust_is_refused(tls: Far, keys: Path) -> None:
    said = tls.fails("ls", DOCKER_CERT_PATH=str(keys / "stranger"))
    assert "is not trusted" in said
    assert f"signed by {keys}/stranger/ca.pem" in said


def test_who_has_no_key_that_the_engine_trusts_is_told_so(tls: Far, keys: Path) -> None:
    said = tls.fails("ls", DOCKER_CERT_PATH=str(keys / "half-known"))
    assert "refuses us" in said
    assert f"looked for in {keys}/half-known" in said


def test_tls_and_no_tls_are_told_apart(tls: Far) -> None:
    plain = {**tls.environ, "DOCKER_TLS_VERIFY": ""}
    tls.environ = plain
    assert "DOCKER_TLS_VERIFY" in tls.fails("ls")


def test_keys_that_are_none_are_named(tls: Far, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing")
    said = tls.fails("ls", DOCKER_CERT_PATH=str(tmp_path))
    assert f"the TLS keys in {tmp_path} cannot be used: ca.pem" in said
