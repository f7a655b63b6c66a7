"""/etc/hosts and /etc/resolv.conf of a container, and its privileges and ports in words."""

from __future__ import annotations

import socket

import pytest

from stackwright.embedded.containers.spec import DEFAULT_CAPABILITIES
from stackwright.embedded.errors import BadParameter
from stackwright.embedded.lifecycle.config import HostConfig, PortMapping
from stackwright.embedded.lifecycle.identity import extra_hosts, hosts_file, resolv_conf
from stackwright.embedded.lifecycle.ports import parse_port, wanted_bindings
from stackwright.embedded.lifecycle.privileges import ALL_CAPABILITIES, capabilities, security_options
from stackwright.embedded.lifecycle.specs import parse_size


def test_hosts_name_the_container_and_what_was_added() -> None:
    text = hosts_file(
        ["10.0.0.2"], "web", "example.org", extra_hosts(["db:10.0.0.9", "up=host-gateway"], "10.0.0.1")
    )
    assert "10.0.0.9\tdb\n10.0.0.1\tup\n10.0.0.2\tweb.example.org web\n" in text
    assert extra_hosts(["six:[::1]", "v6=fd00::1", "broken"], "") == [("::1", "six"), ("fd00::1", "v6")]


def test_loopback_resolvers_of_the_host_do_not_reach_a_container() -> None:
    host = "nameserver 127.0.0.53\nnameserver 192.0.2.1\nsearch corp.example\noptions edns0\n"
    assert resolv_conf(host, [], [], []) == "nameserver 192.0.2.1\nsearch corp.example\noptions edns0\n"
    assert resolv_conf(host, ["127.0.0.11"], ["."], ["ndots:0"]) == "nameserver 127.0.0.11\noptions ndots:0\n"
    assert resolv_conf(host, ["127.0.0.11"], [], []).endswith("options edns0 ndots:0\n")
    assert "nameserver 8.8.8.8" in resolv_conf("nameserver ::1\n", [], [], [])


def test_capabilities_are_added_dropped_and_checked() -> None:
    assert capabilities([], []) == DEFAULT_CAPABILITIES
    assert capabilities(["net_admin"], ["CAP_CHOWN"])[-1] == "CAP_NET_ADMIN"
    assert "CAP_CHOWN" not in capabilities([], ["chown"])
    assert capabilities(["CHOWN"], ["ALL"]) == ("CAP_CHOWN",)
    assert set(capabilities(["ALL"], ["SYS_ADMIN"])) == set(ALL_CAPABILITIES) - {"CAP_SYS_ADMIN"}
    with pytest.raises(BadParameter):
        capabilities(["FLY"], [])


def test_security_options() -> None:
    options = security_options(
        ["no-new-privileges", "seccomp=unconfined", "systempaths:unconfined", "label=disable"]
    )
    assert (options.no_new_privileges, options.seccomp, options.system_paths_unconfined) == (
        True,
        "unconfined",
        True,
    )
    assert not security_options(["no-new-privileges:false"]).no_new_privileges
    with pytest.raises(BadParameter):
        security_options(["magic=on"])


@pytest.mark.parametrize("text", ["0", "70000/tcp", "http", "80/sctp", "80/"[:2] + "/x"])
def test_what_is_no_port(text: str) -> None:
    with pytest.raises(BadParameter):
        parse_port(text)


def test_bindings_with_ranges_and_publish_all() -> None:
    assert parse_port("53/UDP") == (53, "udp")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        number = taken.getsockname()[1]
        mapping = PortMapping(host_ip="127.0.0.1", host_port=f"{number}-{number + 20}")
        host = HostConfig(port_bindings={"80/tcp": [mapping]}, publish_all_ports=True)
        bindings = wanted_bindings(["80/tcp", "90/udp"], host)
    assert number < bindings[0].host_port <= number + 20
    assert [(b.container_port, b.proto, b.host_port) for b in bindings[1:]] == [(90, "udp", 0)]


@pytest.mark.parametrize(
    ("text", "size"), [("10m", 10 * 1024**2), ("1K", 1024), ("5", 5), ("-1", 0), ("2gb", 2 * 1024**3)]
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size
