"""Podman as an ordinary user runs it: a service on a socket of its own, by a user that exists for the test only."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.embedded.rootless.ordinary_user import Account
from tests.peers import busybox_archive, why_no_podman

CONFIG = """
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
[network]
network_backend = "netavark"
"""


def why_not() -> str | None:
    """None when it can be tried here; otherwise the reason."""
    if (reason := why_no_podman()) is not None:
        return reason
    missing = [name for name in ("slirp4netns", "newuidmap", "setpriv") if not shutil.which(name)]
    return f"not installed: {', '.join(missing)} (apt-get install slirp4netns uidmap)" if missing else None


class RootlessPodman:
    """`address` of the service, and `words`: what to put before a command so that the user runs it."""

    def __init__(self, account: Account, root: Path) -> None:
        self.account, self.root = account, root
        self.address = f"unix://{root}/run/podman.sock"
        self.words = [
            "setpriv", f"--reuid={account.uid}", f"--regid={account.gid}", "--clear-groups",
        ]  # fmt: skip
        self.environ = {
            "PATH": os.environ["PATH"],
            "HOME": f"{root}/home",
            "XDG_RUNTIME_DIR": f"{root}/run",
            "CONTAINERS_CONF": f"{root}/containers.conf",
            "CONTAINERS_STORAGE_CONF": f"{root}/storage.conf",
            "LC_ALL": "C.UTF-8",
        }

    def podman(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the user's podman."""
        return subprocess.run(
            [*self.words, "podman", *arguments],
            env=self.environ, cwd="/", capture_output=True, text=True, timeout=120,
        )  # fmt: skip


@contextmanager
def rootless_podman() -> Iterator[RootlessPodman]:
    """Start one with the test image; user, processes and files are gone afterwards."""
    if (reason := why_not()) is not None:
        pytest.skip(reason)
    account = Account()
    root = Path(tempfile.mkdtemp(prefix="sw-rootless-podman-"))
    made = RootlessPodman(account, root)
    service: subprocess.Popen[bytes] | None = None
    try:
        for folder in (root, root / "home", root / "run"):
            folder.mkdir(mode=0o700, exist_ok=True)
            os.chown(folder, account.uid, account.gid)
        (root / "containers.conf").write_text(CONFIG)
        (root / "storage.conf").write_text(
            f'[storage]\ndriver = "overlay"\ngraphroot = "{root}/data"\nrunroot = "{root}/run/containers"\n'
        )
        (root / "image.tar").write_bytes(busybox_archive(compress=False))
        loaded = made.podman("load", "-i", f"{root}/image.tar")
        assert loaded.returncode == 0, loaded.stderr
        with (root / "service.log").open("wb") as log:
            service = subprocess.Popen(
                [*made.words, "podman", "system", "service", "--time=0", made.address],
                env=made.environ, cwd="/", stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        deadline = time.monotonic() + 60
        while not (root / "run/podman.sock").exists():
            assert service.poll() is None and time.monotonic() < deadline, (root / "service.log").read_text()
            time.sleep(0.05)
        yield made
        made.podman("rm", "--all", "--force", "--time", "0")
    finally:
        if service is not None:
            service.send_signal(signal.SIGKILL)
            service.wait()
        account.remove()
        # What subordinate ids own goes too: root may.
        shutil.rmtree(root, ignore_errors=True)
