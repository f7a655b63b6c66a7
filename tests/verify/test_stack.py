"""`stackwright.up`: a project for as long as a context lasts."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from tests.cli.conftest import Box

import stackwright
from stackwright.engine.client import EngineClient
from stackwright.run.errors import NoSuchService, RunError, ServiceFailed
from stackwright.verify import guard
from stackwright.verify.isolation import Owner, copy_name
from stackwright.verify.stack import CommandFailed

TEXT = """
    name: shop
    services:
      web:
        image: $IMAGE
        init: true
        command: ["sh", "-c", "echo hello > /srv/index.html; echo serving; exec httpd -f -p 80 -h /srv"]
        container_name: the-one-and-only
        ports: ["18499:80"]
        volumes: [data:/data]
        healthcheck: {test: [CMD, wget, -q, -O, /dev/null, "http://127.0.0.1/"], interval: 30s}
    volumes: {data: }
    """


@pytest.fixture
def shop(box: Box, monkeypatch: pytest.MonkeyPatch) -> Box:
    monkeypatch.setenv("DOCKER_HOST", box.address)
    monkeypatch.chdir(box.folder)
    box.write(TEXT)
    return box


async def projects(box: Box) -> set[str]:
    async with EngineClient(box.address) as client:
        found = await client.list_containers(all=True)
        volumes = await client.list_volumes()
    mine = [*found, *volumes]
    return {name for one in mine if (name := (one["Labels"] or {}).get("com.docker.compose.project"))}


async def test_two_fresh_copies_live_side_by_side_and_leave_nothing(shop: Box) -> None:
    async with stackwright.up(fresh=True) as one, stackwright.up("compose.yaml", fresh=True) as two:
        assert one.name != two.name
        assert await projects(shop) >= {one.name, two.name}
        addresses = [stack.service("web").address(80) for stack in (one, two)]
        assert len({address.port for address in addresses}) == 2
        if shop.engine == "embedded":  # the other engine's ports are in a network namespace of its own
            with urllib.request.urlopen(f"http://{addresses[0]}/", timeout=10) as answer:
                assert answer.read() == b"hello\n"
        assert one.service("web").port(80) == addresses[0].port
        ran = await two.service("web").exec("sh", "-c", "cat /srv/index.html; echo $A >&2", env={"A": "b"})
        assert ran == (0, "hello\n", "b\n")
        assert "serving" in await one.service("web").logs()
    assert not {one.name, two.name} & await projects(shop)


def test_without_async_it_is_the_same(shop: Box) -> None:
    with stackwright.up(fresh=True, publish={"web": [9]}) as stack:
        web = stack.service("web")
        assert web.exec("echo", "hello").stdout == "hello\n"
        assert web.exec("false", check=False).code == 1
        with pytest.raises(CommandFailed, match="exit code 3\n  oh no"):
            web.exec("sh", "-c", "echo oh no; exit 3")
        assert web.port(9) not in (0, web.port(80))
        with pytest.raises(RunError, match="does not publish 5432/tcp, only 80/tcp, 9/tcp"):
            web.address(5432)
        with pytest.raises(NoSuchService, match="no such service: wep"):
            stack.service("wep")
        web.restart(timeout=1)
        assert "serving" in web.logs(tail=1)
        assert list(stack.services) == ["web"]


def test_a_failing_service_leaves_nothing_either(shop: Box) -> None:
    shop.write("services: {web: {image: $IMAGE, command: [sh, -c, 'echo broken; exit 3']}}")
    with pytest.raises(ServiceFailed, match="exit code 3"), stackwright.up(fresh=True):
        raise AssertionError("it is not up")
    shop.write(TEXT)
    with stackwright.up(fresh=True) as stack:
        listed = json.loads(shop.ok("ls", "-a", "--format", "json"))
    assert [one["Name"] for one in listed] == [stack.name]


async def test_without_fresh_it_is_the_project_itself_and_volumes_stay(shop: Box) -> None:
    async with stackwright.up(project_name=shop.project) as stack:
        assert stack.name == shop.project
        assert stack.service("web").port(80) == 18499
        assert stack.service("web").containers[0].name == "the-one-and-only"
    async with EngineClient(shop.address) as client:
        assert f"{shop.project}_data" in {one["Name"] for one in await client.list_volumes()}
    shop.ok("down", "-v")


async def until_gone(box: Box, name: str) -> None:
    deadline = time.monotonic() + 30
    while name in await projects(box):
        assert time.monotonic() < deadline, f"{name} is still there"
        time.sleep(0.1)


async def test_a_killed_process_leaves_nothing(shop: Box) -> None:
    script = "import stackwright, time\nwith stackwright.up(fresh=True) as s:\n print(s.name, flush=True); time.sleep(99)"
    process = subprocess.Popen(
        [sys.executable, "-c", script], cwd=shop.folder, env=shop.environ, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    name = process.stdout.readline().strip()
    assert name in await projects(shop)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    await until_gone(shop, name)


async def test_what_even_the_guard_could_not_take_down_the_next_run_does(shop: Box) -> None:
    gone = Owner(guard.myself().namespace, guard.myself().pid, 1)  # somebody else had this pid before
    elsewhere = Owner(1, 2, 3)
    lost, theirs = copy_name("shop", gone, 1), copy_name("shop", elsewhere, 1)
    shop.write("services: {web: {image: $IMAGE, command: $SLEEP}}")
    for name in (lost, theirs):
        shop.ok("-p", name, "up", "-d")
    with stackwright.up(fresh=True):
        found = await projects(shop)
    shop.ok("-p", theirs, "down", "-t", "0")
    assert lost not in found
    assert theirs in found


def test_importing_the_package_stays_light() -> None:
    code = "import sys, stackwright; print([n for n in ('asyncio', 'msgspec', 'click', 'yaml', 'aiohttp') if n in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=dict(os.environ)
    )
    assert done.stdout == "[]\n"
    code = "import sys, stackwright.verify.pytest_plugin; print('msgspec' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path.cwd()
    )
    assert done.stdout == "False\n"
