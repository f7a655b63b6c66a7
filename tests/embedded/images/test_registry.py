"""Pull and push against a real registry."""

from __future__ import annotations

import pytest
from tests.embedded.images.conftest import docker_archive, free_port, tar_of

from stackwright.embedded.errors import NotFound
from stackwright.embedded.images.registry.errors import RegistryUnreachable

LAYERS = [tar_of([("a", "1")]), tar_of([("b", "2" * 100_000)]), tar_of([("c", "3")])]


async def test_what_was_pushed_can_be_pulled(store, other, registry):
    (image,) = await store.load(docker_archive(LAYERS, [f"{registry}/team/app:1"], Cmd=["x"]))
    await store.push(f"{registry}/team/app:1")
    assert store.statuses().count("Pushed") == 3
    last = store.messages[-1]["aux"]
    assert last["Tag"] == "1"
    assert f"1: digest: {last['Digest']} size: {last['Size']}" in store.statuses()

    pulled = await other.pull(f"{registry}/team/app:1")
    assert pulled.id == image.id
    assert pulled.run_config == {"Cmd": ["x"]}
    assert pulled.repo_digests == (f"{registry}/team/app@{last['Digest']}",)
    assert other.read(pulled.id, "/b") == "2" * 100_000
    statuses = other.statuses()
    assert statuses[0] == "Pulling from team/app"
    assert statuses.count("Pull complete") == 3
    assert statuses[-2:] == [
        f"Digest: {last['Digest']}",
        f"Status: Downloaded newer image for {registry}/team/app:1",
    ]


async def test_a_second_pull_and_push_transfer_nothing(store, other, registry):
    name = f"{registry}/app"
    await store.load(docker_archive(LAYERS, [name]))
    await store.push(name)
    await store.push(name)
    assert store.statuses().count("Layer already exists") == 3
    await other.pull(name)
    await other.pull(name)
    assert other.statuses().count("Already exists") == 3
    assert other.statuses()[-1] == f"Status: Image is up to date for {name}:latest"


async def test_pull_by_digest(store, other, registry):
    await store.load(docker_archive(LAYERS, [f"{registry}/app:1"]))
    await store.push(f"{registry}/app:1")
    reference = f"{registry}/app@{store.messages[-1]['aux']['Digest']}"
    image = await other.pull(reference)
    assert image.repo_tags == ()
    assert other.images.get(reference).id == image.id


async def test_layers_of_another_repository_are_mounted_not_sent(store, registry):
    await store.load(docker_archive(LAYERS, [f"{registry}/one"]))
    await store.push(f"{registry}/one")
    await store.images.tag(f"{registry}/one", f"{registry}/two")
    await store.push(f"{registry}/two")
    assert store.statuses().count("Mounted from one") == 3


async def test_all_tags_are_pushed_when_none_is_named(store, other, registry):
    await store.load(docker_archive(LAYERS, [f"{registry}/app:1", f"{registry}/app:2"]))
    await store.push(f"{registry}/app")
    for tag in ("1", "2"):
        await other.pull(f"{registry}/app:{tag}")


async def test_a_tag_that_is_not_there(store, registry):
    await store.load(docker_archive(LAYERS, [f"{registry}/app:1"]))
    await store.push(f"{registry}/app:1")
    with pytest.raises(NotFound, match=r"manifest for .*/app:nope not found"):
        await store.pull(f"{registry}/app:nope")


async def test_a_repository_that_is_not_there(store, registry):
    with pytest.raises(NotFound, match=r"none"):
        await store.pull(f"{registry}/none")


async def test_push_of_what_is_not_here(store, registry):
    with pytest.raises(NotFound, match="An image does not exist locally with the tag"):
        await store.push(f"{registry}/none")


async def test_no_registry_at_all_is_said_so(store):
    with pytest.raises(RegistryUnreachable, match=r"cannot reach the registry 127\.0\.0\.1"):
        await store.pull(f"127.0.0.1:{free_port()}/app")


async def test_a_registry_can_be_asked_without_pulling(store, registry):
    await store.load(docker_archive(LAYERS, [f"{registry}/app:1"]))
    await store.push(f"{registry}/app:1")
    pushed = store.messages[-1]["aux"]
    shown = await store.images.distribution(f"{registry}/app:1")
    assert shown["Descriptor"]["digest"] == pushed["Digest"]
    assert shown["Descriptor"]["size"] == pushed["Size"]
    assert shown["Platforms"] == [{"architecture": "amd64", "os": "linux"}]
    with pytest.raises(NotFound):
        await store.images.distribution(f"{registry}/app:2")


async def test_a_mirror_is_asked_before_docker_hub(store, other, registry, monkeypatch):
    await store.load(docker_archive(LAYERS, [f"{registry}/library/mirrored:1"]))
    await store.push(f"{registry}/library/mirrored:1")
    dead = f"127.0.0.1:{free_port()}"
    monkeypatch.setenv("STACKWRIGHT_REGISTRY_MIRRORS", f"{dead}, http://{registry}")
    image = await other.pull("mirrored:1")
    assert image.repo_tags == ("mirrored:1",)
    assert other.statuses()[0].startswith(f"{dead} cannot help: cannot reach the registry")
