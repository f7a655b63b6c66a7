"""A full disk under everything the engine writes: one clear error, nothing half-done, and it goes on once there is room."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.embedded.api.faults import leftovers, settled
from tests.embedded.builder.conftest import tar_of
from tests.embedded.conftest import load_busybox
from tests.embedded.engine_process import EngineProcess
from tests.embedded.images import conftest as images
from tests.peers import IMAGE
from tests.support.disks import fill
from tests.support.registry import running_registry

pytestmark = [pytest.mark.root, pytest.mark.slow]
MB = 1 << 20
FULL = "no space left"


class SmallEngine(EngineProcess):
    """An engine whose state folder is a file system of 24 MB, and something to fill it with."""

    def __init__(self) -> None:
        super().__init__()
        self.state_dir.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", self.state_dir], check=True)

    @property
    def ballast(self) -> Path:
        return self.state_dir / "ballast"

    def fill(self, leave: int = 0) -> None:
        """Take all room but `leave` bytes."""
        fill(self.ballast, leave)

    def free(self) -> None:
        """Give the room back."""
        self.ballast.unlink(missing_ok=True)

    def close(self) -> None:
        self.free()
        try:
            super().close()
        finally:
            subprocess.run(["umount", self.state_dir], check=True)
            shutil.rmtree(self.root)

    def works(self) -> None:
        """With room again: nothing is left of what failed, and a container runs."""
        self.free()
        listed = {c["Id"] for c in self.request("GET", "/containers/json?all=1")[1]}
        volumes = {v["Name"] for v in self.request("GET", "/volumes")[1]["Volumes"]}
        alive = {
            state["Pid"]
            for key in listed
            if (state := self.request("GET", f"/containers/{key}/json")[1]["State"])["Running"]
        }
        settled(lambda: leftovers(self, listed, volumes, alive))
        body = {"Image": IMAGE, "Cmd": ["true"], "Volumes": {"/etc": {}}}
        made = self.request("POST", "/containers/create", body)[1]["Id"]
        assert self.request("POST", f"/containers/{made}/start")[0] == 204
        assert self.request("POST", f"/containers/{made}/wait")[1] == {"StatusCode": 0}
        assert self.request("DELETE", f"/containers/{made}?v=1")[0] == 204

    def run(self, *command: str, **host: object) -> str:
        """Create and start."""
        body = {"Image": IMAGE, "Cmd": list(command), "HostConfig": {"NetworkMode": "none", **host}}
        made = str(self.request("POST", "/containers/create", body)[1]["Id"])
        assert self.request("POST", f"/containers/{made}/start")[0] == 204
        return made

    def ended(self, container: str) -> int:
        return int(self.request("POST", f"/containers/{container}/wait")[1]["StatusCode"])

    def names(self) -> list[str]:
        return sorted(tag for one in self.request("GET", "/images/json")[1] for tag in one["RepoTags"])


@pytest.fixture
def small() -> Iterator[SmallEngine]:
    engine = SmallEngine()
    try:
        engine.start()
        load_busybox(engine)
        yield engine
    finally:
        engine.close()


def refused(answer: tuple[int, object], *words: str) -> str:
    """The message of an answer that must be an error and say so in one sentence."""
    status, said = answer
    if isinstance(said, bytes):
        last = json.loads(said.splitlines()[-1])
        message = str(last["error"])
    else:
        assert isinstance(said, dict)
        message = str(said.get("message") or said.get("error"))
        assert status >= 400 or "error" in said, said
    assert any(word in message.lower() for word in (FULL, *words)), message
    assert "Traceback" not in message and "internal error" not in message
    return message


BIG = [images.tar_of([("big", os.urandom(3 * MB))])]


def test_load_import_and_pull(small: SmallEngine, tmp_path: Path) -> None:
    async def publish(registry: str) -> None:
        with images.opened(tmp_path / "store") as store:
            await store.images.start()
            await store.load(images.docker_archive(BIG, [f"{registry}/big:1"]))
            await store.push(f"{registry}/big:1")

    with running_registry(tmp_path) as registry:
        asyncio.run(publish(registry))
        archive = images.docker_archive(BIG, ["big:1"])
        ways = [
            ("/images/load", archive),
            ("/images/create?fromSrc=-&repo=big", BIG[0]),
            (f"/images/create?fromImage={registry}/big&tag=1", None),
        ]
        for path, raw in ways:
            for leave in (0, MB, 4 * MB):  # not even the upload fits; that does, what is in it does not
                small.fill(leave)
                answer = small.request("POST", path, raw=raw)
                if leave < 4 * MB or answer[0] >= 400 or "error" in str(answer[1]):
                    refused(answer, "unpacks to more than")
                    assert small.names() == [IMAGE]
                else:
                    for name in set(small.names()) - {IMAGE}:
                        assert small.request("DELETE", f"/images/{name}")[0] == 200
                small.works()
        assert "error" not in str(small.request("POST", ways[2][0])[1])


@pytest.mark.parametrize(
    ("text", "leave"),
    [
        (f"FROM {IMAGE}\nCOPY big /big\n", 0),
        (f"FROM {IMAGE}\nCOPY big /big\n", 3 * MB),
        (f"FROM {IMAGE}\nCOPY big /big\n", 5 * MB),
        (f"FROM {IMAGE}\nRUN cp /bin/busybox /x && cp /x /y && cp /x /z && cp /x /w\n", 5 * MB),
        (f"FROM {IMAGE}\nADD big.tar /big\n", 7 * MB),
        (f"FROM {IMAGE}\nRUN --mount=target=/m,rw cat /m/big > /x\n", 7 * MB),
        (f"FROM {IMAGE}\nLABEL a=1\nWORKDIR /w\nRUN true\n", 0),
    ],
)
def test_build(small: SmallEngine, text: str, leave: int) -> None:
    files: dict[str, str | bytes] = {"Dockerfile": text}
    files |= (
        {"big.tar": BIG[0]}
        if "big.tar" in text
        else {"big": os.urandom(2 * MB)}
        if "big" in text or "/m" in text
        else {}
    )
    small.fill(leave)
    answer = small.request("POST", "/build?t=built", raw=tar_of(files))
    refused(answer, "unpacks to more than", "returned a non-zero code: 1")
    assert small.names() == [IMAGE]
    small.works()
    assert b"Successfully tagged" in small.request("POST", "/build?t=built", raw=tar_of(files))[1]


def test_create_start_and_everything_small(small: SmallEngine) -> None:
    body = {"Image": IMAGE, "Cmd": ["true"], "HostConfig": {"Binds": ["named:/etc"], "NetworkMode": "none"}}
    made = small.request("POST", "/containers/create?name=before", body)[1]["Id"]
    requests: list[tuple[str, str, object]] = [
        ("POST", "/containers/create?name=one", body),
        ("POST", f"/containers/{made}/start", None),
        ("POST", "/volumes/create", {"Name": "other"}),
        ("POST", "/networks/create", {"Name": "mine"}),
        ("POST", f"/images/{IMAGE}/tag?repo=other&tag=1", None),
        ("POST", f"/containers/{made}/rename?name=after", None),
        ("POST", f"/containers/{made}/update", {"RestartPolicy": {"Name": "always"}}),
        ("POST", f"/commit?container={made}&repo=mine", None),
        ("POST", f"/containers/{made}/exec", {"Cmd": ["true"]}),
    ]
    for method, path, sent in requests:
        small.fill()
        status, said = small.request(method, path, sent)
        assert status < 500 or FULL in str(said).lower() or "disk is full" in str(said) or status == 409, (
            path,
            said,
        )
        assert "internal error" not in str(said)
        small.works()
    for listed in ("/containers/json?all=1", "/volumes", "/networks", "/images/json"):
        assert small.request("GET", listed)[0] == 200
    assert small.request("DELETE", f"/containers/{made}?force=1&v=1")[0] == 204


def test_a_full_disk_can_be_emptied_through_the_engine(small: SmallEngine) -> None:
    """The way out: removing is possible, although nothing can be written."""
    made = [small.run("dd", "if=/dev/zero", "of=/big", "bs=64k", "count=16") for _ in range(3)]
    for one in made:
        small.ended(one)
    assert small.request("POST", "/volumes/create", {"Name": "vol"})[0] == 201
    small.fill()
    for one in made:
        assert small.request("DELETE", f"/containers/{one}") == (204, b"")
    assert small.request("DELETE", "/volumes/vol")[0] == 204
    assert small.request("GET", "/containers/json?all=1")[1] == []
    small.works()


def test_what_containers_write(small: SmallEngine) -> None:
    small.fill(2 * MB)
    container = small.run("sh", "-c", "dd if=/dev/zero of=/big bs=64k count=1000 2>&1; echo code $?")
    assert small.ended(container) == 0
    assert (small.state_dir / "containers" / container / "fs/upper/big").stat().st_size > MB
    assert small.request("DELETE", f"/containers/{container}")[0] == 204
    small.works()


def test_what_containers_say(small: SmallEngine) -> None:
    """Lines are lost, never the container, and never a part of a line."""
    small.fill(MB)
    container = small.run(
        "sh", "-c", "i=0; while [ $i -lt 60000 ]; do i=$((i+1)); echo line number $i of many; done; exit 7"
    )
    assert small.ended(container) == 7
    small.free()
    said = small.exchange("GET", f"/containers/{container}/logs?stdout=1")[2]
    lines = []
    while said:
        length = int.from_bytes(said[4:8], "big")
        lines.append(said[8 : 8 + length].decode())
        said = said[8 + length :]
    numbers = [int(line.split()[2]) for line in lines]
    assert numbers == sorted(numbers) and len(numbers) > 1000
    assert all(line.startswith("line number ") and line.endswith(" of many\n") for line in lines)
    small.works()


def test_volumes_and_commits(small: SmallEngine) -> None:
    body = {
        "Image": IMAGE,
        "Cmd": ["ls", "/bin/busybox"],
        "HostConfig": {"Binds": ["programs:/bin"], "NetworkMode": "none"},
    }
    small.fill(MB)  # what the image has in /bin is twice as long
    refused(small.request("POST", "/containers/create?name=filled", body))
    small.works()
    made = small.request("POST", "/containers/create?name=filled", body)[1]["Id"]
    assert small.request("POST", f"/containers/{made}/start")[0] == 204
    assert small.ended(made) == 0
    big = small.run("dd", "if=/dev/zero", "of=/big", "bs=64k", "count=48")
    assert small.ended(big) == 0
    small.fill(MB)
    refused(small.request("POST", f"/commit?container={big}&repo=made"))
    assert small.names() == [IMAGE]
    small.works()
    assert small.request("POST", f"/commit?container={big}&repo=made")[0] == 201
    small.fill(MB)
    archive = tar_of({"copied": os.urandom(3 * MB)})
    refused(small.request("PUT", f"/containers/{big}/archive?path=/", raw=archive))
    small.works()


def test_the_database(small: SmallEngine) -> None:
    """Everything acknowledged while the disk ran full is there after the engine was killed on the full disk."""
    small.fill(200_000)
    known, refusals = [], 0
    for number in range(400):
        status, said = small.request(
            "POST", "/volumes/create", {"Name": f"v{number}", "Labels": {"l": "x" * 2000}}
        )
        if status == 201:
            known.append(f"v{number}")
        else:
            refusals += 1
            refused((status, said), "disk is full")
            if refusals > 5:
                break
    assert known and refusals
    small.kill()
    try:
        small.start()
    except RuntimeError as error:
        assert FULL in str(error).lower() or "disk is full" in str(error), error
        assert "Traceback" not in str(error).partition("the engine did not start")[2].splitlines()[-1]
    else:
        assert present(small) >= set(known)
        small.kill()
    small.free()
    small.start()
    assert present(small) == set(known)
    small.works()


def present(engine: EngineProcess) -> set[str]:
    return {v["Name"] for v in engine.request("GET", "/volumes")[1]["Volumes"]}
