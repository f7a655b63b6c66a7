"""What confines a container, tried from inside it: docs/security.md names these tests."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.embedded.engine_process import EngineClient, ours_only, root_only
from tests.peers import IMAGE

from stackwright.embedded.containers.syscall_numbers import X86_64, numbers

pytestmark = [pytest.mark.root, pytest.mark.as_user, pytest.mark.usefixtures("docker_cli")]


@pytest.fixture(autouse=True)
def no_containers_left(engine: EngineClient) -> Iterator[None]:
    yield
    for container in engine.request("GET", "/containers/json?all=1")[1]:
        engine.request("DELETE", f"/containers/{container['Id']}?force=1&v=1")


def sh(engine: EngineClient, script: str, *options: str) -> str:
    """What a script in a container prints, errors included; it may fail."""
    done = engine.docker("run", "--rm", *options, IMAGE, "sh", "-c", f"exec 2>&1; {script}", check=False)
    return done.stdout + done.stderr


def profile(folder: Path, document: dict[str, Any]) -> tuple[str, str]:
    """The options that apply a seccomp profile."""
    file = folder / "profile.json"
    file.write_text(json.dumps(document))
    return "--security-opt", f"seccomp={file}"


def test_system_calls_are_filtered_by_default_and_not_when_unconfined(engine: EngineClient) -> None:
    assert sh(engine, "grep Seccomp: /proc/self/status").split() == ["Seccomp:", "2"]
    assert "not permitted" in sh(engine, "unshare -n true")
    unconfined = ("--security-opt", "seccomp=unconfined")
    assert sh(engine, "grep Seccomp: /proc/self/status", *unconfined).split() == ["Seccomp:", "0"]


def test_a_profile_denies_what_it_says_with_the_error_it_says(engine: EngineClient, tmp_path: Path) -> None:
    names = ["mkdir", "mkdirat"]
    denies = {
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{"names": names, "action": "SCMP_ACT_ERRNO", "errnoRet": 13}],
    }
    options = profile(tmp_path, denies)
    assert "Permission denied" in sh(engine, "mkdir /tmp/x", *options)
    assert sh(engine, "touch /tmp/x; ls /tmp", *options) == "x\n"
    engine.docker("run", "-d", "--name", "kept", *options, IMAGE, "sleep", "100")
    told = engine.docker("exec", "kept", "mkdir", "/tmp/x", check=False)
    assert "Permission denied" in told.stderr, "a program started by exec is filtered as well"


def test_a_profile_may_look_at_arguments(engine: EngineClient, tmp_path: Path) -> None:
    """socket(2) of the internet family is denied, of others not."""
    af_inet = {"index": 0, "value": 2, "op": "SCMP_CMP_EQ"}
    document = {
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{"names": ["socket"], "action": "SCMP_ACT_ERRNO", "args": [af_inet]}],
    }
    options = profile(tmp_path, document)
    assert "not permitted" in sh(engine, "wget -qO- http://127.0.0.1:1/", *options)
    assert "refused" in sh(engine, "wget -qO- http://127.0.0.1:1/")
    assert "lo" in sh(engine, "ip link", *options)


def test_a_profile_that_allows_a_list_denies_the_rest(engine: EngineClient, tmp_path: Path) -> None:
    allowed = sorted(set(numbers(X86_64)) - {"chmod", "fchmodat", "fchmodat2", "fchmod"})
    document = {
        "defaultAction": "SCMP_ACT_ERRNO",
        "archMap": [{"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"]}],
        "syscalls": [
            {"names": allowed, "action": "SCMP_ACT_ALLOW"},
            {"names": ["chmod"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_BOOT"]}},
        ],
    }
    options = profile(tmp_path, document)
    script = "touch /tmp/x; chmod 600 /tmp/x || echo denied"
    assert "denied" in sh(engine, script, *options)


@ours_only("Docker reads the profile when the container starts")
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "Decoding seccomp profile failed"),
        ("{}", "missing required field `defaultAction`"),
        (
            '{"defaultAction": "SCMP_ACT_PERHAPS"}',
            "invalid action in the seccomp profile: 'SCMP_ACT_PERHAPS'",
        ),
        ('{"defaultAction": "SCMP_ACT_NOTIFY"}', "invalid action in the seccomp profile: 'SCMP_ACT_NOTIFY'"),
        (
            '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["a"], "action": "SCMP_ACT_LOG",'
            ' "args": [{"index": 9, "op": "SCMP_CMP_EQ"}]}]}',
            "invalid argument index in the seccomp profile: 9",
        ),
    ],
)
def test_a_profile_that_makes_no_sense_is_refused(engine: EngineClient, text: str, message: str) -> None:
    body = {"Image": IMAGE, "HostConfig": {"SecurityOpt": [f"seccomp={text}"]}}
    status, shown = engine.request("POST", "/containers/create", body)
    assert status == 400
    assert message in shown["message"]


def test_no_new_privileges_is_set_when_asked_for(engine: EngineClient) -> None:
    show = "grep NoNewPrivs /proc/self/status"
    assert sh(engine, show).split()[1] == "0"
    assert sh(engine, show, "--security-opt", "no-new-privileges").split()[1] == "1"


@ours_only("where the host has no AppArmor, Docker 20.10 fails the start")
def test_an_apparmor_profile_is_refused_and_unconfined_is_not(engine: EngineClient) -> None:
    refused = sh(engine, "true", "--security-opt", "apparmor=mine")
    assert "this engine loads no AppArmor profiles" in refused
    assert sh(engine, "echo fine", "--security-opt", "apparmor=unconfined") == "fine\n"


def test_capabilities_are_dockers_fourteen(engine: EngineClient) -> None:
    effective = int(sh(engine, "grep CapEff /proc/self/status").split()[1], 16)
    assert effective == 0xA80425FB
    assert int(sh(engine, "grep CapEff /proc/self/status", "--user", "1000").split()[1], 16) == 0


def test_a_container_may_neither_mount_nor_trace_the_host_nor_set_its_clock(engine: EngineClient) -> None:
    assert "denied" in sh(engine, "mount -t tmpfs none /tmp || echo denied")
    assert "denied" in sh(engine, "umount /proc || echo denied")
    assert "2001" not in sh(engine, "date -s 2001-01-01 >/dev/null 2>&1 && date || echo denied")
    assert "denied" in sh(engine, "reboot -f || echo denied")


def test_kernel_files_are_masked_and_read_only(engine: EngineClient) -> None:
    for path in ("/proc/kcore", "/proc/keys", "/proc/timer_list"):
        assert sh(engine, f"test ! -e {path} || wc -c < {path}").strip() in ("0", ""), path
    assert sh(engine, "ls /proc/acpi /sys/firmware 2>/dev/null | grep -v : | wc -w").strip() == "0"
    for path in ("/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger", "/sys/kernel/profiling"):
        script = f"test ! -e {path} || (echo x > {path}) 2>/dev/null || echo denied"
        assert sh(engine, script) in ("denied\n", ""), path
    assert sh(engine, "mkdir /sys/fs/cgroup/x /sys/fs/cgroup/*/x 2>/dev/null || echo denied") == "denied\n"


@ours_only("Docker gives no less than everything, and fails where the host itself has less")
def test_privileged_lifts_all_of_it_as_far_as_the_user_may(engine: EngineClient) -> None:
    seen = sh(
        engine,
        "grep Seccomp: /proc/self/status; mkdir /mnt; mount -t tmpfs none /mnt && echo mounted",
        "--privileged",
    )
    assert seen.split() == ["Seccomp:", "0", "mounted"]
    assert int(sh(engine, "grep CapEff /proc/self/status", "--privileged").split()[1], 16) > 0xA80425FB


@root_only("in a user namespace nobody makes device nodes")
def test_devices_are_those_given_and_no_others(engine: EngineClient) -> None:
    """/dev/kmsg (1, 11) may be made, but is opened only by who was given it."""
    script = "mknod /tmp/kmsg c 1 11 && dd if=/tmp/kmsg of=/dev/null bs=8k count=1 2>&1 || echo denied"
    assert "denied" in sh(engine, script)
    given = sh(engine, script, "--device-cgroup-rule", "c 1:11 rwm", "--cap-add", "SYSLOG")
    assert "denied" not in given and "records in" in given
    assert "denied" in sh(engine, script, "--device-cgroup-rule", "c 1:11 m", "--cap-add", "SYSLOG")
    assert sh(engine, "head -c3 /dev/mine | wc -c", "--device", "/dev/zero:/dev/mine").strip() == "3"


def test_a_device_rule_that_makes_no_sense_is_refused(engine: EngineClient) -> None:
    body = {"Image": IMAGE, "Cmd": ["true"], "HostConfig": {"DeviceCgroupRules": ["c 1:11"]}}
    made = engine.request("POST", "/containers/create", body)
    if made[0] == 201:  # Docker says it at the start
        made = engine.request("POST", f"/containers/{made[1]['Id']}/start")
    assert made[0] in (400, 500)
    assert "invalid device cgroup rule format: 'c 1:11'" in made[1]["message"]


def test_settings_of_the_kernel_are_the_containers_own_or_refused(engine: EngineClient) -> None:
    show = "cat /proc/sys/kernel/shm_rmid_forced /proc/sys/net/ipv4/ip_default_ttl"
    options = ("--sysctl", "kernel.shm_rmid_forced=1", "--sysctl", "net.ipv4.ip_default_ttl=33")
    assert sh(engine, show, *options) == "1\n33\n"
    before = Path("/proc/sys/kernel/core_pattern").read_text()
    for name in ("kernel.core_pattern", "net/../kernel/core_pattern", "net...kernel.core_pattern"):
        body = {"Image": IMAGE, "Cmd": ["true"], "HostConfig": {"Sysctls": {name: "x"}}}
        status, shown = engine.request("POST", "/containers/create", body)
        if status == 201:  # Docker says it at the start
            status, shown = engine.request("POST", f"/containers/{shown['Id']}/start")
        assert status in (400, 500) and ("sysctl" in shown["message"] or "/proc/sys" in shown["message"]), (
            name
        )
    assert Path("/proc/sys/kernel/core_pattern").read_text() == before


def test_a_read_only_root_takes_no_writes(engine: EngineClient) -> None:
    assert "Read-only file system" in sh(engine, "touch /file", "--read-only")


def test_processes_of_host_and_of_other_containers_are_out_of_sight(engine: EngineClient) -> None:
    engine.docker("run", "-d", "--name", "other", IMAGE, "sleep", "1234")
    seen = sh(engine, "ps; echo $$")
    assert "1234" not in seen and seen.rstrip().endswith("\n1")


def test_out_of_memory_is_reported_and_told(engine: EngineClient) -> None:
    since = time.time() - 1
    # Docker loses the news of an end that comes at the same moment.
    script = "tail /dev/zero; code=$?; sleep 0.5; exit $code"
    engine.docker("run", "--name", "greedy", "-m", "16m", IMAGE, "sh", "-c", script, check=False)
    state = json.loads(engine.docker("inspect", "greedy").stdout)[0]["State"]
    assert (state["OOMKilled"], state["ExitCode"]) == (True, 137)
    filters = json.dumps({"event": ["oom"]}).replace(" ", "")
    data = engine.exchange("GET", f"/events?since={since:.0f}&until={time.time() + 1:.0f}&filters={filters}")[
        2
    ]
    assert {json.loads(line)["Actor"]["Attributes"]["name"] for line in data.splitlines()} == {"greedy"}
