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


def test_networks_are_apart_from_each_other_and_one_name_leads_to_all_replicas(
    engine: EngineClient, network: str
) -> None:
    alias = ("--network", network, "--network-alias", "web")
    with running(engine, "one", *alias), running(engine, "two", *alias):
        with running(engine, "client", "--network", network, command="sleep 100"):
            pages = {page(engine, "client", "http://web/") for _ in range(30)}
            assert pages == {"from-one", "from-two"}
        form = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
        address = engine.docker("inspect", "-f", form, "one").stdout.strip()
        reach = ("wget", "-T", "2", "-qO-", f"http://{address}/")
        assert engine.docker("run", "--rm", IMAGE, *reach, check=False).returncode != 0
        engine.docker("network", "create", "other")
        assert engine.docker("run", "--rm", "--network", "other", IMAGE, *reach, check=False).returncode != 0
        engine.docker("network", "rm", "other")


def test_addresses_of_both_families(engine: EngineClient) -> None:
    subnets = ("--subnet", "10.78.0.0/24", "--subnet", "fd00:78::/64")
    engine.docker("network", "create", "--ipv6", *subnets, "both")
    try:
        with running(engine, "server", "--network", "both", "--ip6", "fd00:78::7"):
            with running(engine, "client", "--network", "both", command="sleep 100"):
                assert page(engine, "client", "http://[fd00:78::7]/") == "from-server"
            settings = json.loads(engine.docker("inspect", "server").stdout)[0]["NetworkSettings"]["Networks"]
            assert settings["both"]["GlobalIPv6Address"] == "fd00:78::7"
            assert settings["both"]["IPAddress"].startswith("10.78.0.")
    finally:
        engine.docker("network", "rm", "both")


def test_name_servers_search_and_options_are_those_asked_for(engine: EngineClient, network: str) -> None:
    options = ("--dns", "192.0.2.53", "--dns-search", "example.org", "--dns-option", "ndots:2")
    text = engine.docker("run", "--rm", *options, IMAGE, "cat", "/etc/resolv.conf").stdout
    wanted = ["nameserver 192.0.2.53", "search example.org", "options ndots:2"]
    assert lines_of(text) == sorted(wanted), "nothing stands between on the default bridge"
    text = engine.docker(
        "run", "--rm", "--network", network, *options, IMAGE, "cat", "/etc/resolv.conf"
    ).stdout
    assert "nameserver 127.0.0.11" in text and "search example.org" in text and "ndots:2" in text


def lines_of(text: str) -> list[str]:
    return sorted(line for line in text.splitlines() if line and not line.startswith("#"))


def test_a_network_joined_later_is_in_the_containers_files(engine: EngineClient) -> None:
    def shown(name: str) -> str:
        return engine.docker("exec", "late", "cat", f"/etc/{name}").stdout

    engine.docker("network", "create", "--subnet", "10.77.0.0/24", "chosen")
    engine.docker(
        "run", "-d", "--name", "late", "--hostname", "own", "--dns", "192.0.2.53", IMAGE, "sleep", "99"
    )
    try:
        hosts = lines_of(shown("hosts"))
        engine.docker("network", "connect", "--ip", "10.77.0.33", "chosen", "late")
        assert lines_of(shown("hosts")) == sorted([*hosts, "10.77.0.33\town"])
        assert "nameserver 127.0.0.11" in shown("resolv.conf")
        with running(engine, "server", "--network", "chosen"):
            assert page(engine, "late", "http://server/") == "from-server"
        engine.docker("network", "disconnect", "chosen", "late")
        # Docker 20.10 takes every row with the container's name.
        assert "10.77.0.33" not in shown("hosts")
    finally:
        engine.docker("rm", "-f", "late")
        engine.docker("network", "rm", "chosen")


def test_a_container_may_live_in_anothers_network(engine: EngineClient, network: str) -> None:
    with running(engine, "server", "--network", network):
        shared = ("run", "--rm", "--network", "container:server", IMAGE)
        for _ in range(40):
            got = engine.docker(*shared, "wget", "-qO-", "http://127.0.0.1/", check=False)
            if got.returncode == 0:
                break
        assert got.stdout == "from-server\n"
        assert engine.docker(*shared, "hostname").stdout == "server\n"
    alone = engine.docker("run", "--rm", "--network", "none", IMAGE, "ip", "-o", "link").stdout
    assert "eth0" not in alone and "lo" in alone


@ours_only("a MAC address of each network belongs to API 1.44")
def test_a_mac_address_is_the_one_asked_for(engine: EngineClient, network: str) -> None:
    wanted = ("--network", network, "--mac-address", "02:42:0a:4d:00:63")
    assert (
        "02:42:0a:4d:00:63"
        in engine.docker("run", "--rm", *wanted, IMAGE, "ip", "link", "show", "eth0").stdout
    )
