"""Registries that want a password, and images that builds take steps from."""

from __future__ import annotations

import asyncio
import base64
import json
from pathlib import Path

import pytest
from tests.cli.conftest import Box
from tests.peers import IMAGE, running_embedded
from tests.support.registry import password_auth, running_registry

from stackwright.engine.client import EngineClient

pytestmark = [pytest.mark.slow, pytest.mark.root]


async def publish(address: str, image: str, name: str, auth: dict[str, str]) -> None:
    """Tag and push through an engine's API."""
    async with EngineClient(address) as engine:
        repo, _, tag = name.rpartition(":")
        await engine.tag_image(image, repo, tag)
        packed = base64.urlsafe_b64encode(json.dumps(auth).encode()).decode()
        response = await engine.transport.request(
            "POST", f"/images/{repo}/push", query={"tag": tag}, headers={"X-Registry-Auth": packed}
        )
        said = await response.read()
        assert b"error" not in said, said


def test_passwords_from_the_docker_configuration_reach_the_engine(
    embedded: str, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    box, me = Box(tmp_path, embedded, "embedded"), {"username": "me", "password": "secret"}
    folder = tmp_path_factory.mktemp("registry")
    with running_registry(folder, password_auth(folder)) as registry:
        base, cache = f"{registry}/base:1", f"{registry}/cache:1"
        box.write(
            f"""
            services:
              web:
                build:
                  context: .
                  cache_from: [{cache}, "type=registry,ref={registry}/none:1", "type=local,src=x"]
                command: [cat, /f]
            """
        )
        (box.folder / "Dockerfile").write_text(f"FROM {base}\nRUN echo built-$RANDOM$RANDOM > /f\n")
        with running_embedded() as first:  # another machine, which publishes the base and its build
            asyncio.run(publish(first, IMAGE, base, me))
            other = Box(box.folder, first, "embedded")
            built = other.ok("up", "--build", "--no-color").split("| ")[-1].strip()
            asyncio.run(publish(first, f"{other.project}-web", cache, me))
            other.ok("down", "-t", "0")
        monkeypatch.setenv("DOCKER_CONFIG", str(folder))
        assert "pull access denied" in box.fails("build")
        auth = base64.b64encode(b"me:secret").decode()
        (folder / "config.json").write_text(json.dumps({"auths": {registry: {"auth": auth}}}))
        result = box.run("build")
        assert result.returncode == 0, result.stderr
        assert "Using cache" in result.stdout + result.stderr
        assert f"{registry}/none:1" in result.stderr and "type=local,src=x is no image" in result.stderr
        assert built.startswith("built-") and built in box.ok("up", "--no-color")
        box.ok("down", "-t", "0")
