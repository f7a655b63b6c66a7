"""`docker compose` and we see each other's projects: what one brings up, the other keeps and takes down."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from tests.cli.conftest import Box, everywhere

pytestmark = [pytest.mark.network, pytest.mark.slow]

SCRIPT = Path(__file__).parents[2] / "scripts/get-compose-peer"
TEXT = """
    services:
      db:
        image: $IMAGE
        command: $SLEEP
        healthcheck: {test: [CMD, "true"], interval: 1s}
        volumes: [data:/srv]
        environment: {A: "1"}
        restart: unless-stopped
        ulimits: {nofile: 1024, nproc: 2048}
        tmpfs: [/scratch]
        secrets: [{source: token, target: other}]
        configs: [{source: conf, target: /etc/conf}]
        env_file: [more.env]
        labels: {one: two}
      web:
        image: $IMAGE
        command: $SLEEP
        ports: ["127.0.0.1::80"]
        depends_on: {db: {condition: service_healthy, restart: true}}
        networks: {default: {aliases: [www]}, back: }
        stop_grace_period: 3s
        read_only: true
        cap_drop: [ALL]
        deploy: {resources: {limits: {memory: 64M, cpus: "0.5"}}, replicas: 2}
    volumes: {data: {labels: {keep: "yes"}}}
    networks: {back: {internal: true, labels: {b: "1", a: "<2>"}}}
    secrets: {token: {file: ./token.txt}}
    configs: {conf: {content: "level=1"}}
    """


@pytest.fixture(scope="module")
def peer() -> str:
    """The real `docker compose` 2.40.3."""
    found = subprocess.run([str(SCRIPT)], capture_output=True, text=True, timeout=200)
    if found.returncode != 0:
        pytest.skip(found.stderr.strip())
    return found.stdout.strip()


def theirs(box: Box, peer: str, *arguments: str) -> str:
    result = subprocess.run(
        [peer, "-p", box.project, *arguments],
        cwd=box.folder,
        env=box.environ,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def write(box: Box) -> None:
    """The project's files.

    On Podman without what docker compose cannot have there: it waits for ever for health where nobody runs the
    checks, and makes containers with named volumes anew every time, because Podman's list names no mounts.
    """
    text = TEXT
    if box.engine == "podman":
        text = text.replace("service_healthy", "service_started")
        text = text.replace("volumes: [data:/srv]", "").replace(
            "secrets: [{source: token, target: other}]", ""
        )
    box.write(text)
    box.write("secret", "token.txt")
    box.write("MORE=1", "more.env")


def ids(box: Box) -> dict[str, object]:
    return {name: value["ID"] for name, value in box.ps().items()}


@everywhere
def test_what_they_bring_up_we_keep_and_take_down(box: Box, peer: str) -> None:
    write(box)
    theirs(box, peer, "up", "-d")
    before = ids(box)
    assert set(before) == {"db-1", "web-1", "web-2"}
    box.ok("up", "-d")
    assert ids(box) == before
    assert box.ok("exec", "-T", "web", "echo", "hello") == "hello\n"
    assert box.ok("logs", "--no-log-prefix", "db") == ""
    box.ok("down", "-v")
    assert theirs(box, peer, "ps", "-aq") == ""


@everywhere
def test_what_we_bring_up_they_keep_and_take_down(box: Box, peer: str) -> None:
    write(box)
    box.ok("up", "-d")
    before = ids(box)
    theirs(box, peer, "up", "-d")
    after = ids(box)
    if (
        box.engine == "podman"
    ):  # where docker compose makes db anew at each `up`, its own too, and loses its secret
        assert after.pop("db-1") and before.pop("db-1")
    else:
        assert theirs(box, peer, "exec", "-T", "db", "cat", "/run/secrets/other") == "secret"
    assert after == before
    listed = [json.loads(line) for line in theirs(box, peer, "ps", "--format", "json").splitlines()]
    assert {one["Service"] for one in listed} == {"db", "web"}
    assert theirs(box, peer, "exec", "-T", "db", "cat", "/etc/conf") == "level=1"
    theirs(box, peer, "logs")
    theirs(box, peer, "down", "-v")
    assert box.ps() == {}


def test_networks_and_volumes_carry_the_same_labels(box: Box, peer: str) -> None:
    def labels() -> dict[str, object]:
        found = {}
        for kind, names in (("network", ("default", "back")), ("volume", ("data",))):
            for name in names:
                shown = subprocess.run(
                    ["docker", kind, "inspect", f"{box.project}_{name}"],
                    env=box.environ,
                    capture_output=True,
                    text=True,
                )
                found[f"{kind} {name}"] = json.loads(shown.stdout)[0]["Labels"]
        return found

    write(box)
    theirs(box, peer, "create")
    of_theirs = labels()
    theirs(box, peer, "down", "-v")
    box.ok("create")
    assert labels() == of_theirs


def test_our_containers_are_made_like_theirs(box: Box, peer: str) -> None:
    def inspected() -> list[dict[str, object]]:
        names = [f"{box.project}-{name}" for name in ("db-1", "web-1", "web-2")]
        found = subprocess.run(["docker", "inspect", *names], env=box.environ, capture_output=True, text=True)
        return [comparable(one) for one in json.loads(found.stdout)]

    write(box)
    theirs(box, peer, "create")
    made_by_them = inspected()
    theirs(box, peer, "down")
    box.ok("create")
    assert inspected() == made_by_them


def comparable(container: dict[str, dict[str, object]]) -> dict[str, object]:
    """What does not differ from one container to the next; null and empty are the same to the engine."""
    config, host = container["Config"], container["HostConfig"]
    config.pop("Hostname")
    # docker compose sends these in any order.
    host["Ulimits"] = sorted(host["Ulimits"] or (), key=str)
    config["Env"] = sorted(config["Env"])
    mounts = sorted(container["Mounts"], key=str)
    networks = container["NetworkSettings"]["Networks"]
    aliases = {
        name: sorted(alias for alias in value["Aliases"] or () if len(alias) != 12)
        for name, value in networks.items()  # type: ignore[attr-defined]
    }
    kept = {"config": config, "host": host, "mounts": mounts, "aliases": aliases}
    return {
        key: {name: one for name, one in value.items() if one not in (None, [], {}, "", 0, False)}
        if isinstance(value, dict)
        else value
        for key, value in kept.items()
    }
