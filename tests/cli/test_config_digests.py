"""`config --resolve-image-digests` and `--lock-image-digests`: a real engine asks a real registry."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.embedded.engine_process import EngineProcess
from tests.model.support import peer
from tests.peers import IMAGE, busybox_archive
from tests.support.registry import running_registry

pytestmark = pytest.mark.root
OURS = [sys.executable, "-m", "stackwright.cli.main"]
PINNED = "sha256:" + "a" * 64


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, dict[str, str]]]:
    """A registry with two images that the engine itself does not have, and the environment to reach both."""
    process = EngineProcess()
    try:
        process.start()
        assert process.request("POST", "/images/load?quiet=1", raw=busybox_archive())[0] == 200
        with running_registry(tmp_path_factory.mktemp("registry")) as host:
            for name, tag in (("shop/web", "1"), ("shop/api", "2")):
                query = f"repo={host}/{name}&tag={tag}"
                assert process.request("POST", f"/images/{IMAGE}/tag?{query}")[0] == 201
                pushed = process.request("POST", f"/images/{host}/{name}/push?tag={tag}")
                assert pushed[0] == 200, pushed
                assert process.request("DELETE", f"/images/{host}/{name}:{tag}")[0] == 200
            yield host, {**os.environ, "DOCKER_HOST": process.address}
    finally:
        process.close()


def config(
    tool: list[str], folder: Path, environment: dict[str, str], *flags: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*tool, "config", *flags], cwd=folder, env=environment, capture_output=True, text=True, timeout=60
    )


def project(folder: Path, host: str) -> None:
    (folder / "compose.yaml").write_text(
        "name: shop\nservices:\n"
        f"  web: {{image: {host}/shop/web:1}}\n"
        f"  api: {{image: {host}/shop/api:2, build: .}}\n"
        f"  pinned: {{image: '{host}/shop/web:1@{PINNED}'}}\n"
        "  built: {build: .}\n"
    )


def test_images_are_pinned_by_what_the_registry_says(
    tmp_path: Path, place: tuple[str, dict[str, str]]
) -> None:
    host, environment = place
    project(tmp_path, host)
    lines = config(OURS, tmp_path, environment, "--lock-image-digests").stdout.splitlines()
    found = {
        line.split(": ")[1].partition("@")[0]: line.partition("@")[2] for line in lines if "image:" in line
    }
    assert found[f"{host}/shop/web"] == PINNED
    assert found[f"{host}/shop/web:1"] == found[f"{host}/shop/api:2"] != PINNED
    assert found[f"{host}/shop/web:1"].startswith("sha256:")


def test_every_image_without_a_digest_is_told_with_its_service(
    tmp_path: Path, place: tuple[str, dict[str, str]]
) -> None:
    host, environment = place
    text = (
        f"name: shop\nservices:\n  web: {{image: {host}/shop/none:1}}\n  api: {{image: 'localhost:1/api'}}\n"
    )
    (tmp_path / "compose.yaml").write_text(text)
    done = config(OURS, tmp_path, environment, "--resolve-image-digests")
    assert (done.returncode, done.stdout) == (1, "")
    assert f"no digest for {host}/shop/none:1 (service web)" in done.stderr
    assert "no digest for localhost:1/api:latest (service api)" in done.stderr


@pytest.mark.network
@pytest.mark.parametrize("flag", ["--resolve-image-digests", "--lock-image-digests"])
@pytest.mark.parametrize("form", ["yaml", "json"])
def test_both_tools_pin_alike(
    tmp_path: Path, place: tuple[str, dict[str, str]], flag: str, form: str
) -> None:
    if not peer():
        pytest.skip("the real docker compose cannot be fetched here")
    host, environment = place
    project(tmp_path, host)
    both = [config(tool, tmp_path, environment, flag, "--format", form) for tool in ([peer()], OURS)]
    assert [done.returncode for done in both] == [0, 0], both[1].stderr
    assert both[0].stdout.rstrip("\n") == both[1].stdout.rstrip("\n")
