"""What the process sees as its files."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.embedded.containers.conftest import USR, Host, output_of

from stackwright.embedded.containers.runtime import StartError
from stackwright.embedded.containers.spec import Device, Mount

pytestmark = pytest.mark.root


async def test_writes_land_in_the_upper_layer_only(host: Host) -> None:
    running = await host.start("echo changed > /etc/issue; rm /etc/passwd; cat /etc/issue; ls /etc/passwd")
    await running.wait()
    assert "changed" in await output_of(running)
    upper = Path(running.spec.rootfs.upper)
    assert (upper / "etc/issue").read_text() == "changed\n"
    assert (host.lower / "etc/issue").read_text() == "Welcome\n"
    assert (host.lower / "etc/passwd").exists()


async def test_read_only_root_refuses_writes_but_not_to_volumes(host: Host, tmp_path: Path) -> None:
    data = tmp_path / "volume"
    data.mkdir()
    mounts = (Mount(kind="volume", source=str(data), target="/data"), Mount(kind="tmpfs", target="/tmp"))
    _, output = await host.run(
        "touch /x; touch /data/y && touch /tmp/z && echo fine", readonly=True, mounts=mounts
    )
    assert "Read-only file system" in output and "fine" in output
    assert (data / "y").exists()


async def test_tmpfs_has_its_size_and_mode(host: Host) -> None:
    mount = Mount(kind="tmpfs", target="/scratch", options=("size=1m", "mode=0700", "exec"))
    _, output = await host.run(
        "stat -c %a /scratch; df -k /scratch | tail -1; grep ' /scratch ' /proc/mounts", mounts=(mount,)
    )
    assert output.startswith("700\n")
    assert " 1024 " in output
    options = output.splitlines()[-1].split()[3].split(",")
    assert {"nosuid", "nodev"} < set(options) and "noexec" not in options


async def test_shm_has_its_size(host: Host) -> None:
    _, output = await host.run("df -k /dev/shm | tail -1", shm_size=8 * 1024 * 1024)
    assert " 8192 " in output


async def test_bind_of_a_directory_and_of_a_file(host: Host, tmp_path: Path) -> None:
    (tmp_path / "dir").mkdir()
    (tmp_path / "dir/inner").write_text("inner\n")
    (tmp_path / "file").write_text("file\n")
    mounts = (
        Mount(kind="bind", source=str(tmp_path / "dir"), target="/new/place"),
        Mount(kind="bind", source=str(tmp_path / "file"), target="/etc/new.conf", readonly=True),
    )
    _, output = await host.run("cat /new/place/inner /etc/new.conf; echo x > /etc/new.conf", mounts=mounts)
    assert output.startswith("inner\nfile\n") and "Read-only" in output


async def test_read_only_bind_is_read_only_below_too(host: Host, tmp_path: Path) -> None:
    outer = Mount(kind="bind", source="/sys", target="/hostsys", readonly=True)
    _, output = await host.run(
        "touch /hostsys/fs/cgroup/x 2>&1; grep ' /hostsys/fs/cgroup ' /proc/mounts", mounts=(outer,)
    )
    assert "Read-only file system" in output
    assert all("ro," in line for line in output.splitlines() if line.startswith("tmpfs"))


async def test_missing_bind_source_fails_naming_it(host: Host) -> None:
    with pytest.raises(StartError, match="/no/such/dir"):
        await host.start("true", mounts=(Mount(kind="bind", source="/no/such/dir", target="/x"),))


async def test_target_through_a_link_stays_inside_the_root(host: Host, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s\n")
    mount = Mount(kind="bind", source=str(tmp_path / "secret"), target="/out/planted-by-stackwright")
    _, output = await host.run("cat /tmp/planted-by-stackwright", mounts=(mount,))
    assert output == "s\n"
    assert not Path("/tmp/planted-by-stackwright").exists()


async def test_nested_mounts_are_made_parents_first(host: Host, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    mounts = (
        Mount(kind="tmpfs", target="/data/inner"),
        Mount(kind="bind", source=str(tmp_path / "a"), target="/data"),
    )
    _, output = await host.run(
        "grep -c ' /data' /proc/mounts; touch /data/inner/x && ls /data/inner", mounts=mounts
    )
    assert output.split() == ["2", "x"]


async def test_default_mounts_and_devices_are_there(host: Host) -> None:
    _, output = await host.run(
        "for p in /proc /dev /dev/pts /dev/shm /dev/mqueue /sys; do mountpoint -q $p || echo no $p; done;"
        "echo x > /dev/null; head -c 1 /dev/zero | wc -c; head -c 4 /dev/urandom | wc -c;"
        "ls -l /dev/stdout /dev/fd /dev/ptmx | wc -l; test -c /dev/full && test -c /dev/tty && echo nodes"
    )
    assert output.split() == ["1", "4", "3", "nodes"]


async def test_masked_and_read_only_paths(host: Host) -> None:
    _, output = await host.run(
        "cat /proc/interrupts | wc -c; ls /sys/firmware | wc -l; echo 1 > /proc/sys/kernel/msgmax; mkdir /sys/x"
    )
    assert output.startswith("0\n0\n")
    assert output.count("Read-only file system") == 2


async def test_nothing_of_the_host_is_mounted(host: Host) -> None:
    _, output = await host.run("cat /proc/self/mountinfo")
    roots = [line.split()[4] for line in output.splitlines()]
    assert roots.count("/") == 1
    assert str(host.root) not in " ".join(roots)


async def test_device_nodes_may_be_made_but_disks_not_opened(host: Host) -> None:
    status, output = await host.run("mknod /tmp/disk b 254 0 && head -c 1 /tmp/disk", cwd="/")
    assert status.code != 0
    assert "Operation not permitted" in output


async def test_asked_for_device_is_usable_under_its_new_name(host: Host) -> None:
    device = Device(source="/dev/kmsg", target="/dev/log-of-kernel", permissions="r")
    _, output = await host.run("test -c /dev/log-of-kernel && echo there; ls /dev/kmsg", devices=(device,))
    assert output.startswith("there\n") and "No such file" in output


async def test_missing_device_fails_naming_it(host: Host) -> None:
    with pytest.raises(StartError, match='custom device "/dev/nonsense"'):
        await host.start("true", devices=(Device(source="/dev/nonsense", target="/dev/x"),))


async def test_running_root_can_be_read_from_outside(host: Host) -> None:
    running = await host.start("echo inside > /note; sleep 100")
    code, _ = await host.exec(running, "until test -s /note; do sleep 0.01; done")
    assert code == 0
    assert (running.root / "note").read_text() == "inside\n"


async def test_cgroup_files_show_the_containers_own(host: Host) -> None:
    from stackwright.embedded.containers.spec import Resources

    _, output = await host.run(
        "cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null; touch /sys/fs/cgroup/x",
        resources=Resources(memory=64 * 1024 * 1024),
    )
    assert output.startswith(str(64 * 1024 * 1024))
    assert "Read-only" in output


async def test_usr_is_the_hosts(host: Host) -> None:
    assert USR in host.spec("true").mounts
