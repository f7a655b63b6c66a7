"""An engine that a real, unprivileged user of this machine runs; the user exists for the test only."""

from __future__ import annotations

import itertools
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.embedded.engine_process import SOURCE, EngineProcess
from tests.support.cli import Stackwright

_PASSED_ON = (
    "STACKWRIGHT_WARM",
    "PATH",
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS",
    "PIP_CERT",
    "CURL_CA_BUNDLE",
)
"""Besides proxies: what a person behind a company's gateway has in the environment, and whether commands leave a fork server."""

_NUMBERS = itertools.count()


class Account:
    """A user with subordinate ids, made with useradd; `remove` takes everything of it away."""

    def __init__(self, *, subordinate_ids: bool = True) -> None:
        number = next(_NUMBERS)
        self.name = f"swt{os.getpid()}n{number}"
        _run("useradd", "--system", "--no-create-home", "--shell", "/bin/false", self.name)
        found = pwd.getpwnam(self.name)
        self.uid, self.gid = found.pw_uid, found.pw_gid
        # Tests run side by side, each process with users of its own.
        self.subordinate = 700_000 + (number % 5 * 10_000 + os.getpid() % 10_000) * 65_536
        if subordinate_ids:
            ids = f"{self.subordinate}-{self.subordinate + 65_535}"
            _run("usermod", "--add-subuids", ids, "--add-subgids", ids, self.name)

    def processes(self) -> list[str]:
        """Command lines of whatever runs as this user or as one of its subordinate ids."""
        found = []
        for entry in Path("/proc").iterdir():
            try:
                owner = entry.stat().st_uid if entry.name.isdigit() else 0
                command = (entry / "cmdline").read_text() if owner else ""
                own = owner == self.uid or self.subordinate <= owner < self.subordinate + 65_536
                if command and own:  # a zombie has none
                    found.append(f"{entry.name} {command}".replace("\0", " "))
            except OSError:
                continue
        return found

    def wait_until_gone(self, seconds: float = 10) -> list[str]:
        """Processes of the user that have not ended after so long."""
        deadline = time.monotonic() + seconds
        while self.processes() and time.monotonic() < deadline:
            time.sleep(0.05)
        return self.processes()

    def remove(self) -> None:
        for line in self.processes():
            try:
                os.kill(int(line.split()[0]), signal.SIGKILL)
            except ProcessLookupError:
                continue
        for _ in range(100):
            if not self.processes():
                break
            time.sleep(0.05)
        _run("userdel", self.name)


class UserEngine(EngineProcess):
    """The engine, run by an Account. `programs`: what it finds in PATH besides the usual; None: all that is there."""

    def __init__(
        self,
        account: Account,
        *,
        hidden: tuple[str, ...] = (),
        cgroups: Sequence[Path] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__()
        self._environment = dict(environment or {})
        self.account = account
        self._cgroups = tuple(cgroups)
        self._path = os.environ["PATH"]
        if hidden:
            programs = self.root / "programs"
            programs.mkdir()
            for name in {"newuidmap", "newgidmap", "pasta"} - set(hidden):
                if found := shutil.which(name):
                    (programs / name).symlink_to(found)
            self._path = str(programs)
        (self.root / "home").mkdir()
        for path in (self.root, self.root / "home"):
            os.chown(path, account.uid, account.gid)

    def spawn(self, *arguments: str, stderr: Any = subprocess.PIPE) -> subprocess.Popen[bytes]:
        command = [
            str(shutil.which("setpriv")), f"--reuid={self.account.uid}", f"--regid={self.account.gid}", "--clear-groups",
            interpreter(), "-m", "stackwright.embedded", "serve",
            "--state-dir", str(self.state_dir), "--socket", str(self.socket), "--idle-seconds", "0", *arguments,
        ]  # fmt: skip
        packages = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
        environment = {
            "PATH": self._path,
            "HOME": str(self.root / "home"),
            "PYTHONPATH": ":".join([str(SOURCE), *packages]),
            "PYTHONDONTWRITEBYTECODE": "1",
            "LC_ALL": "C.UTF-8",
            **self._environment,
        }
        groups = self._cgroups

        def join() -> None:
            for group in groups:
                (group / "cgroup.procs").write_text("0")

        return subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stderr=stderr, cwd="/",
            preexec_fn=join,
        )  # fmt: skip

    def keeper(self) -> int:
        """Pid of the process that stays outside."""
        (found,) = [line for line in self.account.processes() if "stackwright-keeper" in line]
        return int(found.split()[0])

    def words(self) -> str:
        """What it has logged."""
        return self.log.read_text()


@dataclass
class UserStackwright(Stackwright):
    """The `stackwright` command as an Account types it, with control groups where `cgroups` are given."""

    account: Account = field(kw_only=True)
    cgroups: Sequence[Path] = ()

    @property
    def environ(self) -> dict[str, str]:
        kept = {
            key: value for key, value in os.environ.items() if key in _PASSED_ON or "proxy" in key.lower()
        }
        packages = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
        return {
            **kept,
            "HOME": str(self.root / "home"),
            "PYTHONPATH": ":".join([str(SOURCE), *packages]),
            "PYTHONDONTWRITEBYTECODE": "1",
            "LC_ALL": "C.UTF-8",
            "STACKWRIGHT_STATE_DIR": str(self.root / "state"),
            "STACKWRIGHT_SOCKET": str(self.socket),
            **self.environment,
        }

    def command(self, *arguments: str) -> list[str]:
        join = 'for group in $0; do echo $$ > "$group/cgroup.procs"; done; exec "$@"'
        return [
            "sh", "-c", join, " ".join(map(str, self.cgroups)),
            str(shutil.which("setpriv")), f"--reuid={self.account.uid}", f"--regid={self.account.gid}", "--clear-groups",
            interpreter(), "-m", "stackwright.cli.main", "--engine", "embedded", *arguments,
        ]  # fmt: skip

    def give(self) -> None:
        """Make everything in the folder the user's own."""
        (self.root / "home").mkdir(exist_ok=True)
        _run("chown", "-R", f"{self.account.uid}:{self.account.gid}", str(self.root))


@contextmanager
def delegated_groups(account: Account) -> Iterator[tuple[Path, ...]]:
    """Control groups that belong to the user, as systemd's Delegate=yes gives them: of version 2, or of each of version
    1's hierarchies where the host has its controllers there."""
    root = Path("/sys/fs/cgroup")
    roots = [root] if (root / "cgroup.controllers").exists() else sorted(root.glob("*/tasks"))
    # Of its own for each engine: a user may have several at once.
    name = f"{account.name}-{secrets.token_hex(3)}"
    groups = tuple((one.parent if one.name == "tasks" else one) / name for one in roots)
    for group in groups:
        group.mkdir()
        for name in (
            "cpuset.cpus",
            "cpuset.mems",
        ):  # empty in a new group of version 1, which then takes nobody
            if (group / name).exists() and (group / "tasks").exists():
                (group / name).write_text((group.parent / name).read_text())
        for path in (group, *(group / name for name in ("cgroup.procs", "tasks", "cgroup.subtree_control"))):
            if path.exists():
                os.chown(path, account.uid, account.gid)
    try:
        yield groups
    finally:
        _end_what_is_in(groups[-1])
        for group in groups:
            for path in (*sorted(group.rglob("*/"), reverse=True), group):
                _remove_group(path)


def _end_what_is_in(group: Path) -> None:
    """`pasta` notices only after a while that its network is gone, and hides whose process it is."""
    for number in range(200):
        left = [pid for file in group.rglob("cgroup.procs") for pid in file.read_text().split()]
        if not left:
            return
        for pid in left if number >= 100 else ():
            with suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        time.sleep(0.05)


def _remove_group(path: Path) -> None:
    for _ in range(100):  # the last processes take a moment to leave it
        try:
            path.rmdir()
            return
        except FileNotFoundError:
            return
        except OSError:
            time.sleep(0.05)
    path.rmdir()


def interpreter() -> str:
    """A Python of our version that every user may run; skips where there is none."""
    wanted = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    for candidate in (sys.executable, f"/usr/bin/{wanted}", f"/usr/local/bin/{wanted}"):
        path = Path(candidate).resolve()
        if path.exists() and all(parent.stat().st_mode & 0o001 for parent in path.parents):
            return candidate
    pytest.skip(f"no {wanted} that every user may run")


def why_not() -> str | None:
    """None when such an engine can be tried here."""
    if os.geteuid() != 0:
        return "needs root, to make the user"
    missing = [name for name in ("useradd", "newuidmap", "newgidmap", "docker") if not shutil.which(name)]
    return f"not installed: {', '.join(missing)}" if missing else None


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=20)
