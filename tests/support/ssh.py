"""A real SSH agent with a key of its own, and programs to take into an image."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def agent_with_key(folder: Path) -> Iterator[Path]:
    """The socket of an agent that holds the key `folder/key`."""
    if shutil.which("ssh-agent") is None:
        pytest.skip("openssh-client is not installed")
    make_key(folder)
    sock = folder / "agent.sock"
    process = subprocess.Popen(["ssh-agent", "-D", "-a", str(sock)], stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 10
        while not sock.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        subprocess.run(
            ["ssh-add", "-q", str(folder / "key")], env={"SSH_AUTH_SOCK": str(sock)}, check=True, timeout=10
        )
        yield sock
    finally:
        process.terminate()
        process.wait()


def make_key(folder: Path, passphrase: str = "") -> Path:
    """A new private key `folder/key`."""
    if shutil.which("ssh-keygen") is None:
        pytest.skip("openssh-client is not installed")
    key = folder / "key"
    key.unlink(missing_ok=True)
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-C", "of-the-test", "-f", str(key)]
    subprocess.run(command, check=True, timeout=10)
    return key


def public_key(folder: Path) -> str:
    """As `ssh-add -L` prints it."""
    return (folder / "key.pub").read_text()


def program_files(name: str) -> dict[str, bytes]:
    """A program of this machine and the libraries it needs, by absolute path: enough to run it in any image."""
    program = shutil.which(name)
    assert program is not None
    linked = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    libraries = re.findall(r"(?:=> |^\s*)(/\S+)", linked, re.MULTILINE)
    files = {f"/bin/{name}": Path(program).read_bytes()}
    return files | {library: Path(library).read_bytes() for library in libraries}
