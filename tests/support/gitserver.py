"""A git repository served on loopback."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass
class Repository:
    """`url`: of the repository; `commits`: the ids of its commits, the first (tagged `v1`) first."""

    url: str
    commits: list[str]


@contextmanager
def served(folder: Path, *versions: dict[str, str]) -> Iterator[Repository]:
    """A repository with a commit for each of `versions` (name → text)."""
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    work = folder / "repos" / "test.git"
    work.mkdir(parents=True)

    def git(*arguments: str) -> str:
        who = ("-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "init.defaultBranch=main")
        done = subprocess.run(["git", *who, *arguments], cwd=work, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    git("init", "-q")
    git("config", "uploadpack.allowAnySHA1InWant", "true")
    commits = []
    for files in versions:
        for name, text in files.items():
            (work / name).parent.mkdir(parents=True, exist_ok=True)
            (work / name).write_text(text)
        git("add", "-A")
        git("commit", "-q", "-m", "more")
        commits.append(git("rev-parse", "HEAD"))
        if len(commits) == 1:
            git("tag", "v1")
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    daemon = subprocess.Popen(
        ["git", "daemon", "--export-all", "--listen=127.0.0.1", f"--port={port}", "--reuseaddr", f"--base-path={work.parent}"],
        start_new_session=True, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 10
        while subprocess.run(
            ["git", "ls-remote", f"git://127.0.0.1:{port}/test.git"], capture_output=True
        ).returncode:
            assert time.monotonic() < deadline, "git daemon does not answer"
            time.sleep(0.05)
        yield Repository(f"git://127.0.0.1:{port}/test.git", commits)
    finally:
        daemon.terminate()
        daemon.wait()
