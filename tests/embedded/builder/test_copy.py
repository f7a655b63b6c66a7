"""COPY and ADD."""

from __future__ import annotations

import hashlib
import io
import stat
import tarfile
from pathlib import Path

import pytest
from aiohttp import web
from tests.embedded.builder.conftest import link, tar_of

from stackwright.embedded.builder.copy import CopyStep

pytestmark = pytest.mark.root

TREE = {
    "a.txt": "a",
    "b.txt": "b",
    "dir/": "",
    "dir/x": "x",
    "dir/sub/y": "y",
    "dir/link": link("x"),
    "space name": "s",
}


async def files(kit, image, path):
    """Everything below ``path`` of an image, as relative names."""
    view = kit.view(image)
    found = []

    def walk(node, prefix):
        for child in view.children(node):
            name = prefix + child.path.rpartition("/")[2]
            found.append(name + "/" * child.is_dir)
            if child.is_dir:
                walk(child, name + "/")

    node = view.lookup(path)
    assert node is not None, path
    walk(node, "")
    return found


@pytest.mark.parametrize(
    ("line", "where", "expected"),
    [
        ("COPY a.txt /new", "/", ["new"]),
        ("COPY a.txt /d/", "/d", ["a.txt"]),
        ("COPY a.txt /usr", "/usr", ["a.txt"]),
        ("COPY a.txt b.txt /d/", "/d", ["a.txt", "b.txt"]),
        ("COPY *.txt /d/", "/d", ["a.txt", "b.txt"]),
        ("COPY [a]* ./d/", "/d", ["a.txt"]),
        ("COPY dir /d", "/d", ["link", "sub/", "sub/y", "x"]),
        ("COPY dir/ /d/", "/d", ["link", "sub/", "sub/y", "x"]),
        ("COPY dir/sub a.txt /d/", "/d", ["a.txt", "y"]),
        ("COPY dir/s?b /d", "/d", ["y"]),
        ("COPY . /d", "/d/dir", ["link", "sub/", "sub/y", "x"]),
        ('COPY ["space name", "/d/"]', "/d", ["space name"]),
        ("WORKDIR /w\nCOPY a.txt sub/\nCOPY b.txt .", "/w", ["b.txt", "sub/", "sub/a.txt"]),
        ("COPY --exclude=sub dir /d", "/d", ["link", "x"]),
        ("COPY --parents dir/sub/y /d/", "/d", ["dir/", "dir/sub/", "dir/sub/y"]),
        ("COPY a.txt /lib/deep/", "/usr/lib", ["deep/", "deep/a.txt"]),
        ("COPY dir/link /d", "/", ["d"]),
    ],
)
async def test_where_things_land(kit, line, where, expected):
    image = await kit.build(f"FROM base\n{line}\n", TREE)
    found = await files(kit, image, where)
    assert [name for name in found if name in expected] == expected
    if where not in ("/", "/usr", "/usr/lib"):
        assert found == expected


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            "COPY nope /d",
            "COPY failed: file not found in build context or excluded by .dockerignore: "
            "stat nope: file does not exist",
        ),
        ("COPY nope* /d", "COPY failed: no source files were specified"),
        ("COPY ../x /d", "COPY failed: forbidden path outside the build context: ../x ()"),
        (
            "COPY a.txt b.txt /d",
            "When using COPY with more than one source file, the destination must be a directory and end with a /",
        ),
        ("COPY --from=base /nope /d", "COPY failed: stat nope: file does not exist"),
        ("COPY --chown=nobody a.txt /d", "no such user: nobody"),
        ("COPY --chmod=rwx a.txt /d", "invalid chmod parameter"),
        ("COPY dir /etc/passwd", "cannot copy to non-directory"),
        ("COPY a.txt /etc/passwd/x", "Not a directory"),
    ],
)
async def test_mistakes_are_named_as_docker_names_them(kit, line, message):
    detail = await kit.fails(f"FROM base\n{line}\n", TREE)
    assert message in detail["message"]
    assert detail["line"] == 2


async def test_owners_and_permissions(kit):
    image = await kit.build(
        "FROM base\nCOPY a.txt /plain\nCOPY --chown=app:staff a.txt /named\nCOPY --chown=7 a.txt /number\n"
        "COPY --chown=app dir /owned\nCOPY --chmod=0711 a.txt /mode\nCOPY --chmod=u=rwX,go=rX dir /symbolic\n",
        TREE,
    )

    def of(path):
        status = kit.view(image).lookup(path, follow=False).status
        return status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)

    assert of("/plain") == (0, 0, 0o640)
    assert of("/named") == (100, 50, 0o640)
    assert of("/number") == (7, 7, 0o640)
    assert of("/owned")[:2] == of("/owned/sub/y")[:2] == of("/owned/link")[:2] == (100, 101)
    assert of("/mode")[2] == 0o711
    assert of("/symbolic")[2] == 0o755
    assert of("/symbolic/x")[2] == 0o644


async def test_from_keeps_owners(kit):
    image = await kit.build(
        "FROM base AS one\nRUN mkdir /d && touch /d/f && chmod 700 /d\nCOPY --chown=app a.txt /d/g\n"
        "FROM base\nCOPY --from=one /d /d\nCOPY --from=base /etc/group /group\n",
        TREE,
    )
    view = kit.view(image)
    assert view.lookup("/d/g").status.st_uid == 100
    assert stat.S_IMODE(view.lookup("/d").status.st_mode) == 0o700
    assert kit.read(image, "/group").startswith("root:")


async def test_existing_folders_keep_their_permissions(kit):
    image = await kit.build(
        "FROM base\nRUN chmod 1777 /tmp\nCOPY a.txt /tmp/\nCOPY dir /tmp\nRUN ls -ld /tmp > /seen\n", TREE
    )
    assert kit.read(image, "/seen").startswith("drwxrwxrwt")


async def test_only_what_changed_is_in_the_layer(kit):
    image = await kit.build("FROM base\nCOPY a.txt /usr/lib/x/a\n", TREE)
    top = kit.images.lower_dirs(image)[0]
    found = sorted(str(path.relative_to(top)) for path in top.rglob("*"))
    assert found == ["usr", "usr/lib", "usr/lib/x", "usr/lib/x/a"]


async def test_a_copied_file_replaces_a_link_target_inside_the_image_only(kit, tmp_path):
    outside = tmp_path / "outside"
    outside.write_text("untouched")
    image = await kit.build(
        f"FROM base\nRUN ln -s {outside} /link && ln -s ../../../../../../etc /up\n"
        "COPY a.txt /link\nCOPY b.txt /up/b\n",
        TREE,
    )
    assert outside.read_text() == "untouched"
    assert kit.read(image, "/etc/b") == "b"


async def test_links_of_the_context_cannot_lead_out_of_it(kit, tmp_path):
    (tmp_path / "secret").write_text("secret")
    detail = await kit.fails("FROM base\nCOPY l /x\n", {"l": link(str(tmp_path / "secret"))})
    assert "file does not exist" in detail["message"]
    detail = await kit.fails("FROM base\nCOPY l/secret /x\n", {"l": link(str(tmp_path))})
    assert "file does not exist" in detail["message"]


async def test_dockerignore_applies_whoever_made_the_archive(kit):
    image = await kit.build(
        "FROM base\nCOPY . /d\n",
        {**TREE, ".dockerignore": "*.txt\n!b.txt\ndir\n!dir/sub\nDockerfile\n.dockerignore"},
    )
    assert await files(kit, image, "/d") == ["b.txt", "dir/", "dir/sub/", "dir/sub/y", "space name"]


async def test_add_unpacks_archives_with_their_owners(kit):
    inner = tar_of({"in/f": "1", "in/": ""})
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:xz") as archive:
        archive.addfile(tarfile.TarInfo("xz"))
    image = await kit.build(
        "FROM base\nADD inner.tar /d\nADD p.tar.xz a.txt /e/\nCOPY inner.tar /plain\nADD fake.gz /fake.gz\n",
        {**TREE, "inner.tar": inner, "p.tar.xz": packed.getvalue(), "fake.gz": b"\x1f\x8b\x08rubbish"},
    )
    assert await files(kit, image, "/d") == ["in/", "in/f"]
    assert kit.view(image).lookup("/d/in/f").status.st_uid == 1234
    assert await files(kit, image, "/e") == ["a.txt", "xz"]
    assert not kit.view(image).lookup("/plain").is_dir
    assert kit.view(image).lookup("/fake.gz").status.st_size == 10


async def test_add_of_a_hostile_archive_stays_inside(kit, tmp_path):
    detail = await kit.fails("FROM base\nADD evil.tar /d\n", {"evil.tar": tar_of({"../../evil": "x"})})
    assert "leads out of" in detail["message"]
    assert kit.leftovers() == []


async def test_add_fetches_urls(kit, unused_tcp_port):
    async def serve(request):
        if request.path == "/gone":
            raise web.HTTPNotFound
        if request.path.endswith(".tar"):
            return web.Response(body=tar_of({"in/f": request.path}))
        return web.Response(text="fetched", headers={"Last-Modified": "Mon, 01 Jan 2024 00:00:00 GMT"})

    application = web.Application()
    application.router.add_get("/{name}", serve)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", unused_tcp_port).start()
    url = f"http://127.0.0.1:{unused_tcp_port}"
    checksum = "sha256:" + hashlib.sha256(b"fetched").hexdigest()
    try:
        image = await kit.build(f"FROM base\nADD {url}/file.txt /d/\nADD --checksum={checksum} {url}/x /y\n")
        node = kit.view(image).lookup("/d/file.txt")
        assert kit.read(image, "/y") == "fetched"
        assert stat.S_IMODE(node.status.st_mode) == 0o600
        assert node.status.st_mtime == 1704067200
        text = f"FROM base\nADD {url}/1.tar {url}/2.tar /plain/\nADD --unpack {url}/1.tar /in/\n"
        image = await kit.build(f"{text}ADD --unpack=true {url}/2.tar {url}/n.txt /two/\n")
        assert await files(kit, image, "/plain") == ["1.tar", "2.tar"]
        assert Path(kit.view(image).lookup("/plain/2.tar").host).read_bytes() == tar_of({"in/f": "/2.tar"})
        assert kit.read(image, "/in/in/f") == "/1.tar" and kit.read(image, "/two/in/f") == "/2.tar"
        detail = await kit.fails(f"FROM base\nADD {url}/gone /x\n")
        assert "with status 404" in detail["message"]
        wrong = checksum[:-1] + ("0" if checksum[-1] != "0" else "1")
        detail = await kit.fails(f"FROM base\nADD --checksum={wrong} {url}/x /y\n")
        assert "digest mismatch" in detail["message"]
    finally:
        await runner.cleanup()


async def test_a_fresh_clone_hits_the_cache(kit):
    first = await kit.build("FROM base\nCOPY dir /d\n", TREE)
    assert await kit.build("FROM base\nCOPY dir /d\n", dict(reversed(TREE.items()))) == first


async def test_an_unchanged_stage_is_not_read_again(kit, monkeypatch):
    text = "FROM base AS one\nRUN mkdir /d && touch /d/f\nFROM base\nCOPY --from=one /d /d\n"
    first = await kit.build(text)
    monkeypatch.setattr(CopyStep, "cache_parts", lambda step: pytest.fail("read again"))
    assert await kit.build(text) == first


async def test_a_rebuilt_stage_with_the_same_files_hits_the_cache(kit):
    text = "FROM base AS one\nARG N\nRUN echo $N > /n && mkdir /d && echo same > /d/f\nFROM base\nCOPY --from=one /d /d\n"
    first = await kit.build(text, build_args={"N": "1"})
    assert await kit.build(text, build_args={"N": "2"}) == first


async def test_names_of_one_file_stay_names_of_one_file(kit):
    image = await kit.build(
        "FROM base AS one\nRUN mkdir /d && echo x > /d/a && ln /d/a /d/b\nFROM base\nCOPY --from=one /d /d\n"
    )
    view = kit.view(image)
    assert view.lookup("/d/a").status.st_ino == view.lookup("/d/b").status.st_ino


async def test_large_files_are_copied_whole(kit):
    content = bytes(range(256)) * 2000
    image = await kit.build("FROM base\nCOPY big /big\n", {"big": content})
    assert Path(kit.view(image).lookup("/big").host).read_bytes() == content


async def test_linked_copies_depend_on_nothing_below(kit):
    text = "FROM base\nRUN {}\nCOPY --link dir /d/e/\nCOPY --link --chown=app a.txt b.txt /lib/\nCOPY --link a.txt /tmp\n"
    first = await kit.build(text.format("touch /one && mkdir /d && ln -s d /e"), TREE)
    second = await kit.build(text.format("touch /two"), TREE)
    assert kit.text.count("Using cache") == 3
    layers = kit.images.get(first).layers, kit.images.get(second).layers
    assert layers[0][-3:] == layers[1][-3:] and layers[0] != layers[1]
    for image, own in ((first, "/one"), (second, "/two")):
        assert kit.view(image).lookup(own)
        assert await files(kit, image, "/d") == ["e/", "e/link", "e/sub/", "e/sub/y", "e/x"]
        assert kit.view(image).lookup("/lib/a.txt").status.st_uid == 100
        # Nothing below is looked at: a link on the way becomes a folder, a folder in its place the file.
        assert kit.view(image).lookup("/lib", follow=False).is_dir
        assert kit.view(image).lookup("/usr/lib/a.txt") is None
        assert kit.read(image, "/tmp") == "a"
    await kit.build(text.format("touch /three"), TREE, no_cache=True)
    assert "Using cache" not in kit.text


async def test_a_linked_copy_of_changed_files_is_made_anew(kit):
    text = "FROM base\nRUN touch /{}\nCOPY --link dir /d\nRUN cat /d/x > /y\n"
    await kit.build(text.format(1), TREE)
    image = await kit.build(text.format(2), {**TREE, "dir/x": "new"})
    assert "Using cache" not in kit.text
    assert kit.read(image, "/y") == "new"
    plain = await kit.build(text.format(3).replace(" --link", ""), TREE)
    assert "Using cache" not in kit.text and kit.read(plain, "/y") == "x"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (f"ADD --checksum=sha256:{'0' * 64} a.txt /y", "checksum can only be specified for HTTP(S) sources"),
        ("ADD --checksum=sha256:0 http://127.0.0.1:1/x /y", "invalid checksum sha256:0"),
        ("ADD --checksum=md5:0 http://127.0.0.1:1/x /y", "invalid checksum md5:0"),
    ],
)
async def test_checksums_that_make_no_sense_are_refused_before_anything_is_fetched(kit, line, message):
    assert message in (await kit.fails(f"FROM base\n{line}\n", TREE))["message"]
