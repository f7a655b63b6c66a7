"""Archives that try to get out, to lie, or to fill the disk."""

from __future__ import annotations

import contextlib
import io
import os
import stat
import tarfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.embedded.images.conftest import config_of, digest, docker_archive, entry, gzipped, tar_of

from stackwright.embedded.images.archive.compression import open_compressed
from stackwright.embedded.images.archive.errors import BadArchive, TooLarge
from stackwright.embedded.images.archive.limits import Limits
from stackwright.embedded.images.archive.reader import TarReader
from stackwright.embedded.images.archive.unpack import UnpackPolicy, remove_tree, unpack

LAYER = UnpackPolicy(layer=True)


def unpack_into(folder, data, policy=LAYER, limits=None):
    folder.mkdir(exist_ok=True)
    return unpack(TarReader(io.BytesIO(data), limits), folder, policy)


@pytest.fixture
def outside(tmp_path):
    """A file that no archive may touch."""
    file = tmp_path / "outside" / "secret"
    file.parent.mkdir()
    file.write_text("untouched")
    yield file
    assert file.read_text() == "untouched"
    assert sorted(path.name for path in file.parent.iterdir()) == ["secret"]
    assert file.stat().st_nlink == 1


@pytest.mark.parametrize("name", ["../outside/x", "a/../../outside/x", "..", "a/b/../../../outside/secret"])
def test_names_that_climb_out_are_refused(tmp_path, outside, name):
    with pytest.raises(BadArchive, match="leads out of"):
        unpack_into(tmp_path / "root", tar_of([(name, "evil")]))


def test_absolute_names_stay_inside(tmp_path, outside):
    unpack_into(tmp_path / "root", tar_of([(str(outside), "evil")]))
    assert (tmp_path / "root" / str(outside).lstrip("/")).read_text() == "evil"


@pytest.mark.parametrize("target", ["{outside}", "../outside", "../../../../../../../../{outside}", "/"])
def test_links_to_folders_are_followed_inside_only(tmp_path, outside, target):
    target = target.format(outside=outside.parent)
    data = tar_of([("link", entry(tarfile.SYMTYPE, target)), ("link/secret", "evil"), ("link/x/y", "evil")])
    unpack_into(tmp_path / "root", data)


def test_a_link_is_replaced_not_written_through(tmp_path, outside):
    unpack_into(tmp_path / "root", tar_of([("x", entry(tarfile.SYMTYPE, str(outside))), ("x", "evil")]))
    assert (tmp_path / "root" / "x").read_text() == "evil"


@pytest.mark.parametrize("target", ["../outside/secret", "{outside}", "missing", "a", ".", "/"])
def test_hard_links_out_of_the_archive_are_refused(tmp_path, outside, target):
    with pytest.raises(BadArchive):
        unpack_into(
            tmp_path / "root",
            tar_of(
                [
                    ("a", entry(tarfile.DIRTYPE, mode=0o755)),
                    ("x", entry(tarfile.LNKTYPE, target.format(outside=outside))),
                ]
            ),
        )


def test_hard_links_through_links_are_refused(tmp_path, outside):
    data = tar_of(
        [("d", entry(tarfile.SYMTYPE, str(outside.parent))), ("x", entry(tarfile.LNKTYPE, "d/secret"))]
    )
    with pytest.raises(BadArchive):
        unpack_into(tmp_path / "root", data)


def test_loops_of_links_end(tmp_path):
    data = tar_of([("a", entry(tarfile.SYMTYPE, "b")), ("b", entry(tarfile.SYMTYPE, "a")), ("a/x", "1")])
    with pytest.raises(BadArchive, match="too many symbolic links"):
        unpack_into(tmp_path / "root", data)


def test_folders_nested_without_end_are_refused(tmp_path):
    with pytest.raises(BadArchive, match="nested too deeply"):
        unpack_into(tmp_path / "a", tar_of([("d/" * 300 + "x", "1")]))
    steps = []
    for number in range(5):  # each name is short, the links make it deep
        here = f"l{number - 1}/" if number else ""
        steps += [(f"{here}{'d/' * 90}x", ""), (f"l{number}", entry(tarfile.SYMTYPE, f"{here}{'d/' * 90}"))]
    with pytest.raises(BadArchive, match="nested too deeply"):
        unpack_into(tmp_path / "b", tar_of(steps))


def test_trees_deeper_than_paths_are_removed(tmp_path):
    top = tmp_path / "top"
    top.mkdir()
    before = os.open(".", os.O_RDONLY)
    try:
        os.chdir(top)
        for _ in range(1500):
            Path("d" * 10).mkdir()
            os.chdir("d" * 10)
    finally:
        os.fchdir(before)
        os.close(before)
    remove_tree(top)
    assert not top.exists()


@pytest.mark.root
def test_only_harmless_devices_are_made(tmp_path):
    data = tar_of(
        [
            ("null", entry(tarfile.CHRTYPE, devmajor=1, devminor=3, mode=0o666)),
            ("mem", entry(tarfile.CHRTYPE, devmajor=1, devminor=1)),
            ("disk", entry(tarfile.BLKTYPE, devmajor=8, devminor=0)),
            ("whiteout", entry(tarfile.CHRTYPE, devmajor=0, devminor=0)),
            ("pipe", entry(tarfile.FIFOTYPE)),
        ]
    )
    done = unpack_into(tmp_path / "root", data)
    assert sorted(path.name for path in (tmp_path / "root").iterdir()) == ["null", "pipe"]
    assert done.skipped == ["mem", "disk", "whiteout"]


@pytest.mark.root
def test_whiteouts_become_what_overlayfs_understands(tmp_path):
    root = tmp_path / "root"
    unpack_into(root, tar_of([("d/.wh.gone", ""), ("o/.wh..wh..opq", ""), (".wh..wh.plnk/1", "")]))
    status = (root / "d/gone").lstat()
    assert stat.S_ISCHR(status.st_mode)
    assert status.st_rdev == 0
    assert os.getxattr(root / "o", "trusted.overlay.opaque") == b"y"


@pytest.mark.root
def test_a_folder_removed_and_made_again_hides_the_old_one(tmp_path):
    root = tmp_path / "root"
    unpack_into(root, tar_of([(".wh.d", ""), ("d/new", "1")]))
    assert os.getxattr(root / "d", "trusted.overlay.opaque") == b"y"
    again = tmp_path / "again"
    unpack_into(again, tar_of([("d/new", "1"), (".wh.d", "")]))
    assert os.getxattr(again / "d", "trusted.overlay.opaque") == b"y"
    assert (again / "d/new").read_text() == "1"


@pytest.mark.parametrize("name", [".wh.", ".wh...", ".wh..", "a/.wh..."])
def test_whiteouts_of_parents_are_refused(tmp_path, name):
    with pytest.raises(BadArchive):
        unpack_into(tmp_path / "root", tar_of([(name, "")]))


@pytest.mark.root
def test_foreign_overlay_attributes_are_dropped(tmp_path):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        info = entry(tarfile.DIRTYPE, mode=0o755)
        info.name = "d"
        info.pax_headers = {
            "SCHILY.xattr.trusted.overlay.opaque": "y",
            "SCHILY.xattr.trusted.overlay.redirect": "/etc",
            "SCHILY.xattr.user.overlay.redirect": "/etc",
            "SCHILY.xattr.user.kept": "v",
        }
        archive.addfile(info)
    unpack_into(tmp_path / "root", buffer.getvalue())
    assert os.listxattr(tmp_path / "root" / "d") == ["user.kept"]


def test_bombs_are_stopped(tmp_path):
    data = gzipped(tar_of([("zeros", bytes(50_000_000))]))
    assert len(data) < 100_000
    with pytest.raises(TooLarge, match="unpacks to more than 1000000 bytes"):
        unpack(TarReader(open_compressed(io.BytesIO(data)), Limits(unpacked=1_000_000)), tmp_path, LAYER)
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) <= 1_000_000
    with pytest.raises(TooLarge, match="more than 10 entries"):
        unpack_into(tmp_path / "b", tar_of([(f"f{n}", "") for n in range(11)]), limits=Limits(entries=10))


def test_impossible_times_are_bent_into_possible_ones(tmp_path):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, time in (("late", 1 << 90), ("early", -(1 << 90))):
            info = entry(tarfile.DIRTYPE, mtime=time)
            info.name = name
            archive.addfile(info)
    assert unpack_into(tmp_path / "root", buffer.getvalue()).entries == 2


def test_an_announced_gigantic_header_is_not_read(tmp_path):
    info = tarfile.TarInfo("x")
    info.type, info.size = b"x", 1 << 40
    with pytest.raises(BadArchive, match="extended header"):
        unpack_into(tmp_path / "root", info.tobuf(format=tarfile.GNU_FORMAT))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"not an archive at all" * 100, "not a tar archive"),
        (tar_of([("a", "x" * 2000)])[:1500], "unexpected end"),
        (gzipped(tar_of([("a", os.urandom(5000))]))[:2000], "damaged compressed data"),
        (b"\x28\xb5\x2f\xfd" + b"rubbish" * 10, "damaged compressed data"),
        (b"\xfd7zXZ\x00" + b"rubbish" * 10, "damaged compressed data"),
        (b"BZh9" + b"rubbish" * 10, "damaged compressed data"),
    ],
    ids=["no archive", "tar", "gzip", "zstd", "xz", "bzip2"],
)
def test_damage_is_called_damage(tmp_path, data, message):
    with pytest.raises(BadArchive, match=message):
        unpack(TarReader(open_compressed(io.BytesIO(data))), tmp_path, LAYER)


@given(data=st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_flipped_bytes_never_escape_or_crash(tmp_path_factory, data):
    original = bytearray(
        tar_of(
            [
                ("d", entry(tarfile.DIRTYPE, mode=0o755)),
                ("d/f", "content"),
                ("l", entry(tarfile.SYMTYPE, "d")),
                ("h", entry(tarfile.LNKTYPE, "d/f")),
                ("é" * 120, "long"),
            ]
        )
    )
    for _ in range(data.draw(st.integers(1, 6))):
        position = data.draw(st.integers(0, len(original) - 1))
        original[position] = data.draw(st.integers(0, 255))
    for start in range(0, len(original) - 511, 512):  # let headers through the checksum now and then
        block = original[start : start + 512]
        if block[257:262] == b"ustar":
            block[148:156] = b" " * 8
            original[start + 148 : start + 156] = b"%06o\0 " % sum(block)
    root = tmp_path_factory.mktemp("fuzz")
    inside = root / "root"
    with contextlib.suppress(BadArchive):
        unpack_into(inside, bytes(original), limits=Limits(unpacked=1 << 20))
    assert sorted(path.name for path in root.iterdir()) == ["root"]


async def test_a_wrong_digest_leaves_nothing_behind(store):
    layer = tar_of([("a", "1")])
    archive = docker_archive([layer], ["app"]).replace(digest(layer)[7:].encode(), b"0" * 64)
    with pytest.raises(BadArchive):
        await store.load(archive)
    assert store.images.list(all_images=True) == []
    assert store.folders("layers") == []
    assert store.folders("work") == []


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([], "holds no image"),
        ([("manifest.json", "{")], "manifest.json can't be read"),
        ([("manifest.json", "[1]")], "manifest.json can't be read"),
        ([("manifest.json", '[{"Config": "../../etc/passwd", "Layers": []}]')], "leads out of"),
        ([("manifest.json", '[{"Config": "c", "Layers": []}]')], "not in it"),
        ([("c", "{}"), ("manifest.json", '[{"Config": "c", "Layers": []}]')], "configuration"),
        (
            [
                ("c", entry(tarfile.SYMTYPE, "/etc/passwd")),
                ("manifest.json", '[{"Config": "c", "Layers": []}]'),
            ],
            "leads out of",
        ),
        (
            [
                ("d", entry(tarfile.SYMTYPE, "/etc")),
                ("manifest.json", '[{"Config": "d/passwd", "Layers": []}]'),
            ],
            "leads through a link",
        ),
        (
            [("c", config_of([b"x"])), ("manifest.json", '[{"Config": "c", "Layers": []}]')],
            "layers length mismatch",
        ),
        ([("index.json", '{"manifests": [{"digest": "sha256:../../x"}]}')], "holds no image"),
    ],
)
async def test_load_refuses_what_makes_no_sense(store, members, message):
    with pytest.raises(BadArchive, match=message):
        await store.load(tar_of(members))
    assert store.folders("work") == []


PARTS = st.sampled_from(
    ["..", ".", "", "a", "b", "l", "h", ".wh.a", ".wh..", ".wh..wh..opq", "é", "x" * 120, "\n"]
)
NAMES = st.builds(
    lambda parts, lead, tail: lead + "/".join(parts) + tail,
    st.lists(PARTS, min_size=1, max_size=5),
    st.sampled_from(["", "/", "../", "./"]),
    st.sampled_from(["", "/"]),
)
KINDS = st.sampled_from(
    [
        tarfile.REGTYPE,
        tarfile.DIRTYPE,
        tarfile.SYMTYPE,
        tarfile.LNKTYPE,
        tarfile.FIFOTYPE,
        tarfile.CHRTYPE,
        b"9",
    ]
)


@pytest.mark.root
@given(members=st.lists(st.tuples(NAMES, KINDS, NAMES, st.integers(0, 0o7777)), min_size=1, max_size=8))
@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_order_of_names_and_links_leads_out(tmp_path_factory, members):
    """Any names, links and kinds one after the other: refused or unpacked, and outside everything stays as it was."""
    root = tmp_path_factory.mktemp("fuzz")
    outside = root / "outside"
    for name in ("a", "b", "l", "h"):
        (outside / name).mkdir(parents=True)
        (outside / name / "a").write_text("untouched")
    before = picture(outside)
    inside = root / "inside" / "deeper"
    inside.mkdir(parents=True)
    entries = [
        (
            name,
            entry(
                kind,
                target if number % 3 else f"{outside}/{target.lstrip('/')}",
                mode=mode,
                devmajor=1,
                devminor=1,
            ),
        )
        for number, (name, kind, target, mode) in enumerate(members)
    ]
    with contextlib.suppress(BadArchive):
        unpack_into(inside, tar_of(entries, format=tarfile.GNU_FORMAT), limits=Limits(unpacked=1 << 20))
    assert picture(outside) == before
    assert sorted(path.name for path in root.iterdir()) == ["inside", "outside"]
    assert [path.name for path in (root / "inside").iterdir()] == ["deeper"]
    remove_tree(root)


def picture(folder):
    """Names, kinds, links, owners and contents of everything below."""
    found = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        content = path.read_text() if path.is_file() else ""
        found[str(path)] = (status.st_mode, status.st_nlink, status.st_uid, os.listxattr(path), content)
    return found
