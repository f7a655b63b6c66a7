"""Real peers for tests: a Docker Engine and a Podman of the suite's own, and small images to run on them.

Each engine runs in its own network, mount and process namespaces: its iptables rules, mounts and
containers never touch the host, and ending one process ends them all. Published ports are
therefore reachable only from inside; `Peer.inside` runs a command there.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import resource
import shlex
import shutil
import signal
import socket
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

BUSYBOX = Path("/bin/busybox")
IMAGE = "stackwright-test/busybox:1"


@dataclass
class Peer:
    """A running engine. `address` is what DOCKER_HOST wants."""

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
    return _why_not(("dockerd", "containerd"), "docker.io")


def why_no_podman() -> str | None:
    """None when Podman can be started here; otherwise the reason."""
    return _why_not(("podman", "runc"), "podman runc netavark aardvark-dns")


def _why_not(programs: tuple[str, ...], packages: str) -> str | None:
    if os.geteuid() != 0:
        return "needs root"
    missing = [name for name in (*programs, "unshare", "nsenter") if not shutil.which(name)]
    return f"not installed: {', '.join(missing)} (apt-get install {packages})" if missing else None


@contextmanager
def running_dockerd(*more: str, around: Callable[[str], str] = str) -> Iterator[Peer]:
    """Start a Docker Engine with everything of its own; end it and leave nothing.

    `more`: flags of dockerd; `around`: makes the command that runs it from dockerd's own.
    """
    root = Path(tempfile.mkdtemp(prefix="sw-dockerd-"))
    group = f"swtest-{os.getpid()}-{root.name[-4:]}"
    flags = {
        "host": f"unix://{root}/docker.sock",
        "data-root": root / "data",
        "exec-root": root / "exec",
        "pidfile": root / "pid",
        "cgroup-parent": f"/{group}",
        "bip": "172.31.255.1/24",
        "default-address-pool": "base=172.30.0.0/16,size=24",
    }
    words = ["dockerd", *(f"--{name}={value}" for name, value in flags.items()), *more]
    with _in_namespaces(root, root / "docker.sock", around(shlex.join(words)), group) as peer:
        yield peer


@contextmanager
def running_podman() -> Iterator[Peer]:
    """Start a Podman service with everything of its own; end it and leave nothing."""
    root = Path(tempfile.mkdtemp(prefix="sw-podman-"))
    group = f"swtest-{os.getpid()}-{root.name[-4:]}"
    config = root / "containers.conf"
    config.write_text(
        # runc, because crun refuses hosts with both versions of cgroups; by files, because nothing runs systemd. Addresses that no other engine of the tests takes.
        # Podman wants more for each container than a root without CAP_SYS_RESOURCE may grant.
        f"[containers]\ndefault_ulimits = [{_limits()}]\n"
        '[engine]\nruntime = "runc"\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n'
        '[network]\nnetwork_backend = "netavark"\ndefault_subnet = "172.29.0.0/24"\n'
        'default_subnet_pools = [{base = "172.29.0.0/16", size = 24}]\n'
    )
    storage = root / "storage.conf"
    storage.write_text(f'[storage]\ndriver = "overlay"\ngraphroot = "{root}/data"\nrunroot = "{root}/run"\n')
    words = ["env", f"CONTAINERS_CONF={config}", f"CONTAINERS_STORAGE_CONF={storage}",
             "podman", f"--tmpdir={root}/tmp", f"--network-config-dir={root}/networks",
             "system", "service", "--time=0", f"unix://{root}/podman.sock"]  # fmt: skip
    # There Podman's parts keep locks and sockets whatever they are told.
    script = f"mount -t tmpfs none /run; mount -t tmpfs none /dev/shm; {shlex.join(words)}"
    with _in_namespaces(root, root / "podman.sock", script, group) as peer:
        yield peer


def _limits() -> str:
    found = []
    for name, kind in (("nofile", resource.RLIMIT_NOFILE), ("nproc", resource.RLIMIT_NPROC)):
        limits = [limit for limit in resource.getrlimit(kind) if limit != resource.RLIM_INFINITY]
        limit = min([*limits, 1 << 20])
        found.append(f'"{name}={limit}:{limit}"')
    return ", ".join(found)


@contextmanager
def _in_namespaces(root: Path, sock: Path, script: str, group: str) -> Iterator[Peer]:
    log = root / "engine.log"
    before, _, last = script.rpartition("; ")
    script = "; ".join(part for part in ("ip link set lo up", before, f"exec {last}") if part)
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["unshare", "--net", "--mount", "--propagation", "slave", "--pid", "--fork", "--kill-child",
             "--mount-proc", "sh", "-c", script],
            stdout=output, stderr=output, stdin=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
    try:
        _await_ping(sock, process, log)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        yield Peer(sock, process, int(children[0]))
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        mine = [f"libpod-{one.name}" for one in (root / "data/overlay-containers").glob("?" * 64)]
        _remove(root)
        for controller in Path("/sys/fs/cgroup").iterdir():
            _remove_groups(controller / group)
            # Podman's groups cannot be put elsewhere, and another test process may have some there.
            for name in mine:
                _remove_groups(controller / "libpod_parent" / name)
            for shared in ("libpod_parent/conmon", "libpod_parent"):
                with suppress(OSError):
                    (controller / shared).rmdir()


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


def busybox_archive(
    reference: str = IMAGE, config: dict[str, object] | None = None, *, compress: bool = True
) -> bytes:
    """A `docker save` archive with one image: busybox and its applets as links.

    Podman takes only what is not compressed.
    """
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
    return gzip.compress(archive.getvalue(), 1) if compress else archive.getvalue()


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
