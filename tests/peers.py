"""Real peers for tests: a Docker Engine of the suite's own, and small images to run on it.

The engine runs in its own network, mount and process namespaces: its iptables rules, mounts and
containers never touch the host, and ending one process ends them all. Published ports are
therefore reachable only from inside; `Dockerd.inside` runs a command there.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

BUSYBOX = Path("/bin/busybox")
IMAGE = "stackwright-test/busybox:1"


@dataclass
class Dockerd:
    """A running Docker Engine. `address` is what DOCKER_HOST wants."""

    socket: Path
    process: subprocess.Popen[bytes]
    inner_pid: int

    @property
    def address(self) -> str:
        return f"unix://{self.socket}"

    def inside(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command in the engine's network namespace (its published ports are there)."""
        return subprocess.run(
            ["nsenter", "-t", str(self.inner_pid), "-n", *command], capture_output=True, text=True, timeout=30
        )


def why_no_docker() -> str | None:
    """None when a Docker Engine can be started here; otherwise the reason."""
    if os.geteuid() != 0:
        return "needs root"
    missing = [name for name in ("dockerd", "containerd", "unshare", "nsenter") if not shutil.which(name)]
    return f"not installed: {', '.join(missing)} (apt-get install docker.io)" if missing else None


@contextmanager
def running_dockerd() -> Iterator[Dockerd]:
    """Start a Docker Engine with everything of its own; end it and leave nothing."""
    root = Path(tempfile.mkdtemp(prefix="sw-dockerd-"))
    sock, log = root / "docker.sock", root / "dockerd.log"
    group = f"swtest-{os.getpid()}"
    flags = {
        "host": f"unix://{sock}",
        "data-root": root / "data",
        "exec-root": root / "exec",
        "pidfile": root / "pid",
        "cgroup-parent": f"/{group}",
        "bip": "172.31.255.1/24",
        "default-address-pool": "base=172.30.0.0/16,size=24",
    }
    arguments = " ".join(f"--{name} {value}" for name, value in flags.items())
    try:
        with _apart(f"exec dockerd {arguments}", sock, log) as engine:
            yield engine
    finally:
        _remove(root)
        for controller in Path("/sys/fs/cgroup").iterdir():
            _remove_groups(controller / group)


def why_no_podman() -> str | None:
    """None when a Podman service can be started here; otherwise the reason."""
    if os.geteuid() != 0:
        return "needs root"
    missing = [name for name in ("podman", "unshare", "nsenter") if not shutil.which(name)]
    return f"not installed: {', '.join(missing)} (apt-get install podman)" if missing else None


@contextmanager
def running_podman() -> Iterator[Dockerd]:
    """Start Podman's API service with everything of its own; end it and leave nothing."""
    root = Path(tempfile.mkdtemp(prefix="sw-podman-"))
    sock, log = root / "podman.sock", root / "podman.log"
    flags = {
        "root": root / "data",
        "runroot": root / "run",
        "tmpdir": root / "tmp",
        "network-config-dir": root / "networks",
        "network-backend": "netavark",
        "cgroup-manager": "cgroupfs",
        "events-backend": "file",
        # Docker Engine's, and not its own: crun refuses hosts with both versions of control groups.
        **({"runtime": "runc"} if shutil.which("runc") else {}),
    }
    (root / "networks").mkdir()
    arguments = " ".join(f"--{name} {value}" for name, value in flags.items())
    # Locks and addresses of networks are kept below /run and in shared memory, whatever the folders are called.
    apart = "mount -t tmpfs tmpfs /run; mount -t tmpfs tmpfs /dev/shm"
    try:
        with _apart(
            f"{apart}; TMPDIR={root} exec podman {arguments} system service --time 0 unix://{sock}", sock, log
        ) as engine:
            yield engine
    finally:
        _remove(root)
        for controller in Path("/sys/fs/cgroup").iterdir():
            _remove_groups(controller / "libpod_parent")


@contextmanager
def _apart(script: str, sock: Path, log: Path) -> Iterator[Dockerd]:
    """A server in network, mount and process namespaces of its own, until the end of the block."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["unshare", "--net", "--mount", "--propagation", "slave", "--pid", "--fork", "--kill-child",
             "--mount-proc", "sh", "-c", f"ip link set lo up; {script}"],
            stdout=output, stderr=output, stdin=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
    try:
        _await_ping(sock, process, log)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        yield Dockerd(sock, process, int(children[0]))
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


def _await_ping(sock: Path, process: subprocess.Popen[bytes], log: Path, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(5)
                client.connect(str(sock))
                client.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
                if b"200 OK" in client.recv(4096):
                    return
        except OSError:
            pass
        time.sleep(0.05)
    raise RuntimeError("the engine did not start:\n" + log.read_text(errors="replace")[-2000:])


def _remove(root: Path) -> None:
    for _ in range(50):  # the kernel takes a moment to end the namespaces' last processes
        shutil.rmtree(root, ignore_errors=True)
        if not root.exists():
            return
        time.sleep(0.1)


def _remove_groups(group: Path) -> None:
    for folder in sorted(group.glob("**/"), key=lambda path: len(path.parts), reverse=True):
        for _ in range(50):
            try:
                folder.rmdir()
                break
            except FileNotFoundError:
                break
            except OSError:
                time.sleep(0.05)


def busybox_archive(reference: str = IMAGE, config: dict[str, object] | None = None) -> bytes:
    """A `docker save` archive with one image: busybox and its applets as links."""
    if not BUSYBOX.exists():
        pytest.skip("busybox-static is not installed")
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        for folder in ("bin", "etc", "tmp", "root", "proc", "sys", "dev", "var", "srv"):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if folder == "tmp" else 0o755
            tar.addfile(entry)
        binary = BUSYBOX.read_bytes()
        entry = tarfile.TarInfo("bin/busybox")
        entry.size, entry.mode = len(binary), 0o755
        tar.addfile(entry, io.BytesIO(binary))
        applets = subprocess.run(
            [BUSYBOX, "--list"], capture_output=True, text=True, check=True
        ).stdout.split()
        for applet in applets:
            if applet != "busybox":
                link = tarfile.TarInfo(f"bin/{applet}")
                link.type, link.linkname = tarfile.SYMTYPE, "busybox"
                tar.addfile(link)
        for name, text in {"etc/passwd": "root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/tmp:/bin/sh\n",
                           "etc/group": "root:x:0:\nuser:x:1000:\n"}.items():  # fmt: skip
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text.encode()))
    data = layer.getvalue()
    image = {
        "architecture": "amd64", "os": "linux", "created": "2024-01-01T00:00:00Z",
        "config": {"Cmd": ["sh"], "Env": ["PATH=/bin"], **(config or {})},
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(data).hexdigest()]},
        "history": [{"created": "2024-01-01T00:00:00Z", "created_by": "test"}],
    }  # fmt: skip
    config_bytes = json.dumps(image).encode()
    digest = hashlib.sha256(config_bytes).hexdigest()
    manifest = [{"Config": f"{digest}.json", "RepoTags": [reference], "Layers": ["layer.tar"]}]
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name, content in (
            (f"{digest}.json", config_bytes),
            ("layer.tar", data),
            ("manifest.json", json.dumps(manifest).encode()),
        ):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return gzip.compress(archive.getvalue(), 1)


@contextmanager
def running_embedded() -> Iterator[str]:
    """Start an embedded engine with a state of its own and the test image; yields its address."""
    import asyncio

    from stackwright.engine import daemon
    from stackwright.engine.client import EngineClient

    root = Path(tempfile.mkdtemp(prefix="sw-eng-"))
    place = daemon.Place(root / "state", root / "engine.sock")
    environ = {**os.environ, "STACKWRIGHT_IDLE_SECONDS": "7200"}  # a session of tests has long pauses

    async def begin() -> None:
        await daemon.start(place, environ)
        async with EngineClient(f"unix://{place.socket}") as client:
            async for _ in client.load(busybox_archive()):
                pass

    async def finish() -> None:
        async with EngineClient(f"unix://{place.socket}") as client:
            for one in await client.list_containers(all=True):
                await client.remove_container(one["Id"], force=True, volumes=True)
            for network in await client.list_networks():
                if network["Name"] not in ("bridge", "host", "none"):
                    await client.remove_network(network["Id"])
        await daemon.stop(place)

    try:
        asyncio.run(begin())
        yield f"unix://{place.socket}"
    finally:
        asyncio.run(finish())
        _remove(root)
