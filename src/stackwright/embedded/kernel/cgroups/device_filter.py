"""Device rules on version 2: a BPF program on the group (include/uapi/linux/bpf.h, BPF_PROG_TYPE_CGROUP_DEVICE)."""

from __future__ import annotations

import ctypes
import os
import struct

from stackwright.embedded.kernel.call import KernelError, syscall

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .base import DeviceRule

_BPF = {"x86_64": 321, "aarch64": 280}
_PROG_LOAD, _PROG_ATTACH = 5, 8
_PROG_TYPE_CGROUP_DEVICE, _ATTACH_CGROUP_DEVICE, _ALLOW_MULTI = 15, 6, 2

_KINDS = {"b": 1, "c": 2}
_ACCESS = {"m": 1, "r": 2, "w": 4}

_INSTRUCTION = struct.Struct("<BBhi")
_LOAD_WORD, _MOVE, _MOVE_REGISTER, _AND, _SHIFT_RIGHT = 0x61, 0xB4, 0xBC, 0x54, 0x74
_JUMP_UNLESS_EQUAL, _EXIT = 0x56, 0x95
_RESULT, _SCRATCH, _KIND, _WANTED, _MAJOR, _MINOR = 0, 1, 2, 3, 4, 5


def attach(directory: str, rules: list[DeviceRule]) -> None:
    """Processes of the group at `directory` may use what `rules` allow, and nothing else. Raises KernelError."""
    program = _load(assemble(rules))
    group = -1
    try:
        group = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        attributes = struct.pack("IIII", group, program, _ATTACH_CGROUP_DEVICE, _ALLOW_MULTI)
        _bpf(f"restrict devices of {directory}", _PROG_ATTACH, attributes)
    finally:
        os.close(program)
        if group >= 0:
            os.close(group)


def assemble(rules: list[DeviceRule]) -> bytes:
    """The program: 1 for the first rule that allows the access, 0 when none does."""
    code = [
        (_LOAD_WORD, _KIND | 1 << 4, 0, 0),
        (_AND, _KIND, 0, 0xFFFF),
        (_LOAD_WORD, _WANTED | 1 << 4, 0, 0),
        (_SHIFT_RIGHT, _WANTED, 0, 16),
        (_LOAD_WORD, _MAJOR | 1 << 4, 4, 0),
        (_LOAD_WORD, _MINOR | 1 << 4, 8, 0),
    ]
    for rule in rules:
        if not rule.allow:
            raise ValueError("only rules that allow can be combined with a default of no")
        checks: list[tuple[int, int, int, int]] = []
        if rule.kind != "a":
            checks.append((_JUMP_UNLESS_EQUAL, _KIND, 0, _KINDS[rule.kind]))
        refused = 7 & ~sum(_ACCESS[letter] for letter in set(rule.access))
        if refused:
            checks.append((_MOVE_REGISTER, _SCRATCH | _WANTED << 4, 0, 0))
            checks.append((_AND, _SCRATCH, 0, refused))
            checks.append((_JUMP_UNLESS_EQUAL, _SCRATCH, 0, 0))
        for register, number in ((_MAJOR, rule.major), (_MINOR, rule.minor)):
            if number is not None:
                checks.append((_JUMP_UNLESS_EQUAL, register, 0, number))
        to_next = len(checks) + 1  # over the rest of the checks, the result and the exit
        for position, (operation, registers, _, value) in enumerate(checks):
            jump = to_next - position if operation == _JUMP_UNLESS_EQUAL else 0
            code.append((operation, registers, jump, value))
        code += [(_MOVE, _RESULT, 0, 1), (_EXIT, 0, 0, 0)]
    code += [(_MOVE, _RESULT, 0, 0), (_EXIT, 0, 0, 0)]
    return b"".join(_INSTRUCTION.pack(*instruction) for instruction in code)


def _load(code: bytes) -> int:
    instructions = ctypes.create_string_buffer(code, len(code))
    license_ = ctypes.create_string_buffer(b"Apache-2.0")
    attributes = struct.pack(
        "IIQQIIQII",
        _PROG_TYPE_CGROUP_DEVICE,
        len(code) // _INSTRUCTION.size,
        ctypes.addressof(instructions),
        ctypes.addressof(license_),
        0,
        0,
        0,
        0,
        0,
    )
    return _bpf("load device filter", _PROG_LOAD, attributes)


def _bpf(what: str, command: int, attributes: bytes) -> int:
    number = _BPF.get(os.uname().machine)
    if number is None:
        raise KernelError(what, 38)
    buffer = ctypes.create_string_buffer(attributes, len(attributes))
    return syscall(what, number, command, ctypes.byref(buffer), ctypes.c_uint(len(attributes)))
