"""Load, save, list, tag, remove, prune; what is left on disk."""

from __future__ import annotations

import io
import json
import os
import subprocess
import tarfile

import pytest
from tests.embedded.images.conftest import (
    Store,
    chunks,
    config_of,
    digest,
    docker_archive,
    entry,
    gzipped,
    opened,
    tar_of,
)

from stackwright.embedded.errors import BadParameter, Conflict, NotFound
from stackwright.embedded.images.archive.unpack import remove_tree

BASE = tar_of([("etc/", entry(tarfile.DIRTYPE, mode=0o755)), ("etc/os", "base"), ("old", "x")])
TOP = tar_of([("etc/.wh.os", ""), ("new", "y"), ("hard", entry(tarfile.LNKTYPE, "new"))])


async def test_loaded_images_mount_as_they_should(store, tmp_path):
    if os.geteuid():
        pytest.skip("mounts need root")
    await store.load(docker_archive([BASE, TOP], ["app:1"]))
    merged = tmp_path / "merged"
    merged.mkdir()
    lower = ":".join(map(str, store.images.lower_dirs("app:1")))
    subprocess.run(["mount", "-t", "overlay", "o", "-o", f"lowerdir={lower}", merged], check=True)
    try:
        assert sorted(path.name for path in merged.iterdir()) == ["etc", "hard", "new", "old"]
        assert list((merged / "etc").iterdir()) == []
        assert (merged / "hard").stat().st_ino == (merged / "new").stat().st_ino
    finally:
        subprocess.run(["umount", merged], check=True)
    assert store.view("app:1").lookup("/etc/os") is None


async def test_a_layer_that_comes_twice_is_mounted_once(store):
    await store.load(docker_archive([BASE, TOP, BASE], ["app"]))
    names = [store.images.layers.get(digest(layer)).folder for layer in (BASE, TOP)]
    assert list(store.images.lower_dirs("app")) == names
    assert store.read("app", "/etc/os") == "base"


async def test_saved_archives_load_elsewhere_with_the_same_ids(store, other):
    (image,) = await store.load(docker_archive([BASE, TOP], ["app:1", "team/app:2"], Env=["A=1"]))
    saved = await store.save("app:1", "team/app:2")
    assert [one.id for one in await other.load(saved)] == [image.id]
    assert other.images.get("team/app:2").run_config == {"Env": ["A=1"]}
    assert await other.save("app:1", "team/app:2") == saved
    assert store.images.list()[0]["RepoTags"] == other.images.list()[0]["RepoTags"]


async def test_saving_a_repository_saves_all_its_tags(store, other):
    await store.load(docker_archive([BASE], ["app:1", "app:2", "apple:1"]))
    await other.load(await store.save("app"))
    assert other.images.list()[0]["RepoTags"] == ["app:1", "app:2"]
    (image,) = await store.load(docker_archive([BASE], ["app:1"]))
    with pytest.raises(NotFound, match="No such image: nope:latest"):
        store.images.save(["nope"])
    await other.images.prune({"dangling": ["false"]})
    await other.load(await store.save(image.short_id))
    assert other.images.list()[0]["RepoTags"] == []


async def test_archives_whose_bytes_we_would_write_otherwise_come_back_exactly(store):
    odd = tar_of([("b", "2"), ("a", "1")], format=tarfile.GNU_FORMAT)  # not sorted: not how we write it
    await store.load(docker_archive([odd], ["odd"]))
    with tarfile.open(fileobj=io.BytesIO(await store.save("odd"))) as archive:
        layer = archive.extractfile("blobs/sha256/" + digest(odd)[7:])
        assert layer is not None
        assert layer.read() == odd


async def test_an_oci_layout_loads(store):
    layer, text = gzipped(BASE), config_of([BASE], Cmd=["x"])
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "config": {"digest": digest(text), "size": len(text)},
            "layers": [{"digest": digest(layer), "size": len(layer)}],
        }
    ).encode()
    index = {
        "schemaVersion": 2,
        "manifests": [
            {
                "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "digest": digest(manifest),
                "size": len(manifest),
                "annotations": {"io.containerd.image.name": "docker.io/library/oci:1"},
            }
        ],
    }
    members = [(f"blobs/sha256/{digest(data)[7:]}", data) for data in (layer, text, manifest)]
    await store.load(tar_of([*members, ("oci-layout", "{}"), ("index.json", json.dumps(index))]))
    assert store.images.get("oci:1").run_config == {"Cmd": ["x"]}
    assert store.read("oci:1", "/etc/os") == "base"


async def test_progress_of_load_is_dockers(store):
    await store.load(docker_archive([BASE], ["app:1"]))
    assert store.messages[-1] == {"stream": "Loaded image: app:1\n"}
    await store.load(docker_archive([TOP], ["app:1"]))
    assert any("already exists, renaming the old one" in m.get("stream", "") for m in store.messages)


async def test_compressed_archives_load(store):
    await store.load(gzipped(docker_archive([BASE], ["app"])))
    assert store.images.get("app")


async def test_images_are_found_by_name_id_and_prefix(store):
    (image,) = await store.load(docker_archive([BASE], ["app:1"]))
    for name in ("app:1", "docker.io/library/app:1", image.id, image.id[7:], image.id[7:19], image.id[:20]):
        assert store.images.get(name).id == image.id
    for name in ("app", "none", "0" * 64, "sha256:" + "0" * 64):
        with pytest.raises(NotFound, match="No such image"):
            store.images.get(name)
    with pytest.raises(BadParameter, match="invalid reference format"):
        store.images.get("NOT a name")


async def test_lists_filter(store):
    await store.load(docker_archive([BASE], ["app:1", "app:2", "team/db:1"], Labels={"a": "1", "b": "2"}))
    await store.load(docker_archive([BASE, TOP], ["web:1"], Labels={"a": "2"}))

    def tags(**filters):
        return sorted(tag for one in store.images.list(filters) for tag in one["RepoTags"])

    assert tags(label=["a"]) == ["app:1", "app:2", "team/db:1", "web:1"]
    assert tags(label=["a=1", "b"]) == ["app:1", "app:2", "team/db:1"]
    assert tags(reference=["app"]) == ["app:1", "app:2"]
    assert tags(reference=["*:1"]) == ["app:1", "web:1"]
    assert tags(reference=["team/*"]) == ["team/db:1"]
    assert tags(dangling=["true"]) == []
    with pytest.raises(BadParameter, match="invalid filter 'nope'"):
        tags(nope=["x"])


async def test_removing_a_name_keeps_the_image_while_it_has_others(store):
    (image,) = await store.load(docker_archive([BASE], ["app:1", "app:2"]))
    assert await store.images.remove("app:1") == [{"Untagged": "app:1"}]
    assert await store.images.remove("app:2") == [{"Untagged": "app:2"}, {"Deleted": image.id}]
    assert store.folders("layers") == []


async def test_removing_by_id_needs_force_with_names_in_several_repositories(store):
    (image,) = await store.load(docker_archive([BASE], ["app:1", "other:1"]))
    with pytest.raises(Conflict, match="must be forced"):
        await store.images.remove(image.short_id)
    await store.images.remove(image.short_id, force=True)
    assert store.images.list(all_images=True) == []


async def test_images_in_use_are_not_removed(store):
    (image,) = await store.load(docker_archive([BASE], ["app:1"]))
    users = {image.id: ["c" * 64 + " running"]}
    store.images.protect(lambda: users)
    with pytest.raises(Conflict, match=r"must force.*container cccccccccccc is using its referenced image"):
        await store.images.remove("app:1")
    with pytest.raises(Conflict, match=r"cannot be forced.*running container cccccccccccc"):
        await store.images.remove(image.short_id, force=True)
    users[image.id] = ["c" * 64]
    with pytest.raises(Conflict, match=r"must be forced.*stopped container"):
        await store.images.remove(image.short_id)
    assert (await store.images.prune({"dangling": ["false"]}))["ImagesDeleted"] is None


async def test_layers_outlive_a_forced_removal_as_long_as_a_container_needs_them(store):
    (image,) = await store.load(docker_archive([BASE], ["app:1"]))
    users = {image.id: ["c" * 64]}
    store.images.protect(lambda: users)
    await store.images.remove("app:1", force=True)
    assert store.images.list(all_images=True) == []
    assert len(store.folders("layers")) == 1
    assert store.images.lower_dirs(image)
    assert store.images.catalogue.by_id(image.id) is None
    await store.images.tag(image.id, "back")
    assert [one["RepoTags"] for one in store.images.list()] == [["back:latest"]]
    await store.images.remove("back", force=True)
    users.clear()
    await store.images.prune()
    assert store.folders("layers") == []


async def test_shared_layers_stay_until_the_last_image_goes(store):
    await store.load(docker_archive([BASE], ["one"]))
    await store.load(docker_archive([BASE, TOP], ["two"]))
    assert len(store.folders("layers")) == 2
    await store.images.remove("two")
    assert len(store.folders("layers")) == 1
    await store.images.remove("one")
    assert store.folders("layers") == []
    assert store.images.disk_usage() == {"LayersSize": 0, "Images": []}


async def test_prune_takes_the_nameless_only_unless_told_otherwise(store):
    await store.load(docker_archive([BASE], ["app:1"]))
    await store.load(docker_archive([BASE, TOP], ["app:1"]))
    done = await store.images.prune()
    assert len(done["ImagesDeleted"]) == 1
    assert len(store.images.list()) == 1
    done = await store.images.prune({"dangling": ["false"], "label!": ["keep"]})
    assert [list(line) for line in done["ImagesDeleted"]] == [["Untagged"], ["Deleted"]]
    assert done["SpaceReclaimed"] > 0


async def test_tagging(store):
    await store.load(docker_archive([BASE], ["app:1"]))
    assert await store.images.tag("app:1", "team/app", "2") == "team/app:2"
    assert store.images.get("app:1").id == store.images.get("team/app:2").id
    with pytest.raises(BadParameter, match="invalid reference format"):
        await store.images.tag("app:1", "Upper")


async def test_import_takes_changes(store):
    image = await store.images.import_(
        chunks(gzipped(BASE)), "root:1", changes=['CMD ["a"]', "ENV A=1 B=2", "EXPOSE 80"], message="hello"
    )
    assert image.run_config == {"Cmd": ["a"], "Env": ["A=1", "B=2"], "ExposedPorts": {"80/tcp": {}}}
    assert store.images.history("root:1")[0]["Comment"] == "hello"
    with pytest.raises(BadParameter, match="RUN is not a valid change command"):
        await store.images.import_(chunks(BASE), changes=["RUN x"])


async def test_commit_copies_what_a_container_changed(store, tmp_path):
    await store.load(docker_archive([BASE], ["app"], Env=["A=1"]))
    upper = tmp_path / "upper"
    upper.mkdir()
    (upper / "added").write_text("1")
    if os.geteuid() == 0:
        os.mknod(upper / "old", 0o20000, 0)
    image = await store.images.commit(
        upper, parent="app", config={"Env": ["A=2"]}, created_by="x", references=["app:committed"]
    )
    assert store.read("app:committed", "/added") == "1"
    assert (upper / "added").exists()
    if os.geteuid() == 0:
        assert store.view(image.id).lookup("/old") is None
        assert await store.load(await store.save("app:committed"))


async def test_inspect_has_what_clients_read(store):
    (image,) = await store.load(docker_archive([BASE], ["app:1"], Cmd=["x"], Labels={"l": "1"}))
    shown = store.images.inspect("app:1")
    assert shown["Id"] == image.id
    assert shown["RepoTags"] == ["app:1"]
    assert shown["Config"]["Cmd"] == ["x"]
    assert shown["RootFS"] == {"Type": "layers", "Layers": [digest(BASE)]}
    assert (shown["Os"], shown["Architecture"], shown["Size"]) == ("linux", "amd64", 5)


async def test_what_an_interrupted_engine_left_goes_at_the_next_start(store, tmp_path):
    await store.load(docker_archive([BASE], ["app"]))
    root = tmp_path / "one" / "images"
    for left in ("layers/half", "work/load-1"):
        (root / left / "deep").mkdir(parents=True)
    (root / "blobs" / "sha256" / "orphan").write_text("x")
    store.images.database.close()
    with opened(tmp_path / "one") as again:
        await again.images.start()
        assert len(again.folders("layers")) == 1
        assert again.folders("work") == []
        assert not (root / "blobs" / "sha256" / "orphan").exists()
        assert again.read("app", "/etc/os") == "base"


async def test_an_image_whose_layer_is_lost_is_forgotten_and_the_others_are_not(store: Store) -> None:
    """As after a power loss: the database is older than the folders."""
    shared, own = tar_of([("shared", "1")]), tar_of([("own", "2")])
    (kept,) = await store.load(docker_archive([shared], ["kept"]))
    (lost,) = await store.load(docker_archive([shared, own], ["lost"]))
    remove_tree(store.images.lower_dirs(lost)[0])
    await store.images.start()
    assert [one["Id"] for one in store.images.list(all_images=True)] == [kept.id]
    assert store.read("kept", "/shared") == "1"
    await store.load(docker_archive([shared, own], ["lost"]))
    assert store.read("lost", "/own") == "2"
