"""A real engine process for tests: started on folders of its own, killed, started again, and ended without a trace."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest

ours_only = pytest.mark.ours_only
"""`@ours_only("why")`: not for Docker Engine, of which the reason says how it differs."""
root_only = pytest.mark.root_only
"""`@root_only("why")`: in a module that runs `as_user` too, not this one."""
SOURCE = Path(__file__).resolve().parents[2] / "src"


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path, timeout: float = 60) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


class EngineClient:
    """What tests ask of an engine, whichever it is: requests, and the real `docker` client."""

    def __init__(self, root: Path, sock: Path) -> None:
        self.root = root
        self.socket = sock

    @property
    def address(self) -> str:
        """For DOCKER_HOST."""
        return f"unix://{self.socket}"

    def request(
        self, method: str, path: str, body: Any = None, *, raw: bytes | None = None, timeout: float = 60
    ) -> tuple[int, Any]:
        """Status and decoded answer (JSON where it is, else bytes)."""
        status, _, data = self.exchange(method, path, body, raw=raw, timeout=timeout)
        try:
            return status, json.loads(data)
        except ValueError:
            return status, data

    def exchange(
        self, method: str, path: str, body: Any = None, *, raw: bytes | None = None, timeout: float = 60
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        """Status, headers and body."""
        connection = UnixConnection(self.socket, timeout)
        try:
            data = raw if raw is not None else (None if body is None else json.dumps(body).encode())
            headers = {"Content-Type": "application/json"} if data is not None else {}
            connection.request(method, path, data, headers)
            response = connection.getresponse()
            return response.status, response.headers, response.read()
        finally:
            connection.close()

    def docker(
        self, *arguments: str, stdin: str | bytes | None = None, check: bool = True, timeout: float = 60
    ) -> subprocess.CompletedProcess[str]:
        """Run the real `docker` client against this engine."""
        environment = {
            **os.environ, "DOCKER_HOST": self.address, "DOCKER_BUILDKIT": "0",
            "DOCKER_CONFIG": str(self.root / "docker-config"), "DOCKER_CLI_HINTS": "false",
        }  # fmt: skip
        environment.pop("DOCKER_CONTEXT", None)
        data = stdin.encode() if isinstance(stdin, str) else stdin
        done = subprocess.run(
            ["docker", *arguments],
            input=data,
            capture_output=True,
            env=environment,
            timeout=timeout,
            check=False,
        )
        result = subprocess.CompletedProcess(
            done.args,
            done.returncode,
            done.stdout.decode(errors="replace"),
            done.stderr.decode(errors="replace"),
        )
        if check and result.returncode != 0:
            raise AssertionError(
                f"docker {' '.join(arguments)}: {result.returncode}\n{result.stdout}{result.stderr}"
            )
        return result


class EngineProcess(EngineClient):
    """`python -m stackwright.embedded serve` on a temporary state folder and socket."""

    def __init__(self, *, idle_seconds: float = 0) -> None:
        # A short path: the names of Unix sockets are limited to 107 bytes.
        root = Path(tempfile.mkdtemp(prefix="sw-"))
        super().__init__(root, root / "e.sock")
        self.state_dir = self.root / "state"
        self.log = self.root / "engine.log"
        self._idle_seconds = idle_seconds
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def start(self, *arguments: str) -> None:
        """Start it and wait until it answers."""
        with self.log.open("ab") as log:
            self.process = self.spawn(*arguments, stderr=log)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            try:
                if self.request("GET", "/_ping")[0] == 200:
                    return
            except OSError:
                time.sleep(0.02)
        raise RuntimeError("the engine did not start:\n" + self.log.read_text())

    def spawn(self, *arguments: str, stderr: Any = subprocess.PIPE) -> subprocess.Popen[bytes]:
        """Another engine process on the same folders, not waited for."""
        command = [
            sys.executable, "-m", "stackwright.embedded", "serve",
            "--state-dir", str(self.state_dir), "--socket", str(self.socket),
            "--idle-seconds", str(self._idle_seconds), *arguments,
        ]  # fmt: skip
        environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
        return subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stderr=stderr)

    def kill(self) -> None:
        """SIGKILL, as nothing would ever warn it."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def terminate(self) -> int:
        """SIGTERM; returns the exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)

    def close(self) -> None:
        """End containers and engine, remove everything. Fails when the engine does not end by itself."""
        try:
            if self.process is None or self.process.poll() is not None:
                self.start()
            assert self.process is not None
            self.request("POST", "/stackwright/shutdown?force=1")
            self.process.wait(30)
        finally:
            if self.process is not None and self.process.poll() is None:
                self.process.kill()
                self.process.wait()
            shutil.rmtree(self.root, ignore_errors=True)
