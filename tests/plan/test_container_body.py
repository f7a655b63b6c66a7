"""A service as the Engine API's ContainerCreate body."""

from __future__ import annotations

from typing import Any

from tests.projects import project, sleeper

from stackwright.plan.container import Request, body
from stackwright.plan.mounts import Inherited, injected

REQUEST: dict[str, Any] = {
    "name": "demo-web-1",
    "number": 1,
    "image": "i",
    "labels": {},
    "namespaces": {"db": "f00"},
}


def made(service: dict[str, Any], **request: Any) -> dict[str, Any]:
    demo = project(web=service, db=sleeper())
    return body(demo, demo.services["web"], Request(**{**REQUEST, **request})).config


def test_an_empty_command_clears_the_images_and_none_leaves_it() -> None:
    assert made({"command": []})["Cmd"] == []
    assert "Cmd" not in made({"command": None})


def test_aliases_are_the_containers_name_and_the_services() -> None:
    endpoints = made({})["NetworkingConfig"]["EndpointsConfig"]
    assert endpoints["demo_default"]["Aliases"] == ["demo-web-1", "web"]


def test_a_one_off_container_does_not_answer_to_the_services_name() -> None:
    endpoints = made({}, aliases=False)["NetworkingConfig"]["EndpointsConfig"]
    assert endpoints["demo_default"]["Aliases"] == ["demo-web-1"]


def test_published_ports_are_exposed_and_bound() -> None:
    config = made(
        {
            "ports": [
                {"target": 80, "published": "8080", "host_ip": "127.0.0.1"},
                {"target": 53, "protocol": "udp"},
            ]
        }
    )
    assert config["ExposedPorts"] == {"80/tcp": {}, "53/udp": {}}
    assert config["HostConfig"]["PortBindings"] == {
        "80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}],
        "53/udp": [{"HostIp": "", "HostPort": ""}],
    }


def test_the_network_of_another_service_is_its_containers() -> None:
    host = made({"network_mode": "service:db"})
    assert host["HostConfig"]["NetworkMode"] == "container:f00"
    assert host["NetworkingConfig"]["EndpointsConfig"] == {}


def test_a_second_network_is_connected_later_before_api_1_44() -> None:
    demo = project(web={"networks": {"default": None, "back": {"aliases": ["b"], "priority": 5}}})
    demo.networks["back"] = demo.networks["default"].__class__(name="demo_back")
    old = body(demo, demo.services["web"], Request(**REQUEST, api_version=(1, 41)))
    assert list(old.config["NetworkingConfig"]["EndpointsConfig"]) == ["demo_back"]
    assert [name for name, _ in old.later] == ["demo_default"]
    new = body(demo, demo.services["web"], Request(**REQUEST, api_version=(1, 44)))
    assert list(new.config["NetworkingConfig"]["EndpointsConfig"]) == ["demo_back", "demo_default"]
    assert new.later == ()


def test_binds_and_named_volumes_use_the_short_form() -> None:
    volumes = [
        {"type": "bind", "source": "/src", "target": "/a", "read_only": True},
        {"type": "volume", "source": "data", "target": "/b"},
        {"type": "tmpfs", "target": "/c", "tmpfs": {"size": 1024, "mode": 448}},
    ]
    host = made({"volumes": volumes})["HostConfig"]
    assert host["Binds"] == ["/src:/a:ro", "demo_data:/b:rw"]
    assert host["Mounts"] == [
        {"Type": "tmpfs", "Target": "/c", "ReadOnly": False, "TmpfsOptions": {"SizeBytes": 1024, "Mode": 448}}
    ]


def test_anonymous_volumes_are_taken_over_from_the_predecessor() -> None:
    host = made({"volumes": [{"type": "volume", "target": "/b"}]}, inherited=(Inherited("a" * 64, "/b"),))[
        "HostConfig"
    ]
    assert host["Mounts"] == [{"Type": "volume", "Source": "a" * 64, "Target": "/b", "ReadOnly": False}]


def test_a_health_check_keeps_its_times_and_disable_means_none() -> None:
    check = made({"healthcheck": {"test": ["CMD", "x"], "interval": 5, "retries": 2}})["Healthcheck"]
    assert (check["Test"], check["Interval"], check["Retries"]) == (["CMD", "x"], 5, 2)
    assert made({"healthcheck": {"disable": True}})["Healthcheck"] == {"Test": ["NONE"]}


def test_limits_come_from_deploy_when_the_service_has_none() -> None:
    deploy = {"resources": {"limits": {"cpus": 0.5, "memory": 1 << 20, "pids": 7}}}
    host = made({"deploy": deploy})["HostConfig"]
    assert (host["NanoCpus"], host["Memory"], host["PidsLimit"]) == (500_000_000, 1 << 20, 7)


def test_restart_policies_have_names_and_counts() -> None:
    assert made({"restart": "on-failure:3"})["HostConfig"]["RestartPolicy"] == {
        "Name": "on-failure",
        "MaximumRetryCount": 3,
    }
    assert "RestartPolicy" not in made({})["HostConfig"]


def test_variables_without_a_value_are_not_passed_on() -> None:
    assert made({"environment": {"B": "2", "A": "", "C": None}})["Env"] == ["A=", "B=2"]


def test_a_secret_from_a_file_is_bound_and_one_with_an_owner_is_copied() -> None:
    demo = project(web={"secrets": [{"source": "plain"}, {"source": "owned", "uid": "7", "mode": 256}]})
    from stackwright.model.types import Secret

    demo.secrets["plain"] = Secret(file="/host/plain")
    demo.secrets["owned"] = Secret(content="text", environment="X")
    config = body(demo, demo.services["web"], Request(**REQUEST)).config
    assert config["HostConfig"]["Mounts"] == [
        {
            "Type": "bind",
            "Source": "/host/plain",
            "Target": "/run/secrets/plain",
            "ReadOnly": True,
            "BindOptions": {},
        }
    ]
    (copied,) = injected(demo, demo.services["web"])
    assert (copied.target, copied.content, copied.uid, copied.mode) == (
        "/run/secrets/owned",
        b"text",
        7,
        0o400,
    )
