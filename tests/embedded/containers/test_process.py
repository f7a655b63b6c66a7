"""Who the process is and what it may do."""

from __future__ import annotations

import resource
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.embedded.containers.conftest import Host, output_of

from stackwright.embedded.containers.runtime import StartError
from stackwright.embedded.containers.spec import DEFAULT_CAPABILITIES, Namespaces, Rlimit, User

pytestmark = pytest.mark.root
STATUS = "grep -E '^(Cap|NoNewPrivs)' /proc/self/status"


def status_of(output: str) -> dict[str, int]:
    return {line.split(":")[0]: int(line.split()[1], 16) for line in output.splitlines()}


async def test_user_has_ids_groups_and_no_capabilities(host: Host) -> None:
    user = User(uid=1000, gid=1000, groups=(2000, 3000), home="/home/app")
    _, output = await host.run(f"id -u; id -g; id -G; echo $HOME; {STATUS}", user=user)
    uid, gid, groups, home, *rest = output.splitlines()
    assert (uid, gid, groups, home) == ("1000", "1000", "1000 2000 3000", "/home/app")
    caps = status_of("\n".join(rest))
    assert caps["CapEff"] == caps["CapPrm"] == caps["CapAmb"] == 0
    assert caps["CapBnd"] == 0xA80425FB


async def test_the_hosts_null_device_keeps_its_owner(host: Host) -> None:
    before = Path("/dev/null").stat().st_uid
    await host.run("true", user=User(uid=1000, gid=1000))
    assert Path("/dev/null").stat().st_uid == before


async def test_root_has_dockers_default_capabilities(host: Host) -> None:
    caps = status_of((await host.run(STATUS))[1])
    assert caps["CapEff"] == caps["CapPrm"] == caps["CapBnd"] == 0xA80425FB
    assert caps["CapInh"] == caps["CapAmb"] == 0


async def test_capabilities_are_those_of_the_spec(host: Host) -> None:
    _, output = await host.run(STATUS, capabilities=("CAP_CHOWN", "CAP_SYS_TIME"))
    assert status_of(output)["CapEff"] == 1 << 0 | 1 << 25


async def test_no_capabilities_at_all(host: Host) -> None:
    _, output = await host.run(STATUS, capabilities=())
    assert status_of(output)["CapEff"] == status_of(output)["CapBnd"] == 0


async def test_privileged_has_what_the_engine_has(host: Host) -> None:
    caps = status_of((await host.run(STATUS, privileged=True))[1])
    assert caps["CapEff"] & 1 << 21


async def test_unknown_capability_is_refused(host: Host) -> None:
    with pytest.raises(StartError, match="unknown capability CAP_NONSENSE"):
        await host.start("true", capabilities=("CAP_NONSENSE",))


async def test_no_new_privileges(host: Host) -> None:
    assert status_of((await host.run(STATUS))[1])["NoNewPrivs"] == 0
    assert status_of((await host.run(STATUS, no_new_privileges=True))[1])["NoNewPrivs"] == 1


async def test_working_directory_is_made_when_missing(host: Host) -> None:
    assert (await host.run("pwd", cwd="/srv/app/deep"))[1] == "/srv/app/deep\n"


async def test_relative_command_is_found_from_the_working_directory(host: Host) -> None:
    status, output = await host.run("bin/echo", "hello", cwd="/usr")
    assert (status.code, output) == (0, "hello\n")


async def test_environment_is_as_given_with_dockers_additions(host: Host) -> None:
    _, output = await host.run("env", "--", env=("A=1", "B=x=y", "A=2", "EMPTY="), hostname="box")
    env = dict(line.split("=", 1) for line in output.splitlines())
    assert env == {
        "A": "2",
        "B": "x=y",
        "EMPTY": "",
        "HOME": "/",
        "HOSTNAME": "box",
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    }


async def test_command_is_looked_up_in_the_containers_path(host: Host) -> None:
    with pytest.raises(StartError, match=r"not found in \$PATH"):
        await host.start("echo", "x", env=("PATH=/nowhere",))


async def test_limits_are_set(host: Host) -> None:
    limits = (Rlimit(name="nofile", soft=100, hard=200), Rlimit(name="core", soft=0, hard=0))
    _, output = await host.run("ulimit -Sn; ulimit -Hn; ulimit -c", rlimits=limits)
    assert output.split() == ["100", "200", "0"]


async def test_hard_limit_above_ours_gives_what_we_have(host: Host) -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard == resource.RLIM_INFINITY:
        pytest.skip("no limit on open files here")
    _, output = await host.run("ulimit -Hn", rlimits=(Rlimit(name="nofile", soft=hard, hard=hard + 1000),))
    assert int(output) in (hard, hard + 1000)


async def test_unknown_limit_is_refused(host: Host) -> None:
    with pytest.raises(StartError, match="invalid ulimit type: bananas"):
        await host.start("true", rlimits=(Rlimit(name="bananas", soft=1, hard=1),))


@pytest.fixture
def ignoring() -> Iterator[None]:
    """As a job of a script, started with `&`, ignores them."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGQUIT, signal.SIGUSR1)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


async def test_signals_are_all_at_their_defaults(ignoring: None, host: Host) -> None:
    _, output = await host.run("cat", "/proc/self/status")
    values = dict(line.split(":", 1) for line in output.splitlines() if ":" in line)
    reserved = 0b11 << 31  # 32 and 33 belong to the C library's threads: whoever started us may ignore them
    assert int(values["SigIgn"], 16) & ~reserved == 0
    assert int(values["SigBlk"], 16) == 0


async def test_user_may_reopen_its_own_stdout(host: Host) -> None:
    user = User(uid=1000, gid=1000)
    status, output = await host.run("echo again > /dev/stdout && echo err > /dev/stderr", user=user)
    assert status.code == 0
    assert sorted(output.split()) == ["again", "err"]


async def test_out_of_memory_score_is_raised(host: Host) -> None:
    assert (await host.run("cat /proc/self/oom_score_adj", oom_score_adj=500))[1] == "500\n"


async def test_init_forwards_signals_and_reaps(host: Host) -> None:
    running = await host.start("sleep", "100", init=True)
    assert len(running.processes()) == 2
    await running.signal(15)
    assert (await running.wait()).code == 143


async def test_init_ends_with_the_code_of_its_child_and_reaps_orphans(host: Host) -> None:
    status, output = await host.run(
        "(sleep 0.1 & ) ; sleep 0.4; cat /proc/1/comm; ps -eo stat | grep -c Z; exit 9", init=True
    )
    assert status.code == 9
    assert output.split() == ["sw-init", "0"]


async def test_init_in_a_terminal_hands_the_foreground_on(host: Host) -> None:
    running = await host.start("cat", "-", init=True, tty=True, open_stdin=True)
    stream = await running.attach(stdin=True)
    await stream.write(b"\x04")
    assert (await running.wait()).code == 0


async def test_hostname_and_domain(host: Host) -> None:
    _, output = await host.run(
        "cat /proc/sys/kernel/hostname /proc/sys/kernel/domainname", hostname="box", domainname="example.org"
    )
    assert output.split() == ["box", "example.org"]


async def test_default_capabilities_are_fourteen() -> None:
    assert len(DEFAULT_CAPABILITIES) == 14


async def test_sysctls_are_written_in_the_containers_namespaces(host: Host) -> None:
    _, output = await host.run(
        "cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/msgmax",
        sysctls=(("net.ipv4.ip_forward", "1"), ("kernel.msgmax", "4096")),
    )
    assert output.split() == ["1", "4096"]


async def test_bad_sysctl_fails_naming_it(host: Host) -> None:
    with pytest.raises(StartError, match=r"write sysctl net\.no\.such=1: no such file"):
        await host.start("true", sysctls=(("net.no.such", "1"),))


async def test_host_namespaces_are_the_hosts(host: Host) -> None:
    shared = Namespaces(net="host", pid="host", ipc="host", uts="host")
    _, output = await host.run(
        "for n in net pid ipc uts; do readlink /proc/self/ns/$n; done", namespaces=shared
    )
    assert output.split() == [
        str(Path(f"/proc/self/ns/{n}").readlink()) for n in ("net", "pid", "ipc", "uts")
    ]


async def test_namespaces_of_another_container_are_joined(host: Host) -> None:
    first = await host.start("echo shared > /dev/shm/note; sleep 100")
    paths = {kind: f"/proc/{first.pid}/ns/{kind}" for kind in ("net", "pid", "ipc")}
    inodes = [str(Path(path).readlink()) for path in paths.values()]
    _, output = await host.run(
        "for n in net pid ipc; do readlink /proc/self/ns/$n; done; cat /dev/shm/note; ps -e | grep -c sleep",
        namespaces=Namespaces(**paths),
    )
    assert output.split() == [*inodes, "shared", "1"]


async def test_no_network_has_a_loopback_only(host: Host) -> None:
    _, output = await host.run(
        "tail -n +3 /proc/net/dev | cut -d: -f1; cat /sys/class/net/lo/flags",
        namespaces=Namespaces(net="none"),
    )
    assert output.split() == ["lo", "0x9"]


async def test_processes_left_in_a_shared_pid_namespace_are_ended(host: Host) -> None:
    running = await host.start("sleep 1000 & echo $!", namespaces=Namespaces(pid="host"))
    await running.wait()

    left = Path(f"/proc/{(await output_of(running)).strip()}/stat")
    assert not left.exists() or left.read_text().rpartition(")")[2].split()[0] == "Z"


async def test_working_directory_that_is_a_file_or_closed_to_the_user_fails(host: Host) -> None:
    with pytest.raises(StartError, match="Cannot mkdir: /etc/issue is not a directory"):
        await host.start("true", cwd="/etc/issue")
    running = await host.start("chmod 700 /root; sleep 100")
    _, output = await host.exec(running, "until test $(stat -c %a /root) = 700; do sleep 0.01; done")
    assert output == ""
    for cwd, user, code in (("/nosuch", User(), 127), ("/root", User(uid=1000, gid=1000), 126)):
        with pytest.raises(StartError, match=r'chdir to cwd \("/') as caught:
            await host.exec(running, "true", cwd=cwd, user=user)
        assert caught.value.code == code
