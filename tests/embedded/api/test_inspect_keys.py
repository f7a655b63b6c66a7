"""`docker inspect`, key by key: what Docker leaves out, what it says as null, and what it fills in."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.embedded.engine_process import EngineClient
from tests.peers import IMAGE

pytestmark = [pytest.mark.root, pytest.mark.as_user, pytest.mark.usefixtures("docker_cli")]


def inspected(engine: EngineClient, *options: str) -> dict[str, Any]:
    made = engine.docker("create", *options, IMAGE, "sleep", "9").stdout.strip()
    shown: dict[str, Any] = json.loads(engine.docker("inspect", made).stdout)[0]
    engine.docker("rm", "-v", made)
    return shown


def test_what_was_not_asked_for_is_left_out_or_null(engine: EngineClient) -> None:
    shown = inspected(engine)
    config, host = shown["Config"], shown["HostConfig"]
    for name in (
        "ExposedPorts",
        "Healthcheck",
        "MacAddress",
        "NetworkDisabled",
        "Shell",
        "StopSignal",
        "StopTimeout",
    ):
        assert name not in config, name
    for name in ("Annotations", "Init", "Mounts", "StorageOpt", "Sysctls", "Tmpfs"):
        assert name not in host, name
    for name in ("Binds", "CapAdd", "CapDrop", "DeviceCgroupRules", "DeviceRequests", "ExtraHosts", "GroupAdd", "Links",
                 "SecurityOpt", "VolumesFrom", "MemorySwappiness", "PidsLimit"):  # fmt: skip
        assert host[name] is None, name
    assert (config["Volumes"], config["OnBuild"]) == (None, None)
    for name in ("CpuCount", "CpuPercent", "IOMaximumBandwidth", "IOMaximumIOps", "MemorySwap"):
        assert host[name] == 0, name


def test_what_was_asked_for_is_there_with_what_docker_makes_of_it(engine: EngineClient) -> None:
    shown = inspected(
        engine, "-m", "64m", "--health-cmd", "true", "--health-retries", "2", "--stop-timeout", "0", "--stop-signal",
        "INT", "--tmpfs", "/t", "-v", "named:/named", "-v", "/anonymous", "--expose", "80", "--init=false",
        "--pids-limit", "50",
    )  # fmt: skip
    config, host = shown["Config"], shown["HostConfig"]
    assert host["MemorySwap"] == 2 * host["Memory"] == 128 << 20
    assert config["Healthcheck"] == {"Test": ["CMD-SHELL", "true"], "Retries": 2}
    assert (config["StopTimeout"], config["StopSignal"]) == (0, "INT")
    assert (config["ExposedPorts"], host["Tmpfs"]) == ({"80/tcp": {}}, {"/t": ""})
    assert (host["Init"], host["PidsLimit"]) == (False, 50)
    assert {one["Destination"]: one["Mode"] for one in shown["Mounts"]} == {"/named": "z", "/anonymous": ""}


def test_hidden_paths_are_listed_and_none_are_with_privileges(engine: EngineClient) -> None:
    host = inspected(engine)["HostConfig"]
    assert "/proc/kcore" in host["MaskedPaths"] and "/proc/sys" in host["ReadonlyPaths"]
    host = inspected(engine, "--privileged")["HostConfig"]
    assert (host["MaskedPaths"], host["ReadonlyPaths"]) == (None, None)
