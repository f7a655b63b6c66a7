"""What the Docker client's configuration says about registries, with real helper programs."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path

import pytest

from stackwright.engine.credentials import Credentials, registry_of

PACKED = base64.b64encode(b"me:pass:word").decode()
ME = {"username": "me", "password": "pass:word"}


class Home:
    """A home folder with a Docker configuration and helpers of its own."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.warnings: list[str] = []
        (folder / ".docker").mkdir()
        (folder / "bin").mkdir()
        monkeypatch.setenv("PATH", str(folder / "bin"), prepend=os.pathsep)

    def configure(self, text: object) -> None:
        (self.folder / ".docker/config.json").write_text(text if isinstance(text, str) else json.dumps(text))

    def helper(self, name: str, script: str) -> None:
        file = self.folder / "bin" / f"docker-credential-{name}"
        file.write_text(f"#!/bin/sh\n{script}\n")
        file.chmod(0o755)

    def credentials(self) -> Credentials:
        return Credentials({"HOME": str(self.folder)}, self.warnings.append)

    async def of(self, reference: str) -> dict[str, str] | None:
        return await self.credentials().of(reference)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    return Home(tmp_path, monkeypatch)


@pytest.mark.parametrize(
    ("reference", "registry"),
    [
        ("postgres", "docker.io"),
        ("team/app:1", "docker.io"),
        ("index.docker.io/team/app", "docker.io"),
        ("docker.io/library/x", "docker.io"),
        ("ghcr.io/team/app", "ghcr.io"),
        ("localhost/app", "localhost"),
        ("localhost:5000/app", "localhost:5000"),
        ("10.0.0.1:5000/app@sha256:00", "10.0.0.1:5000"),
    ],
)
def test_the_registry_of_a_reference(reference: str, registry: str) -> None:
    assert registry_of(reference) == registry


@pytest.mark.parametrize(
    ("key", "reference"),
    [
        ("https://index.docker.io/v1/", "postgres:15"),
        ("index.docker.io", "team/app"),
        ("ghcr.io", "ghcr.io/team/app"),
        ("https://ghcr.io/v2/", "ghcr.io/team/app"),
        ("http://localhost:5000", "localhost:5000/app"),
    ],
)
async def test_a_password_in_the_file(home: Home, key: str, reference: str) -> None:
    home.configure({"auths": {"other.example": {"auth": "eDp5"}, key: {"auth": PACKED}}})
    assert await home.of(reference) == {**ME, "serveraddress": key}
    assert await home.of("elsewhere.example/app") is None
    assert home.warnings == []


async def test_tokens_in_the_file(home: Home) -> None:
    home.configure(
        {"auths": {"a.example": {"identitytoken": "t"}, "b.example": {"registrytoken": "r"}, "c.example": {}}}
    )
    assert await home.of("a.example/x") == {"identitytoken": "t", "serveraddress": "a.example"}
    assert await home.of("b.example/x") == {"registrytoken": "r", "serveraddress": "b.example"}
    assert await home.of("c.example/x") is None


async def test_a_helper_for_one_registry_and_a_store_for_the_rest(home: Home) -> None:
    answer = 'read -r a; echo "{{\\"ServerURL\\":\\"$a\\",\\"Username\\":\\"{}\\",\\"Secret\\":\\"$a\\"}}"'
    home.helper("one", answer.format("one"))
    home.helper("rest", answer.format("<token>"))
    home.configure(
        {"credsStore": "rest", "credHelpers": {"one.example:5000": "one"}, "auths": {"x.example": {}}}
    )
    assert await home.of("one.example:5000/app") == {
        "username": "one", "password": "one.example:5000", "serveraddress": "one.example:5000",
    }  # fmt: skip
    assert await home.of("x.example/app") == {"identitytoken": "x.example", "serveraddress": "x.example"}
    assert (await home.of("postgres") or {})["identitytoken"] == "https://index.docker.io/v1/"


async def test_a_helper_is_asked_once(home: Home) -> None:
    home.helper(
        "store", f'echo asked >> {home.folder}/log; echo "credentials not found in native keychain"; exit 1'
    )
    home.configure({"credsStore": "store", "auths": {"x.example": {"auth": PACKED}}})
    credentials = home.credentials()
    for _ in range(3):
        assert await credentials.of("x.example/app") == {**ME, "serveraddress": "x.example"}
    assert (home.folder / "log").read_text() == "asked\n"
    assert home.warnings == []


@pytest.mark.parametrize(
    ("script", "warning"),
    [
        ("echo no luck; exit 2", "docker-credential-store failed: no luck"),
        ("echo not json", "docker-credential-store answered with something that is no credential"),
        ('echo "[1]"', "no credential"),
        (None, "docker-credential-store, which"),
    ],
)
async def test_a_helper_that_fails_is_said_and_does_without(
    home: Home, script: str | None, warning: str
) -> None:
    if script is not None:
        home.helper("store", script)
    home.configure({"credsStore": "store"})
    assert await home.of("x.example/app") is None
    assert len(home.warnings) == 1 and warning in home.warnings[0]


@pytest.mark.parametrize(
    "text",
    ["{", "[]", '{"auths": 3, "credHelpers": [], "credsStore": {}}', "\0", '{"auths": {"x.example": 1}}'],
)
async def test_a_broken_configuration_is_none(home: Home, text: str) -> None:
    home.configure(text)
    assert await home.of("x.example/app") is None
    assert len(home.warnings) <= 1


async def test_a_broken_password_is_said(home: Home) -> None:
    home.configure({"auths": {"x.example": {"auth": "%%%"}}})
    assert await home.of("x.example/app") is None
    assert "auths.x.example.auth is not base64" in home.warnings[0]


async def test_without_a_configuration_nothing_is_known(home: Home) -> None:
    assert await home.of("x.example/app") is None
    assert home.warnings == []
