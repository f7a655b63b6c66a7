"""Volumes: named, anonymous, on folders of the host; filled from the image; removed only when nobody uses them."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from stackwright.embedded.errors import BadParameter, Conflict, NotFound
from stackwright.embedded.snapshots.frozen import FrozenStore
from stackwright.embedded.state import Database
from stackwright.embedded.volumes.service import VolumeService


class Engine:
    """A volume service on a state folder, with containers that say which volumes they use."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.users: dict[str, list[str]] = {}
        self.frozen = FrozenStore(state / "frozen")
        self.restart()

    def restart(self) -> None:
        self.volumes = VolumeService(
            Database(self.state / "engine.db"),
            self.state / "volumes",
            lambda name: self.users.get(name, []),
            self.frozen,
        )


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return Engine(tmp_path / "state")


@pytest.fixture
def image(tmp_path: Path) -> list[Path]:
    """Two layers: the upper one adds to and removes from /data of the lower one."""
    lower, upper = tmp_path / "lower", tmp_path / "upper"
    (lower / "data/sub").mkdir(parents=True)
    (lower / "data/kept").write_text("kept")
    (lower / "data/gone").write_text("gone")
    (lower / "data/sub/deep").write_text("deep")
    (lower / "link").symlink_to("/data")
    (upper / "data").mkdir(parents=True)
    (upper / "data/added").write_text("added")
    os.link(upper / "data/added", upper / "data/added-too")
    (upper / "data/pointer").symlink_to("kept")
    (upper / "data").chmod(0o750)
    return [upper, lower]


async def test_a_volume_survives_the_engine(engine: Engine) -> None:
    made = await engine.volumes.create("data", labels={"a": "b"})
    Path(made.mountpoint, "file").write_text("x")
    engine.restart()
    found = engine.volumes.get("data")
    assert found == made
    assert engine.volumes.inspect(found) == {
        "CreatedAt": made.created,
        "Driver": "local",
        "Labels": {"a": "b"},
        "Mountpoint": str(engine.state / "volumes/data/_data"),
        "Name": "data",
        "Options": None,
        "Scope": "local",
    }
    assert await engine.volumes.create("data", labels={"c": "d"}) == made


async def test_a_volume_without_a_name_is_anonymous(engine: Engine) -> None:
    made = await engine.volumes.create()
    assert len(made.name) == 64
    assert made.labels == {"com.docker.volume.anonymous": ""}


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("a/b", {}, "includes invalid characters for a local volume name"),
        ("x", {}, "volume name is too short"),
        ("..", {}, "includes invalid characters"),
        ("ok", {"colour": "red"}, 'invalid option: "colour"'),
        ("ok", {"type": "none", "o": "bind"}, 'missing required option: "device"'),
        ("ok", {"type": "nfs", "device": ":/export", "o": "addr=192.0.2.1"}, "type nfs"),
    ],
)
async def test_what_cannot_be_a_volume_is_refused(
    engine: Engine, name: str, options: dict[str, str], message: str
) -> None:
    with pytest.raises(BadParameter) as caught:
        await engine.volumes.create(name, driver_opts=options)
    assert message in caught.value.message
    assert engine.volumes.list() == ()


async def test_unknown_drivers_and_volumes_are_not_found(engine: Engine) -> None:
    with pytest.raises(NotFound, match='plugin "rexray" not found'):
        await engine.volumes.create("data", driver="rexray")
    with pytest.raises(NotFound, match="get data: no such volume"):
        engine.volumes.get("data")
    with pytest.raises(NotFound):
        await engine.volumes.remove("data")
    await engine.volumes.remove("data", force=True)


async def test_a_volume_in_use_is_not_removed(engine: Engine) -> None:
    made = await engine.volumes.create("data")
    engine.users["data"] = ["abc", "def"]
    with pytest.raises(Conflict) as caught:
        await engine.volumes.remove("data", force=True)
    assert caught.value.message == "remove data: volume is in use - [abc, def]"
    engine.users.clear()
    await engine.volumes.remove("data")
    assert not Path(made.mountpoint).exists()
    assert list((engine.state / "volumes").iterdir()) == []


@pytest.mark.root
async def test_an_empty_volume_is_filled_from_the_image(engine: Engine, image: list[Path]) -> None:
    os.mknod(image[0] / "data/gone", stat.S_IFCHR, 0)  # the layers' mark for "removed"
    os.chown(image[0] / "data", 70, 71)
    os.chown(image[0] / "data/added", 70, 71)
    made = await engine.volumes.create("data")
    await engine.volumes.populate(made, image, "/data")
    content = Path(made.mountpoint)
    assert sorted(path.name for path in content.iterdir()) == ["added", "added-too", "kept", "pointer", "sub"]
    assert (content / "sub/deep").read_text() == "deep"
    assert (content / "pointer").readlink() == Path("kept")
    assert (content / "added").stat().st_ino == (content / "added-too").stat().st_ino
    assert (content / "added").stat().st_uid == 70
    folder = content.stat()
    assert (stat.S_IMODE(folder.st_mode), folder.st_uid, folder.st_gid) == (0o750, 70, 71)


async def test_a_path_through_a_link_of_the_image_is_followed(engine: Engine, image: list[Path]) -> None:
    made = await engine.volumes.create("data")
    await engine.volumes.populate(made, image, "/link/sub")
    assert Path(made.mountpoint, "deep").read_text() == "deep"


async def test_a_volume_with_content_keeps_it(engine: Engine, image: list[Path]) -> None:
    made = await engine.volumes.create("data")
    Path(made.mountpoint, "mine").write_text("mine")
    await engine.volumes.populate(made, image, "/data")
    assert [path.name for path in Path(made.mountpoint).iterdir()] == ["mine"]


async def test_a_path_that_the_image_does_not_have_leaves_the_volume_empty(
    engine: Engine, image: list[Path]
) -> None:
    made = await engine.volumes.create("data")
    await engine.volumes.populate(made, image, "/nowhere")
    await engine.volumes.populate(made, image, "/data/kept")
    assert list(Path(made.mountpoint).iterdir()) == []


async def test_an_interrupted_copy_is_begun_again(engine: Engine, image: list[Path]) -> None:
    made = await engine.volumes.create("data")
    Path(made.mountpoint, "half").write_text("of a file")
    (Path(made.mountpoint).parent / "filling").touch()  # what a killed engine leaves
    engine.restart()
    await engine.volumes.populate(made, image, "/data/sub")
    assert [path.name for path in Path(made.mountpoint).iterdir()] == ["deep"]


async def test_a_folder_of_the_host_is_used_and_kept(engine: Engine, tmp_path: Path) -> None:
    folder = tmp_path / "shared"
    options = {"type": "none", "o": "bind", "device": str(folder)}
    made = await engine.volumes.create("data", driver_opts=options)
    with pytest.raises(BadParameter, match="no such directory"):
        await engine.volumes.mount(made)
    folder.mkdir()
    (folder / "file").write_text("x")
    assert (await engine.volumes.mount(made)).source == str(folder)
    await engine.volumes.remove("data")
    assert (folder / "file").read_text() == "x"


async def test_tmpfs_volumes_say_how_to_mount_them(engine: Engine) -> None:
    options = {"type": "tmpfs", "device": "tmpfs", "o": "size=10m,uid=1000"}
    mount = await engine.volumes.mount(await engine.volumes.create("data", driver_opts=options))
    assert (mount.kind, mount.options) == ("tmpfs", ("size=10m", "uid=1000"))


async def test_list_filters_by_name_label_and_use(engine: Engine) -> None:
    for name, labels in (("app_db", {"project": "app"}), ("app_cache", {}), ("other", {"project": "other"})):
        await engine.volumes.create(name, labels=labels)
    engine.users["app_db"] = ["abc"]

    def names(**filters: list[str]) -> list[str]:
        return [volume.name for volume in engine.volumes.list(filters)]

    assert names(name=["app"]) == ["app_cache", "app_db"]
    assert names(label=["project"]) == ["app_db", "other"]
    assert names(label=["project=app"]) == ["app_db"]
    assert names(dangling=["true"]) == ["app_cache", "other"]
    assert names(dangling=["false"]) == ["app_db"]
    with pytest.raises(BadParameter, match="invalid filter 'colour'"):
        names(colour=["red"])


async def test_prune_takes_unused_anonymous_volumes_and_all_when_asked(engine: Engine) -> None:
    anonymous = await engine.volumes.create()
    Path(anonymous.mountpoint, "file").write_bytes(bytes(100_000))
    used = await engine.volumes.create()
    engine.users[used.name] = ["abc"]
    await engine.volumes.create("named")
    names, reclaimed = await engine.volumes.prune()
    assert names == [anonymous.name]
    assert reclaimed >= 100_000
    assert (await engine.volumes.prune({"all": ["true"]}))[0] == ["named"]
    assert [volume.name for volume in engine.volumes.list()] == [used.name]


async def test_an_interrupted_removal_is_finished_at_the_next_start(engine: Engine) -> None:
    await engine.volumes.create("data")
    (engine.state / "volumes/data").rename(engine.state / "volumes/.removing-0123")
    engine.restart()
    assert engine.volumes.list() == ()
    assert list((engine.state / "volumes").iterdir()) == []
