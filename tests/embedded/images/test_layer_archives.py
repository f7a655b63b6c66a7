"""Folders to archives and back: the same folder always gives the same bytes, and nothing is lost on the way."""

from __future__ import annotations

import io
import os
import stat
import tarfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stackwright.embedded.images.archive.reader import TarReader
from stackwright.embedded.images.archive.unpack import UnpackPolicy, unpack
from stackwright.embedded.images.archive.writer import digest_layer, measure_layer, write_layer

pytestmark = pytest.mark.root

NAMES = st.sampled_from(
    ["a", "b", "é", "x" * 120, "with space", ".hidden", "new\nline", os.fsdecode(b"\xff\xfe")]
)
KINDS = st.sampled_from(["file", "dir", "link", "hardlink", "whiteout", "fifo", "opaque", "setuid", "xattr"])
TREES = st.lists(
    st.tuples(st.lists(NAMES, min_size=1, max_size=4), KINDS, st.binary(max_size=1200)), max_size=14
)


def make(root: Path, tree: list[tuple[list[str], str, bytes]]) -> None:
    """Make what can be made of a random tree."""
    files: list[Path] = []
    for parts, kind, content in tree:
        path = root.joinpath(*parts)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        if os.path.lexists(path):
            continue
        match kind:
            case "dir" | "opaque":
                path.mkdir(mode=0o750)
                if kind == "opaque":
                    os.setxattr(path, "trusted.overlay.opaque", b"y")
            case "link":
                path.symlink_to(os.fsdecode(content.replace(b"\0", b"")[:200] or b"x"))
            case "hardlink" if files:
                path.hardlink_to(files[-1])
            case "whiteout":
                os.mknod(path, stat.S_IFCHR, 0)
            case "fifo":
                os.mkfifo(path)
            case _:
                path.write_bytes(content)
                files.append(path)
                os.chown(path, len(content), 3_000_000 if kind == "xattr" else 5)
                path.chmod(0o4711 if kind == "setuid" else 0o604)
                if kind == "xattr":
                    os.setxattr(path, "user.note", content[:50])
        if not path.is_symlink():
            os.utime(path, ns=(1_700_000_000_123_456_789,) * 2)


def archived(folder: Path) -> bytes:
    out = io.BytesIO()
    write_layer(folder, out.write)
    return out.getvalue()


@given(tree=TREES)
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_an_archive_unpacks_to_the_folder_it_was_made_of(tmp_path_factory, tree):
    root = tmp_path_factory.mktemp("tree")
    first, second = root / "one", root / "two"
    first.mkdir()
    second.mkdir()
    make(first, tree)
    data = archived(first)
    assert archived(first) == data
    assert measure_layer(first) == len(data)
    unpack(TarReader(io.BytesIO(data)), second, UnpackPolicy(layer=True))
    assert archived(second) == data
    assert digest_layer(second) == digest_layer(first)


@given(tree=TREES)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_other_programs_read_our_archives(tmp_path_factory, tree):
    root = tmp_path_factory.mktemp("tree")
    make(root, tree)
    with tarfile.open(fileobj=io.BytesIO(archived(root))) as archive:
        for member in archive.getmembers():
            base = Path(member.name).name
            if base.startswith(".wh."):
                continue
            status = (root / member.name).lstat()
            assert member.uid == status.st_uid
            assert member.mode == stat.S_IMODE(status.st_mode)
            if member.isreg():
                content = archive.extractfile(member)
                assert content is not None
                assert content.read() == (root / member.name).read_bytes()


def test_our_reader_reads_what_other_programs_write(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    (source / ("n" * 150)).write_text("long")
    (source / "ünï").write_text("unicode")
    (source / "l").symlink_to("t" * 150)
    for name, form in (("gnu", tarfile.GNU_FORMAT), ("pax", tarfile.PAX_FORMAT)):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w", format=form) as archive:
            archive.add(source, ".")
        target = tmp_path / name
        target.mkdir()
        unpack(TarReader(io.BytesIO(buffer.getvalue())), target)
        assert archived(target) == archived(source)


def test_an_archive_may_end_without_padding(tmp_path):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        info = tarfile.TarInfo("f")
        info.size = 3
        archive.addfile(info, io.BytesIO(b"abc"))
    unpack(TarReader(io.BytesIO(buffer.getvalue()[: 512 + 3])), tmp_path)
    assert (tmp_path / "f").read_text() == "abc"
