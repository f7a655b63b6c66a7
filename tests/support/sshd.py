"""A real sshd on loopback with keys of its own, and an `ssh` on PATH that knows them."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SSHD = "/usr/sbin/sshd"


@dataclass
class Sshd:
    """`port` on 127.0.0.1; `path`: PATH with the prepared `ssh` first; `user`: who can log in."""

    port: int
    path: str
    user: str
    folder: Path

    def environ(self) -> dict[str, str]:
        """For who is to use it."""
        return {"PATH": self.path}


def why_no_sshd() -> str | None:
    """None when sshd can be started here; otherwise the reason."""
    if os.geteuid() != 0:
        return "needs root"
    missing = [name for name in (SSHD, "ssh", "ssh-keygen") if not shutil.which(name)]
    return f"not installed: {', '.join(missing)} (apt-get install openssh-server)" if missing else None


def free_port() -> int:
    """A port on loopback where nobody listens now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running_sshd(folder: Path) -> Iterator[Sshd]:
    """Start sshd in `folder`; ends with the context. Whoever has the key becomes root, on loopback only."""
    folder.chmod(0o755)
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
    port = free_port()
    Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # where sshd shuts itself in before the login
    (folder / "sshd_config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nPidFile none\nUsePAM no\n"
        f"AuthorizedKeysFile {folder}/user.pub\nStrictModes no\nPermitRootLogin prohibit-password\n"
        "PasswordAuthentication no\nKbdInteractiveAuthentication no\n"
    )
    (folder / "ssh_config").write_text(
        f"Host *\n  IdentityFile {folder}/user\n  IdentitiesOnly yes\n  IdentityAgent none\n  LogLevel ERROR\n"
        f"  UserKnownHostsFile {folder}/known\n  GlobalKnownHostsFile none\n  StrictHostKeyChecking accept-new\n"
    )
    programs = folder / "bin"
    programs.mkdir()
    wrapper = programs / "ssh"
    wrapper.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {folder}/ssh_config "$@"\n')
    wrapper.chmod(0o755)
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [SSHD, "-f", folder / "sshd_config", "-D", "-e"],
            stdin=subprocess.DEVNULL, stdout=output, stderr=output,
        )  # fmt: skip
    try:
        _await_port(port, process, log)
        yield Sshd(port, f"{programs}:{os.environ['PATH']}", "root", folder)
    finally:
        process.terminate()
        process.wait()


def _await_port(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise RuntimeError(f"sshd did not start:\n{log.read_text(errors='replace')}")
