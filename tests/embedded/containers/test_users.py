"""Names to numbers, from layers."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from stackwright.embedded.containers.layered import read_text
from stackwright.embedded.containers.spec import Rootfs
from stackwright.embedded.containers.users import UserNotFound, resolve_user


@pytest.fixture
def root(tmp_path: Path) -> Rootfs:
    for name in ("upper", "top", "bottom"):
        (tmp_path / name / "etc").mkdir(parents=True)
    (tmp_path / "bottom/etc/passwd").write_text(
        "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1001::/home/app:/bin/sh\n# note\nbroken\n"
    )
    (tmp_path / "bottom/etc/group").write_text(
        "root:x:0:\napp:x:1001:\nlogs:x:2000:app,other\nmore:x:3000:app\n"
    )
    layers = (str(tmp_path / "top"), str(tmp_path / "bottom"))
    return Rootfs(lower=layers, upper=str(tmp_path / "upper"), work="", merged="")


@pytest.mark.parametrize(
    ("user", "expected"),
    [
        ("", (0, 0, (0,), "/root")),
        ("root", (0, 0, (0,), "/root")),
        ("app", (1000, 1001, (1001, 2000, 3000), "/home/app")),
        ("1000", (1000, 1001, (1001, 2000, 3000), "/home/app")),
        ("app:logs", (1000, 2000, (2000,), "/home/app")),
        ("app:7", (1000, 7, (7,), "/home/app")),
        ("4242", (4242, 0, (0,), "/")),
        ("4242:4343", (4242, 4343, (4343,), "/")),
        (":logs", (0, 2000, (2000,), "/root")),
    ],
)
def test_identity(root: Rootfs, user: str, expected: tuple[int, int, tuple[int, ...], str]) -> None:
    found = resolve_user(root, user)
    assert (found.uid, found.gid, found.groups, found.home) == expected


@pytest.mark.parametrize(
    ("user", "text"),
    [
        ("nobody", "unable to find user nobody: no matching entries in passwd file"),
        ("app:nogroup", "unable to find group nogroup: no matching entries in group file"),
        ("99999999999", "uids and gids must be in range 0-2147483647"),
    ],
)
def test_unknown_names_fail_with_dockers_words(root: Rootfs, user: str, text: str) -> None:
    with pytest.raises(UserNotFound) as caught:
        resolve_user(root, user)
    assert caught.value.args[0] == text


def test_additional_groups_are_added(root: Rootfs) -> None:
    assert resolve_user(root, "app", additional_groups=("more", "5000")).groups == (
        1001,
        2000,
        3000,
        5000,
    )


def test_upper_layer_wins(root: Rootfs) -> None:
    Path(root.upper, "etc/passwd").write_text("app:x:7:8::/:/bin/sh\n")
    assert resolve_user(root, "app").uid == 7


@pytest.mark.root
def test_whiteout_hides_the_file_below(root: Rootfs) -> None:
    os.mknod(Path(root.lower[0], "etc/passwd"), 0o600 | 0o020000, 0)
    with pytest.raises(UserNotFound):
        resolve_user(root, "app")


@pytest.mark.root
def test_opaque_directory_hides_what_is_below(root: Rootfs) -> None:
    os.setxattr(Path(root.lower[0], "etc"), "trusted.overlay.opaque", b"y")
    assert read_text(root, "etc/passwd") == ""


def test_links_are_followed_inside_the_root_only(root: Rootfs, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("app:x:666:666::/:/bin/sh\n")
    top = Path(root.lower[0], "etc/passwd")
    top.symlink_to(tmp_path / "secret")
    assert read_text(root, "etc/passwd") == ""
    top.unlink()
    top.symlink_to("../../../../../etc/passwd-real")
    Path(root.upper, "etc/passwd-real").write_text("app:x:9:9::/:/bin/sh\n")
    assert resolve_user(root, "app").uid == 9


def test_loop_of_links_and_pipes_do_not_hang(root: Rootfs) -> None:
    top = Path(root.lower[0], "etc/passwd")
    top.symlink_to("passwd")
    assert read_text(root, "etc/passwd") == ""
    top.unlink()
    os.mkfifo(top)
    assert read_text(root, "etc/passwd") == ""
