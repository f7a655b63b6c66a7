"""Networking as clients of the API meet it: a real engine, real containers, the real docker client."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from tests.embedded.engine_process import EngineClient, ours_only
from tests.peers import IMAGE

pytestmark = [pytest.mark.root, pytest.mark.as_user, pytest.mark.usefixtures("docker_cli")]
WEB = "mkdir -p /srv; echo from-$(hostname) > /srv/index.html; exec httpd -f -p 80 -h /srv"


@contextmanager
def running(engine: EngineClient, name: str, *options: str, command: str = WEB) -> Iterator[str]:
    """A container that serves a page with its name, until the end of the block; its id."""
    made = engine.docker(
        "run", "-d", "--name", name, "--hostname", name, *options, IMAGE, "sh", "-c", command
    )
    try:
        yield made.stdout.strip()
    finally:
        engine.docker("rm", "-f", name)


def page(engine: EngineClient, container: str, url: str) -> str:
    """What wget in a container gets; tried for a moment, since servers take one to listen."""
    for _ in range(40):
        got = engine.docker("exec", container, "wget", "-qO-", url, check=False)
        if got.returncode == 0:
            return got.stdout.strip()
        time.sleep(0.05)
    return f"nothing: {got.stderr.strip()}"


def page_from_host(host: str, port: int) -> str:
    """The page's body, from the host."""
    for _ in range(40):
        try:
            with socket.create_connection((host, port), 3) as client:
                client.sendall(b"GET / HTTP/1.0\r\n\r\n")
                with client.makefile("rb") as stream:
                    return stream.read().decode().split("\r\n\r\n")[-1].strip()
        except OSError:
            time.sleep(0.05)
    return "nothing"


@pytest.fixture
def network(engine: EngineClient) -> Iterator[str]:
    engine.docker("network", "create", "netapp")
    yield "netapp"
    engine.docker("network", "rm", "netapp")


def test_names_lead_to_containers_also_after_a_restart(engine: EngineClient, network: str) -> None:
    with running(engine, "server", "--network", network, "--network-alias", "api"):
        with running(engine, "client", "--network", network, command="sleep 100"):
            for name in ("server", "api", f"server.{network}"):
                assert page(engine, "client", f"http://{name}/") == "from-server"
            engine.docker("restart", "-t", "0", "server")
            assert page(engine, "client", "http://api/") == "from-server"


@ours_only("the suite's Docker Engine has a loopback of its own")
def test_published_ports_answer_on_both_loopbacks_and_move_with_the_container(
    engine: EngineClient, network: str
) -> None:
    with running(engine, "server", "--network", network, "-p", "80"):
        port = int(engine.docker("port", "server", "80/tcp").stdout.split()[0].rpartition(":")[2])
        assert [page_from_host(host, port) for host in ("127.0.0.1", "::1")] == ["from-server"] * 2
        with pytest.raises(AssertionError), running(engine, "second", "-p", f"{port}:80"):
            pass
        engine.docker("rm", "-f", "second", check=False)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), 3)


def test_a_container_reaches_ports_of_the_host_by_host_gateway(engine: EngineClient, network: str) -> None:
    with running(engine, "server", "--network", network, "-p", "80"):
        port = int(engine.docker("port", "server", "80/tcp").stdout.split()[0].rpartition(":")[2])
        gateway = ["--add-host", "host.docker.internal:host-gateway"]
        with running(engine, "client", *gateway, command="sleep 100"):
            assert page(engine, "client", f"http://host.docker.internal:{port}/") == "from-server"


def test_members_of_an_internal_network_reach_each_other(engine: EngineClient) -> None:
    engine.docker("network", "create", "--internal", "vault")
    with running(engine, "server", "--network", "vault"):
        with running(engine, "client", "--network", "vault", command="sleep 100"):
            assert page(engine, "client", "http://server/") == "from-server"
    engine.docker("network", "rm", "vault")


def test_inspect_shows_who_is_in_a_network(engine: EngineClient, network: str) -> None:
    with running(engine, "server", "--network", network) as container:
        shown = json.loads(engine.docker("network", "inspect", network).stdout)[0]
        settings = json.loads(engine.docker("inspect", "server").stdout)[0]["NetworkSettings"]["Networks"][
            network
        ]
        member = shown["Containers"][container]
        assert member["Name"] == "server"
        assert member["IPv4Address"] == f"{settings['IPAddress']}/{settings['IPPrefixLen']}"
        assert settings["Gateway"] == shown["IPAM"]["Config"][0]["Gateway"]
        assert settings["NetworkID"] == shown["Id"]
    assert json.loads(engine.docker("network", "inspect", network).stdout)[0]["Containers"] == {}
