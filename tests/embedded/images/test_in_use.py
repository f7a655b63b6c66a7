"""Whatever is needed by work under way is never removed, however often somebody prunes meanwhile."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable

import pytest
from tests.embedded.builder.conftest import tar_of as dockerfile
from tests.embedded.engine_process import EngineProcess
from tests.embedded.images.conftest import Store, chunks, docker_archive, tar_of
from tests.peers import IMAGE, busybox_archive

ROUNDS = 12


def image(number: int, name: str) -> bytes:
    layers = [tar_of([(f"f{number}-{layer}", "x" * 200_000)]) for layer in range(3)]
    return docker_archive(layers, [name], Env=[f"N={number}"])


class Pruner:
    """Prunes all that is unused, again and again, as often as the loop lets it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.rounds = 0

    async def __aenter__(self) -> Pruner:
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            await self._store.images.prune()
            self.rounds += 1
            await asyncio.sleep(0)


async def test_a_pull_keeps_what_it_has_so_far(store: Store, other: Store, registry: str) -> None:
    for number in range(4):
        await store.load(image(number, f"{registry}/app:{number}"))
        await store.push(f"{registry}/app:{number}")
    async with Pruner(other) as pruner:
        for _ in range(3):
            await asyncio.gather(*(other.pull(f"{registry}/app:{number}") for number in range(4)))
            for number in range(4):
                assert other.read(f"{registry}/app:{number}", f"/f{number}-2")
                await other.images.remove(f"{registry}/app:{number}")
    assert pruner.rounds > 10
    assert other.images.leases.total() == 0


async def test_a_load_names_its_image_before_anybody_can_prune_it(store: Store) -> None:
    archives = [image(number, f"app:{number}") for number in range(ROUNDS)]
    async with Pruner(store):
        for number, archive in enumerate(archives):
            (loaded,) = await store.load(archive)
            assert loaded.repo_tags == (f"app:{number}",)
            assert store.read(f"app:{number}", f"/f{number}-0")


async def test_a_save_that_has_begun_goes_on_to_its_end(store: Store) -> None:
    (loaded,) = await store.load(image(1, "app:1"))
    reading = store.images.save(["app:1"])
    pieces = [await anext(reading)]
    await store.images.remove("app:1", force=True)
    await store.images.prune()
    pieces += [piece async for piece in reading]
    await store.images.prune()
    assert store.images.list(all_images=True) == []
    assert [one.id for one in await store.load(b"".join(pieces))] == [loaded.id]


async def test_a_push_that_has_begun_goes_on_to_its_end(store: Store, other: Store, registry: str) -> None:
    name = f"{registry}/app:1"
    await store.load(image(1, name))
    store.messages.clear()
    async with Pruner(store):
        pushing = asyncio.create_task(store.push(name))
        while not store.messages:
            await asyncio.sleep(0)
        await store.images.remove(name, force=True)
        await pushing
    assert (await other.pull(name)).layers


async def test_a_commit_keeps_the_image_it_builds_on(store: Store, tmp_path) -> None:
    (base,) = await store.load(image(1, "base"))
    upper = tmp_path / "upper"
    upper.mkdir()
    for number in range(300):
        (upper / f"file{number}").write_text("x" * 1000)
    committing = asyncio.create_task(
        store.images.commit(upper, parent="base", config={}, created_by="", references=["made"])
    )
    await asyncio.sleep(0)
    await store.images.remove("base", force=True)
    await store.images.prune()
    made = await committing
    assert store.read(made.id, "/f1-0") and store.read(made.id, "/file7")
    assert base.layers == made.layers[:3]


async def test_an_import_is_there_once_it_is_acknowledged(store: Store) -> None:
    async with Pruner(store):
        for number in range(ROUNDS):
            made = await store.images.import_(chunks(tar_of([("f", str(number))])), f"made:{number}")
            assert store.read(made.id, "/f") == str(number)


@pytest.mark.root
@pytest.mark.slow
def test_containers_and_builds_beside_a_pruner(own_engine: EngineProcess) -> None:
    """Each of many containers is made from an image that loses its name at once, while others prune and build."""
    failures: list[object] = []
    stop = threading.Event()

    def repeat(work: Callable[[], None]) -> threading.Thread:
        def go() -> None:
            try:
                while not stop.is_set():
                    work()
            except (AssertionError, OSError, ValueError, KeyError) as error:
                failures.append(error)

        thread = threading.Thread(target=go)
        thread.start()
        return thread

    def prune() -> None:
        assert own_engine.request("POST", '/images/prune?filters={"dangling":["false"]}')[0] == 200
        assert own_engine.request("POST", "/build/prune")[0] == 200

    def build() -> None:
        text = f"FROM {IMAGE}\nRUN echo {time.monotonic_ns()} > /x\nCOPY Dockerfile /y\nRUN cat /x /y > /z\n"
        status, said = own_engine.request("POST", "/build?t=built", raw=dockerfile({"Dockerfile": text}))
        assert status == 200 and b"Successfully tagged" in said, said

    assert own_engine.request("POST", "/containers/create?name=keeps-the-base", {"Image": IMAGE})[0] == 201
    threads = [repeat(prune), repeat(build)]
    try:
        for number in range(ROUNDS):
            archive = busybox_archive(f"brief:{number}", {"Env": [f"N={number}", "PATH=/bin"]})
            assert own_engine.request("POST", "/images/load?quiet=1", raw=archive)[0] == 200
            body = {"Image": f"brief:{number}", "Cmd": ["cat", "/v/passwd"], "Volumes": {"/etc": {}, "/v": {}},
                    "HostConfig": {"Binds": [f"v{number}:/v"], "NetworkMode": "none"}}  # fmt: skip
            status, made = own_engine.request("POST", "/containers/create", body)
            if status == 404:
                assert "No such image" in made["message"]  # the pruner was quicker, as it may
                continue
            assert status == 201, made
            status, said = own_engine.request("POST", f"/containers/{made['Id']}/start")
            assert status == 204, said
            assert own_engine.request("POST", f"/containers/{made['Id']}/wait")[1]["StatusCode"] in (0, 1)
            assert own_engine.request("DELETE", f"/containers/{made['Id']}?v=1")[0] == 204
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert failures == []
