"""What the engine made in a container, and that looking for it and leaving it out stays inside the container."""

from __future__ import annotations

from pathlib import Path

from stackwright.embedded.images.layers import copy_tree
from stackwright.embedded.lifecycle.changed import by_the_container, by_the_engine


def tree(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def test_only_what_the_image_lacks_was_made_by_the_engine(tmp_path: Path) -> None:
    layer = tree(tmp_path / "layer", "etc/hosts")
    upper = tree(tmp_path / "upper", "etc/hosts", "etc/hostname", ".dockerenv", "kept")
    assert by_the_engine([upper], [layer]) == ["/etc/hostname", "/.dockerenv"]
    assert [row["Path"] for row in by_the_container([upper], [layer])] == ["/etc", "/etc/hosts", "/kept"]


def test_a_link_out_of_the_container_is_not_followed(tmp_path: Path) -> None:
    host = tree(tmp_path / "host", "hosts")
    upper = tree(tmp_path / "upper", "kept")
    (upper / "etc").symlink_to(host)
    assert by_the_engine([upper], []) == []
    copy_tree(upper, tmp_path / "copy", ["/etc/hosts"])
    assert (host / "hosts").exists()
    assert (tmp_path / "copy/etc").readlink() == host


def test_a_folder_that_holds_something_is_copied_all_the_same(tmp_path: Path) -> None:
    upper = tree(tmp_path / "upper", "dev/mine", "etc/hosts")
    (upper / "proc").mkdir()
    copy_tree(upper, tmp_path / "copy", ["/dev", "/proc", "/etc/hosts"])
    assert sorted(str(path.relative_to(tmp_path / "copy")) for path in (tmp_path / "copy").rglob("*")) == [
        "dev", "dev/mine", "etc",
    ]  # fmt: skip
