"""What differs between a container and what the model asks for, in the Engine API's own JSON."""

from __future__ import annotations

from typing import Any

import pytest

from stackwright.plan.changes import Change, changes, summary

IMAGE = {"Config": {"Env": ["PATH=/bin"], "Cmd": ["sh"], "WorkingDir": "/srv", "Labels": {"vendor": "x"}}}


def old(**config: Any) -> dict[str, Any]:
    """ContainerInspect of a container with the image's settings, and `config`."""
    host = config.pop("HostConfig", {})
    return {
        "Id": "abcdef0123456789",
        "Config": {
            "Hostname": "abcdef012345",
            "Image": "app:1",
            "Cmd": ["sh"],
            "WorkingDir": "/srv",
            "Env": ["PATH=/bin"],
            "Labels": {"vendor": "x", "com.docker.compose.project": "demo"},
            **config,
        },
        "HostConfig": {"ShmSize": 67108864, "LogConfig": {"Type": "json-file"}, "NetworkMode": "n", **host},
        "NetworkSettings": {"Networks": {"n": {}}},
    }


def new(**config: Any) -> dict[str, Any]:
    """A ContainerCreate body."""
    return {"Image": "app:1", **config}


def found(before: dict[str, Any], after: dict[str, Any]) -> list[tuple[str, str | None, str | None]]:
    return [(one.path, one.old, one.new) for one in changes(before, IMAGE, after, ["n"])]


def test_what_the_image_and_the_engine_fill_in_is_no_difference() -> None:
    assert found(old(), new()) == []


def test_environment_variables_are_compared_one_by_one() -> None:
    before = old(Env=["PATH=/bin", "LEVEL=info", "GONE=1"])
    assert found(before, new(Env=["LEVEL=debug", "FRESH="])) == [
        ("environment.FRESH", None, ""),
        ("environment.GONE", "1", None),
        ("environment.LEVEL", "info", "debug"),
    ]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({"Cmd": ["a"]}, {"Cmd": ["a", "b"]}, ("command", "a", "a b")),
        ({"Cmd": ["a"]}, {}, ("command", "a", None)),
        ({"User": "app"}, {}, ("user", "app", None)),
        ({"WorkingDir": "/else"}, {}, ("working_dir", "/else", None)),
        ({"StopTimeout": 3}, {"StopTimeout": 5}, ("stop_grace_period", "3s", "5s")),
        ({"Labels": {"a": "1", "vendor": "x"}}, {"Labels": {"a": "2"}}, ("labels.a", "1", "2")),
        (
            {"Healthcheck": {"Test": ["CMD", "x"], "Interval": 10**9}},
            {"Healthcheck": {"Test": ["CMD", "x"], "Interval": 2 * 10**9, "Retries": 0}},
            ("healthcheck.interval", "1s", "2s"),
        ),
    ],
)
def test_keys_of_the_container(before: Any, after: Any, expected: Any) -> None:
    assert found(old(**before), new(**after)) == [expected]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({"Memory": 64 << 20}, {"Memory": 96 << 20}, ("mem_limit", "64m", "96m")),
        ({"NanoCpus": 500000000}, {}, ("cpus", "0.5", None)),
        ({"CapAdd": ["CAP_NET_ADMIN"]}, {"CapAdd": ["SYS_TIME"]}, ("cap_add", "NET_ADMIN", "SYS_TIME")),
        (
            {"RestartPolicy": {"Name": "always", "MaximumRetryCount": 0}},
            {"RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 3}},
            ("restart", "always", "on-failure:3"),
        ),
        (
            {"PortBindings": {"80/tcp": [{"HostIp": "", "HostPort": "8080"}]}},
            {"PortBindings": {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8081"}]}},
            ("ports.80/tcp", "8080", "127.0.0.1:8081"),
        ),
        ({"Binds": ["data:/d:rw"]}, {"Binds": ["data:/d:ro"]}, ("volumes./d", "data", "data:ro")),
    ],
)
def test_keys_of_the_host(before: Any, after: Any, expected: Any) -> None:
    assert found(old(HostConfig=before), new(HostConfig=after)) == [expected]


def test_equal_values_in_other_words_are_no_difference() -> None:
    before = {"CapAdd": ["CAP_NET_ADMIN"], "RestartPolicy": {"Name": "no", "MaximumRetryCount": 0}}
    assert found(old(HostConfig=before), new(HostConfig={"CapAdd": ["net_admin"]})) == []


def test_networks_are_compared_by_name() -> None:
    assert changes(old(), IMAGE, new(), ["n", "m"]) == [Change("networks.m", None, "connected")]


def test_a_summary_names_what_matters_and_counts_the_rest() -> None:
    every = [Change(path, "1", "2") for path in ("environment.A", "environment.B", "ports.80/tcp", "user")]
    assert summary(every) == "environment A, B, ports and user changed"
    assert summary([Change(f"k{n}", "1", "2") for n in range(6)]) == "k0, k1, k2 and 3 more changed"
    assert summary([]) == ""


def test_what_podman_fills_in_is_no_difference() -> None:
    before = old(
        Image="docker.io/library/app:1",
        Env=["PATH=/bin", "container=podman", "HOME=/root", "TERM=xterm", "HOSTNAME=abcdef012345"],
        StopSignal="SIGTERM",
        WorkingDir="/",
        StopTimeout=10,
        HostConfig={"PidMode": "private", "UTSMode": "private", "PidsLimit": 2048},
    )
    assert found(before, new()) == []
