"""Custom seccomp profiles, compiled and run step by step as the kernel would."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackwright.embedded.containers.seccomp_profile import compile_profile, parse
from stackwright.embedded.containers.syscall_numbers import ARM64, I386, X86_64, numbers
from stackwright.embedded.errors import BadParameter
from stackwright.embedded.kernel import seccomp

ALLOW, EPERM, KILL = seccomp.ALLOW, seccomp.fail_with(1), seccomp.KILL_THREAD
WORDS = st.integers(0, (1 << 64) - 1)


def run(program: bytes, number: int, *args: int, arch: int = seccomp.ARCH_X86_64) -> int:
    """The verdict on one call: an interpreter of the few instructions that filters are made of."""
    data = struct.pack("<IIQ6Q", number, arch, 0, *args, *(0,) * (6 - len(args)))
    code = [struct.unpack_from("<HBBI", program, at) for at in range(0, len(program), 8)]
    at = accumulator = 0
    while True:
        operation, then, otherwise, value = code[at]
        at += 1
        match operation:
            case 0x20:
                (accumulator,) = struct.unpack_from("<I", data, value)
            case 0x54:
                accumulator &= value
            case 0x05:
                at += value
            case 0x06:
                return int(value)
            case 0x15 | 0x25 | 0x35:
                holds = {0x15: accumulator == value, 0x25: accumulator > value, 0x35: accumulator >= value}
                at += then if holds[operation] else otherwise
            case _:
                raise AssertionError(f"instruction {operation:#x}")


def verdict(document: dict[str, Any], name: str, *args: int, caps: frozenset[str] = frozenset()) -> int:
    program = compile_profile(parse(json.dumps(document)), caps, "x86_64")
    return run(program, numbers(X86_64)[name], *args)


def conditional(op: str, value: int, second: int = 0) -> dict[str, Any]:
    args = [{"index": 1, "op": f"SCMP_CMP_{op}", "value": value, "valueTwo": second}]
    rule = {"names": ["ioctl"], "action": "SCMP_ACT_ALLOW", "args": args}
    return {"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [rule]}


@given(WORDS, WORDS, WORDS)
def test_comparisons_are_those_of_whole_numbers(value: int, second: int, actual: int) -> None:
    for near in (actual, value, value + 1 & (1 << 64) - 1, value - 1 & (1 << 64) - 1):
        holds = {
            "EQ": near == value, "NE": near != value, "LT": near < value, "LE": near <= value,
            "GT": near > value, "GE": near >= value, "MASKED_EQ": near & value == second,
        }  # fmt: skip
        for op, expected in holds.items():
            assert verdict(conditional(op, value, second), "ioctl", 0, near) == (
                ALLOW if expected else EPERM
            ), op


def test_conditions_of_one_entry_add_up_and_those_on_one_argument_are_alternatives() -> None:
    def document(*args: tuple[int, int]) -> dict[str, Any]:
        rows = [{"index": index, "op": "SCMP_CMP_EQ", "value": value} for index, value in args]
        rule = {"names": ["socket"], "action": "SCMP_ACT_ALLOW", "args": rows}
        return {"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [rule]}

    both = document((0, 1), (1, 2))
    assert [verdict(both, "socket", *args) for args in ((1, 2), (1, 3), (3, 2))] == [ALLOW, EPERM, EPERM]
    either = document((0, 1), (0, 2))
    assert [verdict(either, "socket", one) for one in (1, 2, 3)] == [ALLOW, ALLOW, EPERM]


@pytest.mark.parametrize(
    ("circumstances", "caps", "applies"),
    [
        ({"includes": {"caps": ["CAP_SYS_ADMIN"]}}, frozenset(), False),
        ({"includes": {"caps": ["CAP_SYS_ADMIN"]}}, frozenset({"CAP_SYS_ADMIN"}), True),
        ({"excludes": {"caps": ["CAP_SYS_ADMIN"]}}, frozenset({"CAP_SYS_ADMIN"}), False),
        ({"includes": {"arches": ["amd64", "x32"]}}, frozenset(), True),
        ({"includes": {"arches": ["s390x"]}}, frozenset(), False),
        ({"excludes": {"arches": ["amd64"]}}, frozenset(), False),
        ({"includes": {"minKernel": "4.8"}}, frozenset(), True),
        ({"includes": {"minKernel": "99.1"}}, frozenset(), False),
    ],
)
def test_entries_hold_in_their_circumstances(
    circumstances: dict[str, Any], caps: frozenset[str], applies: bool
) -> None:
    rule = {"names": ["mount"], "action": "SCMP_ACT_ALLOW", **circumstances}
    document = {"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [rule]}
    assert verdict(document, "mount", caps=caps) == (ALLOW if applies else EPERM)


def test_actions_and_their_numbers() -> None:
    rules = [
        {"names": ["mkdir"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38},
        {"name": "rmdir", "action": "SCMP_ACT_KILL_PROCESS"},
        {"names": ["chmod", "no_such_call"], "action": "SCMP_ACT_LOG"},
    ]
    document = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": rules}
    found = [verdict(document, name) for name in ("mkdir", "rmdir", "chmod", "read")]
    assert found == [seccomp.fail_with(38), seccomp.KILL_PROCESS, seccomp.LOG, ALLOW]
    assert verdict({"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38}, "read") == seccomp.fail_with(
        38
    )


def test_other_architectures_end_the_thread_unless_the_profile_names_them() -> None:
    plain = compile_profile(parse('{"defaultAction": "SCMP_ACT_ALLOW"}'), frozenset(), "x86_64")
    assert run(plain, 1, arch=seccomp.ARCH_I386) == KILL
    assert run(plain, 1, arch=seccomp.ARCH_AARCH64) == KILL
    named = '{"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"]}'
    assert run(compile_profile(parse(named), frozenset(), "x86_64"), 1, arch=seccomp.ARCH_I386) == ALLOW


def test_every_number_is_decided_by_its_own_entry() -> None:
    """Neighbouring numbers are decided together: none may slip to the other side."""
    for column, machine, arch in (
        (X86_64, "x86_64", seccomp.ARCH_X86_64),
        (ARM64, "aarch64", seccomp.ARCH_AARCH64),
    ):
        known = numbers(column)
        allowed = {name for name in known if known[name] % 3}
        document = {
            "defaultAction": "SCMP_ACT_ERRNO",
            "syscalls": [{"names": sorted(allowed), "action": "SCMP_ACT_ALLOW"}],
        }
        program = compile_profile(parse(json.dumps(document)), frozenset(), machine)
        for name, number in known.items():
            assert run(program, number, arch=arch) == (ALLOW if name in allowed else EPERM), name
        assert run(program, 5000, arch=arch) == EPERM


def test_a_large_profile_compiles_to_a_program_the_kernel_takes() -> None:
    """Such as distributions ship: all calls listed, several architectures, conditions."""
    file = Path("/usr/share/containers/seccomp.json")
    names = sorted(set(numbers(X86_64)) | set(numbers(I386)))
    document = json.loads(file.read_text()) if file.exists() else {
        "defaultAction": "SCMP_ACT_ERRNO",
        "archMap": [{"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"]}],
        "syscalls": [{"names": names[::2], "action": "SCMP_ACT_ALLOW"}],
    }  # fmt: skip
    program = compile_profile(parse(json.dumps(document)), frozenset(), "x86_64")
    assert 100 < len(program) // 8 < seccomp.MAX_LENGTH
    assert run(program, numbers(X86_64)["read"]) in (ALLOW, EPERM)


@pytest.mark.parametrize("text", ["", "[]", "null", '{"defaultAction": 1}', '{"defaultAction": "ALLOW"}'])
def test_what_is_no_profile_is_refused(text: str) -> None:
    with pytest.raises(BadParameter):
        parse(text)
