"""Registries that let in only whom they know: passwords, and tokens that a server of its own signs."""

from __future__ import annotations

import asyncio
import json
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.embedded.engine_process import EngineClient, ours_only
from tests.embedded.images.conftest import Store, docker_archive, tar_of
from tests.peers import IMAGE
from tests.support.registry import TokenServer, password_auth, running_registry

from stackwright.embedded.errors import NotFound
from stackwright.embedded.images.registry.client import RegistryClient
from stackwright.embedded.images.registry.errors import RegistryRefused
from stackwright.embedded.images.types import RegistryAuth

LAYERS = [tar_of([("a", "1")]), tar_of([("b", "2" * 100_000)])]
READER, WRITER = RegistryAuth("reader", "r-secret"), RegistryAuth("writer", "w-secret")


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TokenServer]:
    with TokenServer(tmp_path_factory.mktemp("tokens")) as server:
        yield server


@pytest.fixture(scope="module")
def guarded(tokens: TokenServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A registry that believes the token server."""
    with running_registry(tmp_path_factory.mktemp("registry"), tokens.registry_auth) as address:
        yield address


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A registry with a password."""
    folder = tmp_path_factory.mktemp("locked")
    with running_registry(folder, password_auth(folder)) as address:
        yield address


async def test_a_token_says_who_may_pull_and_push(
    store: Store, other: Store, guarded: str, tokens: TokenServer
) -> None:
    for repository in ("public", "private"):
        await store.load(docker_archive(LAYERS, [f"{guarded}/{repository}:1"]))
        with pytest.raises(RegistryRefused, match="denied"):
            await store.push(f"{guarded}/{repository}:1", auth=READER)
        await store.push(f"{guarded}/{repository}:1", auth=WRITER)
    assert {"pull", "push"} <= {
        action for one in tokens.asked for action in one["scope"].rpartition(":")[2].split(",")
    }
    await other.pull(f"{guarded}/public:1")
    for auth in (None, RegistryAuth("reader", "wrong"), RegistryAuth("nobody", "x")):
        with pytest.raises(NotFound, match=r"pull access denied for .*/private"):
            await other.pull(f"{guarded}/private:1", auth=auth)
    image = await other.pull(f"{guarded}/private:1", auth=READER)
    assert other.read(image.id, "/a") == "1"
    assert (await other.images.distribution(f"{guarded}/private:1", auth=READER))["Descriptor"]["digest"]
    with pytest.raises(NotFound, match="pull access denied"):
        await other.images.distribution(f"{guarded}/private:1")


async def test_an_identity_token_stands_for_a_password(store: Store, other: Store, guarded: str) -> None:
    await store.load(docker_archive(LAYERS, [f"{guarded}/private:2"]))
    await store.push(f"{guarded}/private:2", auth=RegistryAuth(identity_token="identity-of-writer"))
    await other.pull(f"{guarded}/private:2", auth=RegistryAuth(identity_token="identity-of-writer"))
    with pytest.raises(NotFound, match="pull access denied"):
        await other.pull(f"{guarded}/private:2", auth=RegistryAuth(identity_token="stolen"))


async def test_a_token_that_expires_under_way_is_asked_for_again(
    store: Store, guarded: str, tokens: TokenServer
) -> None:
    await store.load(docker_archive(LAYERS, [f"{guarded}/private:3"]))
    await store.push(f"{guarded}/private:3", auth=WRITER)
    tokens.lifetime = -58.0  # the registry forgives 60 seconds
    tokens.asked.clear()
    try:
        async with RegistryClient(guarded, "private", READER) as client:
            await client.body("manifests/3")
            assert len(tokens.asked) in (1, 2)  # /v2/ has no scope of its own
            await asyncio.sleep(3)
            await client.body("manifests/3")
            assert len(tokens.asked) in (2, 3)
    finally:
        tokens.lifetime = 300.0


async def test_layers_move_between_repositories_as_far_as_the_token_goes(store: Store, guarded: str) -> None:
    await store.load(docker_archive(LAYERS, [f"{guarded}/public:4"]))
    await store.push(f"{guarded}/public:4", auth=WRITER)
    await store.images.tag(f"{guarded}/public:4", f"{guarded}/private:4")
    await store.push(f"{guarded}/private:4", auth=WRITER)
    assert store.messages[-1]["aux"]["Tag"] == "4"


async def test_passwords(store: Store, other: Store, locked: str) -> None:
    await store.load(docker_archive(LAYERS, [f"{locked}/app:1"]))
    for auth in (None, RegistryAuth("me", "wrong")):
        with pytest.raises(RegistryRefused, match="denied"):
            await store.push(f"{locked}/app:1", auth=auth)
    await store.push(f"{locked}/app:1", auth=RegistryAuth("me", "secret"))
    with pytest.raises(NotFound, match="pull access denied"):
        await other.pull(f"{locked}/app:1")
    await other.pull(f"{locked}/app:1", auth=RegistryAuth("me", "secret"))


@pytest.mark.root
@ours_only("the registries are on this machine's loopback, and the suite's Docker Engine has another")
@pytest.mark.usefixtures("docker_cli")
@pytest.mark.parametrize("kind", ["guarded", "locked"])
def test_what_docker_login_keeps_opens_the_registry(
    engine: EngineClient,
    kind: str,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """The `docker` client, its file of passwords and a credential helper; base images of builds, too."""
    address = str(request.getfixturevalue(kind))
    user, password = ("writer", "w-secret") if kind == "guarded" else ("me", "secret")
    name = f"{address}/private:cli"
    engine.docker("tag", IMAGE, name)
    refused = engine.docker("push", name, check=False)
    assert refused.returncode == 1 and "denied" in refused.stderr
    wrong = engine.docker("login", "-u", user, "--password-stdin", address, stdin="wrong", check=False)
    assert wrong.returncode == 1 and "unauthorized" in wrong.stderr.lower()
    helper = tmp_path / "bin" / "docker-credential-test"
    helper.parent.mkdir()
    helper.write_text(HELPER.format(folder=tmp_path))
    helper.chmod(helper.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(helper.parent), prepend=":")
    config = engine.root / "docker-config" / "config.json"
    for stored in ("auths", "credsStore", "credHelpers"):
        config.parent.mkdir(exist_ok=True)
        value: object = {"auths": {}, "credsStore": "test", "credHelpers": {address: "test"}}[stored]
        config.write_text(json.dumps({stored: value}))
        engine.docker("login", "-u", user, "--password-stdin", address, stdin=password)
        written = json.loads(config.read_text())["auths"].get(address, {})
        assert bool(written.get("auth")) == (stored == "auths")
        engine.docker("push", name)
        engine.docker("rmi", name)
        engine.docker("pull", name)
        engine.docker("rmi", name)
        engine.docker("build", "--pull", "-t", "on:private", "-", stdin=f"FROM {name}\nRUN true\n")
        engine.docker("rmi", "on:private", name)
        engine.docker("tag", IMAGE, name)
        engine.docker("logout", address)
    assert engine.docker("push", name, check=False).returncode == 1
    engine.docker("rmi", name)


HELPER = """#!/bin/sh
read -r line
case $1 in
  store) printf '%s' "$line" > {folder}/kept; echo ;;
  get) [ -e {folder}/kept ] || {{ echo 'credentials not found in native keychain'; exit 1; }}; cat {folder}/kept ;;
  erase) rm -f {folder}/kept ;;
  list) [ -e {folder}/kept ] || {{ echo '{{}}'; exit; }}
    sed -E 's/.*"ServerURL":"([^"]*)".*"Username":"([^"]*)".*/{{"\\1":"\\2"}}/' {folder}/kept ;;
esac
"""
