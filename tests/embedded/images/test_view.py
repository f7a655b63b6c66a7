"""Reading stacked layers without mounting them: the kernel's overlayfs is the judge."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stackwright.embedded.images.view import LayerView, Node

pytestmark = pytest.mark.root

NAMES = st.sampled_from("abc")
ENTRIES = st.tuples(
    st.lists(NAMES, min_size=1, max_size=3), st.sampled_from(["file", "dir", "opaque", "whiteout", "link"])
)
LAYERS = st.lists(st.lists(ENTRIES, max_size=8), min_size=2, max_size=4)


def make(root: Path, entries: list[tuple[list[str], str]], mark: str) -> None:
    for parts, kind in entries:
        path = root.joinpath(*parts)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        if os.path.lexists(path):
            continue
        match kind:
            case "file":
                path.write_text(mark)
            case "link":
                path.symlink_to(mark)
            case "whiteout":
                os.mknod(path, stat.S_IFCHR, 0)
            case _:
                path.mkdir()
                if kind == "opaque":
                    os.setxattr(path, "trusted.overlay.opaque", b"y")


def seen_by_kernel(root: Path) -> dict[str, str]:
    found = {}
    for folder, folders, files in os.walk(root):
        for name in (*folders, *files):
            path = Path(folder, name)
            if not os.path.lexists(path):
                continue  # a whiteout of nothing: overlayfs lists it, but it is not there
            shown = "link " + str(path.readlink()) if path.is_symlink() else "dir"
            found[str(path.relative_to(root))] = path.read_text() if path.is_file() else shown
    return found


def seen_by_view(view: LayerView, node: Node, prefix: str = "") -> dict[str, str]:
    found: dict[str, str] = {}
    for child in view.children(node):
        name = prefix + child.path.rpartition("/")[2]
        if child.is_dir:
            found[name] = "dir"
            found |= seen_by_view(view, child, f"{name}/")
        elif child.is_link:
            found[name] = "link " + str(Path(child.host).readlink())
        else:
            found[name] = Path(child.host).read_text()
    return found


@given(layers=LAYERS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_view_shows_what_the_kernel_shows(tmp_path_factory, layers):
    root = tmp_path_factory.mktemp("view")
    folders = []
    for number, entries in enumerate(layers):
        folder = root / str(number)
        folder.mkdir()
        make(folder, entries, f"layer {number}")
        folders.append(folder)
    merged = root / "merged"
    merged.mkdir()
    lower = ":".join(map(str, folders))
    subprocess.run(["mount", "-t", "overlay", "o", "-o", f"lowerdir={lower}", merged], check=True)
    try:
        expected = seen_by_kernel(merged)
    finally:
        subprocess.run(["umount", merged], check=True)
    view = LayerView(folders)
    assert seen_by_view(view, view.root()) == expected


@pytest.fixture
def view(tmp_path):
    top, bottom = tmp_path / "top", tmp_path / "bottom"
    (bottom / "usr/lib/deep").mkdir(parents=True)
    (bottom / "usr/lib/f").write_text("f")
    (bottom / "lib").symlink_to("usr/lib")
    (bottom / "abs").symlink_to("/usr/lib")
    (bottom / "loop").symlink_to("loop")
    (bottom / "out").symlink_to("../../../../etc")
    (bottom / "dangling").symlink_to("/nowhere/x")
    top.mkdir()
    (top / "usr").mkdir()
    return LayerView([top, bottom])


@pytest.mark.parametrize(
    ("path", "real"),
    [
        ("/lib/f", "/usr/lib/f"),
        ("abs/f", "/usr/lib/f"),
        ("/lib/deep/../f", "/usr/lib/f"),
        ("/lib/..", "/usr"),
        ("/../../usr", "/usr"),
        ("/", "/"),
        ("/usr/./lib//f", "/usr/lib/f"),
    ],
)
def test_links_are_resolved_as_a_process_inside_would(view, path, real):
    assert view.lookup(path).path == real


@pytest.mark.parametrize("path", ["/out", "/dangling", "/lib/f/x", "/none", "/lib/none/../f"])
def test_what_is_not_inside_is_not_there(view, path):
    assert view.lookup(path) is None


def test_missing_names_are_told_below_where_links_lead(view):
    node, missing = view.walk("/lib/new/deep")
    assert (node.path, missing) == ("/usr/lib", ["new", "deep"])
    node, missing = view.walk("/dangling/y")
    assert (node.path, missing) == ("/", ["nowhere", "x", "y"])


def test_loops_of_links_are_an_error(view):
    with pytest.raises(OSError, match="Too many levels"):
        view.lookup("/loop")
