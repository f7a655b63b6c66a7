"""A project small enough to start in a second, on an engine of its own."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from pathlib import Path

import docker
import pytest
from tests.peers import busybox_archive
from tests.support.cli import Stackwright

# Two replicas' worth of behaviour in one file: a page that names its server, and a client of it.
COMPOSE = """\
services:
  web:
    image: tiny:1
    command: ["sh", "-c", "echo hello > /srv/index.html; exec httpd -f -p 8000 -h /srv"]
    init: true
    ports: ["127.0.0.1:{port}:8000"]
    volumes: ["data:/srv"]
    restart: unless-stopped
    stop_grace_period: 2s
    healthcheck:
      test: ["CMD", "wget", "-q", "-O", "/dev/null", "http://127.0.0.1:8000/index.html"]
      interval: 5s
      retries: 3
  client:
    image: tiny:1
    init: true
    command: ["sh", "-c", "n=0; while sleep 0.05; do n=$$((n+1)); wget -q -O - http://web:8000/index.html >/dev/null && echo ok $$n || echo FAILED $$n; done"]
    depends_on:
      web: {{condition: service_healthy}}
volumes:
  data:
"""


@dataclass
class Project:
    """A project folder with the command bound to it."""

    folder: Path
    port: int
    command: Stackwright

    def ok(self, *arguments: str, timeout: float = 60) -> str:
        return self.command.ok(*arguments, cwd=self.folder, timeout=timeout)

    def write(self, text: str, name: str = "compose.yaml") -> Path:
        path = self.folder / name
        path.write_text(text)
        return path


def load_tiny_image(command: Stackwright) -> None:
    """Loads `tiny:1` (static busybox) into the engine of `command`."""
    client = docker.APIClient(base_url=f"unix://{command.socket}", version="1.41", timeout=60)
    try:
        list(client.load_image(busybox_archive("tiny:1")))  # a generator: unread, the load is cut short
    finally:
        client.close()


@pytest.fixture
def project(stackwright: Stackwright, tmp_path: Path, free_port: int) -> Project:
    folder = tmp_path / "shop"
    folder.mkdir()
    made = Project(folder, free_port, stackwright)
    made.write(COMPOSE.format(port=free_port))
    stackwright.ok("engine", "start", cwd=folder)
    load_tiny_image(stackwright)
    return made


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
