"""Kernel calls: what they do, and what their errors say."""

from __future__ import annotations

import errno
import os
import signal
import time
from pathlib import Path

import pytest

from stackwright.embedded.kernel import capabilities, inotify, mount, namespaces, process, seccomp, terminal
from stackwright.embedded.kernel.call import KernelError

root = pytest.mark.root


def test_error_says_what_was_attempted_on_what() -> None:
    with pytest.raises(KernelError) as caught:
        mount.umount("/no/such/place")
    assert caught.value.errno in (errno.ENOENT, errno.EPERM)
    assert str(caught.value).startswith("unmount /no/such/place: ")


@pytest.mark.parametrize(
    ("options", "flags", "data"),
    [
        ((), 0, ""),
        (("size=64m", "mode=1777"), 0, "size=64m,mode=1777"),
        (("ro", "noexec", "size=1m"), mount.MS_RDONLY | mount.MS_NOEXEC, "size=1m"),
        (("noexec", "exec"), 0, ""),
    ],
)
def test_mount_options_are_flags_or_data(options: tuple[str, ...], flags: int, data: str) -> None:
    assert mount.parse_options(options) == (flags, data)


def test_option_takes_a_default_flag_away() -> None:
    assert mount.parse_options(("exec",), mount.MS_NOEXEC | mount.MS_NODEV) == (mount.MS_NODEV, "")


def test_capability_names_and_bits() -> None:
    assert capabilities.mask(("CAP_CHOWN", "CAP_CHECKPOINT_RESTORE")) == 1 | 1 << 40
    with pytest.raises(ValueError, match="unknown capability CAP_X"):
        capabilities.mask(("CAP_X",))
    assert capabilities.last() >= 37


def test_process_is_known_by_its_start() -> None:
    pid = os.posix_spawn("/bin/sleep", ["sleep", "100"], {})
    try:
        ticks = process.start_ticks(pid)
        assert not process.kill_exactly(pid, ticks + 1)
        assert process.kill_exactly(pid, ticks)
    finally:
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL
    assert not process.kill_exactly(pid, ticks)
    with pytest.raises(ProcessLookupError):
        process.start_ticks(pid)


def test_changes_of_a_directory_are_told(tmp_path: Path) -> None:
    fd = inotify.init()
    try:
        watch = inotify.add_watch(fd, str(tmp_path), inotify.IN_CREATE)
        assert inotify.read(fd) == []
        (tmp_path / "a-name-of-some-length").touch()
        (tmp_path / "b").touch()
        time.sleep(0.01)
        assert [number for number, _ in inotify.read(fd)] == [watch, watch]
        inotify.remove_watch(fd, watch)
        with pytest.raises(KernelError):
            inotify.add_watch(fd, str(tmp_path / "missing"), inotify.IN_CREATE)
    finally:
        os.close(fd)


def test_terminal_has_a_master_a_number_and_a_size() -> None:
    master, number = terminal.open_pty("/dev/ptmx")
    slave = os.open(f"/dev/pts/{number}", os.O_RDWR | os.O_NOCTTY)
    try:
        terminal.resize(master, 33, 99)
        assert os.get_terminal_size(slave) == (99, 33)
    finally:
        os.close(slave)
        os.close(master)


@root
def test_new_namespace_has_its_own_name() -> None:
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            namespaces.unshare(namespaces.CLONE_NEWUTS)
            namespaces.sethostname("box")
            code = 0 if os.uname().nodename == "box" else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert os.uname().nodename != "box"


@root
def test_detached_tree_can_be_read_only_while_its_source_is_not(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    target.mkdir()
    tree = mount.open_tree(str(source))
    try:
        mount.make_readonly(tree)
        mount.move_mount(tree, str(target))
    finally:
        os.close(tree)
    try:
        (source / "written").touch()
        assert (target / "written").exists()
        with pytest.raises(OSError, match="Read-only"):
            (target / "refused").touch()
    finally:
        mount.umount(str(target))


@root
def test_overlay_with_awkward_names_is_mounted(tmp_path: Path) -> None:
    names = ("lower:one", "lower,two", "up\\per", "work", "merged")
    for name in names:
        (tmp_path / name).mkdir()
    (tmp_path / "lower:one/a").touch()
    (tmp_path / "lower,two/b").touch()
    lower_one, lower_two, upper, work, merged = (str(tmp_path / name) for name in names)
    mount.overlay((lower_one, lower_two), upper, work, merged)
    try:
        assert sorted(entry.name for entry in Path(merged).iterdir()) == ["a", "b"]
    finally:
        mount.umount(merged)


def test_filter_refuses_jumps_it_cannot_make() -> None:
    code = seccomp.Filter()
    code.jump("==", 1, "far")
    for _ in range(300):
        code.load(seccomp.NUMBER)
    code.label("far")
    code.give(seccomp.ALLOW)
    with pytest.raises(ValueError, match="out of range"):
        code.assemble()
