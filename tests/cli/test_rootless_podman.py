"""The everyday commands on a Podman that an ordinary user runs, as that user."""

from __future__ import annotations

import json
import os
import sys
import sysconfig
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.conftest import Box
from tests.embedded.engine_process import SOURCE
from tests.support.registry import free_port
from tests.support.rootless_podman import RootlessPodman, rootless_podman

pytestmark = [pytest.mark.root, pytest.mark.slow]


@pytest.fixture(scope="module")
def podman(tun: None) -> Iterator[RootlessPodman]:
    with rootless_podman() as made:
        yield made


class UserBox(Box):
    """A `Box` whose commands an ordinary user gives."""

    podman: RootlessPodman

    @property
    def environ(self) -> dict[str, str]:
        packages = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
        return {
            **self.podman.environ,
            "DOCKER_HOST": self.address,
            "PYTHONPATH": ":".join([str(SOURCE), *packages]),
            "PYTHONDONTWRITEBYTECODE": "1",
            "STACKWRIGHT_WARM": os.environ["STACKWRIGHT_WARM"],
        }

    def command(self, *arguments: str) -> list[str]:
        return [
            *self.podman.words,
            sys.executable,
            "-m",
            "stackwright.cli.main",
            "-p",
            self.project,
            *arguments,
        ]


@pytest.fixture
def user(podman: RootlessPodman, request: pytest.FixtureRequest) -> Iterator[UserBox]:
    folder = podman.root / "home" / f"p{len(list((podman.root / 'home').iterdir()))}"
    folder.mkdir()
    os.chown(folder, podman.account.uid, podman.account.gid)
    made = UserBox(folder, podman.address, "podman")
    made.podman = podman
    yield made
    made.run("down", "-v", "-t", "0")


def test_services_come_up_find_each_other_and_go(user: UserBox) -> None:
    user.write(
        """
        services:
          db:
            image: $IMAGE
            command: [sh, -c, "trap 'exit 0' TERM; echo ready; touch /tmp/ok; sleep 1000 & wait"]
            healthcheck: {test: [CMD, test, -f, /tmp/ok], interval: 1s}
            volumes: ["data:/data"]
          web:
            image: $IMAGE
            command: $SLEEP
            depends_on: {db: {condition: service_healthy}}
        volumes: {data: {}}
        """
    )
    user.ok("up", "-d", "--wait")
    assert {name: one["State"] for name, one in user.ps().items()} == {"db-1": "running", "web-1": "running"}
    assert user.ok("logs", "db") == "db-1  | ready\n"
    assert user.ok("exec", "-T", "web", "id", "-u") == "0\n"
    user.ok("exec", "-T", "web", "ping", "-c", "1", "-w", "10", "db")
    assert "Nothing to do" in user.ok("plan")
    assert user.ok("run", "--rm", "-T", "--no-deps", "web", "echo", "once") == "once\n"
    user.ok("down", "-v")
    assert user.ps() == {}
    assert user.podman.podman("volume", "ls", "-q").stdout == ""


def test_a_published_port_answers_and_a_changed_service_is_replaced(user: UserBox) -> None:
    port = free_port()
    text = f"""
        services:
          web:
            image: $IMAGE
            init: true
            command: [sh, -c, "mkdir /w; echo <text> > /w/index.html; exec httpd -f -p 80 -h /w"]
            ports: ["127.0.0.1:{port}:80"]
            healthcheck: {{test: [CMD, wget, -q, -O, /dev/null, "http://127.0.0.1/"], interval: 1s}}
        """
    for word in ("one", "two"):
        user.write(text.replace("<text>", word))
        user.ok("up", "-d", "--wait")
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as answer:
            assert answer.read() == f"{word}\n".encode()
    user.ok("up", "-d", "--scale", "web=1")
    user.ok("down")


def test_a_port_that_only_root_may_have_is_refused_in_words(user: UserBox) -> None:
    if int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text()) < 81:
        pytest.skip("users may have all ports here")
    user.write('services: {web: {image: $IMAGE, command: $SLEEP, ports: ["127.0.0.1:80:80"]}}')
    said = user.fails("up", "-d")
    assert "service web cannot start" in said
    assert "80" in said


def test_ls_tells_of_the_users_projects(user: UserBox) -> None:
    user.write("services: {web: {image: $IMAGE, command: $SLEEP}}")
    user.ok("up", "-d")
    listed = json.loads(user.ok("ls", "--format", "json"))
    assert [one["Name"] for one in listed] == [user.project]
    user.ok("down")
