"""Create bodies: Docker's names, null as absent, and errors that name the field."""

from __future__ import annotations

import pytest

from stackwright.embedded.errors import BadParameter
from stackwright.embedded.lifecycle.config import as_words, parse_create, to_docker
from stackwright.embedded.lifecycle.inherit import inherit, process_env


def test_names_survive_the_round_trip() -> None:
    body = {
        "Image": "x",
        "Env": ["A=b"],
        "HostConfig": {
            "NanoCpus": 5,
            "UTSMode": "host",
            "BlkioDeviceReadIOps": [{"Path": "/dev/x", "Rate": 1}],
        },
        "NetworkingConfig": {
            "EndpointsConfig": {"n": {"IPAMConfig": {"IPv4Address": "10.0.0.1"}}, "m": None}
        },
    }
    request = parse_create(body)
    host = to_docker(request.host_config)
    assert (host["NanoCpus"], host["UTSMode"]) == (5, "host")
    assert host["BlkioDeviceReadIOps"] == [{"Path": "/dev/x", "Rate": 1}]
    endpoints = request.networking.endpoints_config
    assert endpoints["n"].ipam_config is not None and endpoints["n"].ipam_config.ipv4_address == "10.0.0.1"
    assert "m" in endpoints


def test_null_means_not_given_and_unknown_fields_are_dropped() -> None:
    request = parse_create({"Image": "x", "User": None, "Cmd": None, "HostConfig": None, "Nonsense": [1]})
    assert (request.config.user, request.config.cmd) == ("", None)
    assert parse_create({"ExposedPorts": {"80/tcp": None}}).config.exposed_ports == {"80/tcp": {}}


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"Env": "A=b"}, "$.Env"),
        ({"Tty": "yes"}, "$.Tty"),
        ({"HostConfig": {"Memory": "1g"}}, "$.Memory"),
        ({"HostConfig": {"PortBindings": {"80/tcp": {"HostPort": "1"}}}}, "$.PortBindings"),
    ],
)
def test_a_wrong_type_is_named(body: dict[str, object], place: str) -> None:
    with pytest.raises(BadParameter) as caught:
        parse_create(body)
    assert place in caught.value.message


def test_what_is_not_said_comes_from_the_image() -> None:
    image = {
        "Cmd": ["serve"], "Entrypoint": ["/run"], "Env": ["PATH=/bin", "A=image"], "User": "app", "Labels": {"a": "1"},
        "Healthcheck": {"Test": ["CMD", "ok"], "Interval": 5}, "StopSignal": "SIGINT", "WorkingDir": "/w",
        "ExposedPorts": {"80/tcp": {}}, "Volumes": {"/data": {}},
    }  # fmt: skip
    config = inherit(parse_create({"Env": ["A=own"], "Healthcheck": {"Retries": 9}}).config, image)
    assert (config.entrypoint, config.cmd, config.user) == (["/run"], ["serve"], "app")
    assert config.env == ["A=own", "PATH=/bin"]
    assert config.healthcheck is not None
    assert (config.healthcheck.test, config.healthcheck.interval, config.healthcheck.retries) == (
        ["CMD", "ok"],
        5,
        9,
    )


def test_an_own_entrypoint_does_not_take_the_images_command() -> None:
    image = {"Cmd": ["serve"], "Entrypoint": ["/run"]}
    own = inherit(parse_create({"Entrypoint": ["sh"]}).config, image)
    assert (own.entrypoint, own.cmd) == (["sh"], None)
    cleared = inherit(parse_create({"Entrypoint": [""], "Cmd": ["x"]}).config, image)
    assert (cleared.entrypoint, cleared.cmd) == (None, ["x"])
    with pytest.raises(BadParameter, match="no command specified"):
        inherit(parse_create({}).config, {})


def test_the_environment_of_the_process() -> None:
    config = parse_create({"Env": ["A=1", "A=2", "PATH", "B="], "Tty": True}).config
    assert process_env(config, "me") == {"HOSTNAME": "me", "TERM": "xterm", "A": "2", "B": ""}


def test_one_word_or_many() -> None:
    assert (as_words(None), as_words("a b"), as_words(["a", "b"])) == ([], ["a b"], ["a", "b"])
