"""The `docker` client and a real registry (Debian's docker-registry), which runs where the engine has its loopback."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.embedded.engine_process import EngineClient
from tests.embedded.rootless.ordinary_user import UserEngine
from tests.peers import IMAGE
from tests.support.waiting import until

pytestmark = [pytest.mark.root, pytest.mark.as_user, pytest.mark.usefixtures("docker_cli")]
PORT = 15_999


@dataclass
class Registry:
    """`name`: address and port; `enter`: the words that run a command in the engine's network."""

    name: str
    enter: tuple[str, ...]
    engine: EngineClient

    def docker(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """The client, where it can reach the registry as the engine does."""
        environment = {
            **os.environ,
            "DOCKER_HOST": self.engine.address,
            "DOCKER_CONFIG": str(self.engine.root / "cfg"),
        }
        done = subprocess.run(
            [*self.enter, "docker", *arguments],
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert not check or done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
        return done


@pytest.fixture
def registry(engine: EngineClient, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Registry]:
    program = shutil.which("docker-registry")
    if program is None:
        pytest.skip("the docker-registry package is not installed")
    enter = network_of(engine, request)
    config = tmp_path / "registry.yml"
    config.write_text(
        f"version: 0.1\nlog: {{level: error}}\nstorage:\n  filesystem: {{rootdirectory: {tmp_path}/registry}}\n"
        f"http: {{addr: '127.0.0.1:{PORT}'}}\n"
    )
    process = subprocess.Popen(
        [*enter, program, "serve", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    found = Registry(f"127.0.0.1:{PORT}", enter, engine)
    try:
        until(
            lambda: found.docker(
                "manifest", "inspect", "--insecure", f"{found.name}/none", check=False
            ).stderr.startswith("no such manifest"),
            "the registry answers",
        )
        yield found
    finally:
        process.terminate()
        process.wait()


def network_of(engine: EngineClient, request: pytest.FixtureRequest) -> tuple[str, ...]:
    """How to run something in the network where the engine lives."""
    if isinstance(engine, UserEngine):
        return ("nsenter", "-t", str(engine.pid), "-n")
    if request.node.callspec.params["engine"] == "docker":
        return ("nsenter", "-t", str(request.getfixturevalue("dockerd").inner_pid), "-n")
    return ()


def test_login_push_manifest_distribution_and_pull(registry: Registry) -> None:
    engine = registry.engine
    said = registry.docker("login", "-u", "ada", "-p", "secret", registry.name)
    assert "Login Succeeded" in said.stdout
    refused = registry.docker("login", "-u", "ada", "-p", "secret", "127.0.0.1:1", check=False)
    assert refused.returncode != 0
    name = f"{registry.name}/team/app:1"
    registry.docker("tag", IMAGE, name)
    pushed = registry.docker("push", name).stdout
    digest = pushed.split("digest: ")[1].split()[0]
    manifest = json.loads(registry.docker("manifest", "inspect", "--insecure", name).stdout)
    assert manifest["schemaVersion"] == 2 and len(manifest["layers"]) == 1
    status, shown = engine.request("GET", f"/distribution/{name}/json")
    assert (status, shown["Descriptor"]["digest"]) == (200, digest)
    registry.docker("rmi", name)
    pulled = registry.docker("pull", name).stdout
    assert digest in pulled
    assert registry.docker("run", "--rm", name, "echo", "pulled").stdout == "pulled\n"
    listed = registry.docker(
        "images", "--digests", "--format", "{{.Digest}}", f"{registry.name}/team/app"
    ).stdout
    assert listed.strip() == digest
    registry.docker("rmi", name)
    missing = registry.docker("pull", f"{registry.name}/team/none", check=False)
    assert (missing.returncode == 1 and "not found" in missing.stderr) or "unknown" in missing.stderr
    registry.docker("logout", registry.name)
