"""Custom seccomp profiles: Docker's JSON ("Seccomp security profiles for Docker") → a program for the kernel. Pure.

    {"defaultAction": "SCMP_ACT_ERRNO", "archMap": [...] or "architectures": [...],
     "syscalls": [{"names": [...], "action": "SCMP_ACT_ALLOW", "args": [...], "includes": {...}, "excludes": {...}}]}

As there: an entry without `args` decides for its calls; entries with `args` are tried in turn, all conditions of one
must hold (conditions on the same argument are alternatives); whatever no entry decides gets the default action. A call
of an architecture that the profile does not name ends the thread. Names that no kernel here knows mean nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from itertools import groupby

import msgspec

from stackwright.embedded.errors import BadParameter
from stackwright.embedded.kernel import seccomp

from .syscall_numbers import ARM64, I386, LAST_KNOWN, X86_64, numbers
from .syscalls import ARCHITECTURES, X32

_EPERM = 1
_MAX_ERRNO = 4095
_ACTIONS: dict[str, Callable[[int], int]] = {
    "SCMP_ACT_KILL": lambda number: seccomp.KILL_THREAD,
    "SCMP_ACT_KILL_THREAD": lambda number: seccomp.KILL_THREAD,
    "SCMP_ACT_KILL_PROCESS": lambda number: seccomp.KILL_PROCESS,
    "SCMP_ACT_TRAP": lambda number: seccomp.TRAP,
    "SCMP_ACT_ERRNO": seccomp.fail_with,
    "SCMP_ACT_TRACE": seccomp.trace_with,
    "SCMP_ACT_LOG": lambda number: seccomp.LOG,
    "SCMP_ACT_ALLOW": lambda number: seccomp.ALLOW,
}
_OPERATORS = frozenset(f"SCMP_CMP_{name}" for name in ("NE", "LT", "LE", "EQ", "GE", "GT", "MASKED_EQ"))
_ARCH_NAMES = {X86_64: "SCMP_ARCH_X86_64", I386: "SCMP_ARCH_X86", ARM64: "SCMP_ARCH_AARCH64"}
_GO_NAMES = {"x86_64": "amd64", "aarch64": "arm64"}
_LOW = 0xFFFFFFFF


class Condition(msgspec.Struct, rename="camel", frozen=True, kw_only=True):
    """One entry of `args`: argument `index` compared with `value` (masked with it, and then with `value_two`)."""

    index: int
    op: str
    value: int = 0
    value_two: int = 0


class Circumstances(msgspec.Struct, rename="camel", frozen=True, kw_only=True):
    """`includes` and `excludes`: capabilities of the process, architectures in Go's words, a kernel version."""

    caps: list[str] | None = None
    arches: list[str] | None = None
    min_kernel: str | None = None


class Rule(msgspec.Struct, rename="camel", frozen=True, kw_only=True):
    """One entry of `syscalls`."""

    action: str
    names: list[str] | None = None
    name: str = ""
    errno_ret: int | None = None
    args: list[Condition] | None = None
    includes: Circumstances | None = None
    excludes: Circumstances | None = None


class Family(msgspec.Struct, rename="camel", frozen=True, kw_only=True):
    """One entry of `archMap`."""

    architecture: str
    sub_architectures: list[str] | None = None


class Profile(msgspec.Struct, rename="camel", frozen=True, kw_only=True):
    """The document."""

    default_action: str
    default_errno_ret: int | None = None
    architectures: list[str] | None = None
    arch_map: list[Family] | None = None
    syscalls: list[Rule] | None = None


def parse(text: str) -> Profile:
    """The document's text → a profile whose words are all known. Raises BadParameter saying what is wrong with it."""
    try:
        profile = msgspec.json.decode(text, type=Profile)
    except (msgspec.DecodeError, msgspec.ValidationError, RecursionError) as error:
        raise BadParameter(f"Decoding seccomp profile failed: {error}") from error
    if profile.architectures and profile.arch_map:
        raise BadParameter(
            "both 'architectures' and 'archMap' are specified in the seccomp profile, use either"
        )
    _action(profile.default_action, profile.default_errno_ret)
    for rule in profile.syscalls or ():
        if rule.name and rule.names:
            raise BadParameter("both 'name' and 'names' are specified in the seccomp profile, use either")
        _action(rule.action, rule.errno_ret)
        for condition in rule.args or ():
            if condition.op not in _OPERATORS:
                raise BadParameter(f"invalid operator in the seccomp profile: {condition.op!r}")
            if not 0 <= condition.index <= 5:
                raise BadParameter(f"invalid argument index in the seccomp profile: {condition.index}")
            if not (0 <= condition.value < 1 << 64 and 0 <= condition.value_two < 1 << 64):
                raise BadParameter("a value in the seccomp profile does not fit 64 bits")
    return profile


def compile_profile(profile: Profile, capabilities: frozenset[str], machine: str) -> bytes:
    """The program for a process with these capabilities; empty on a machine that we have no table for."""
    architectures = ARCHITECTURES.get(machine)
    if architectures is None:
        return b""
    wanted = _architectures(profile, machine)
    code = seccomp.Filter()
    code.load(seccomp.ARCH)
    for column, mark in architectures:
        if _ARCH_NAMES[column] in wanted:
            code.jump("==", mark, otherwise=f"after {column}")
            code.go(f"calls {column}")
            code.label(f"after {column}")
    code.give(seccomp.KILL_THREAD)
    for column, _ in architectures:
        if _ARCH_NAMES[column] in wanted:
            code.label(f"calls {column}")
            _calls(code, profile, capabilities, machine, column)
    program = code.assemble()
    if len(program) // 8 > seccomp.MAX_LENGTH:
        raise BadParameter(f"the seccomp profile is too long: more than {seccomp.MAX_LENGTH} instructions")
    return program


def _architectures(profile: Profile, machine: str) -> set[str]:
    """What the profile allows programs to be built for; the machine's own always."""
    own = _ARCH_NAMES[ARCHITECTURES[machine][0][0]]
    if profile.arch_map:
        family = next((one for one in profile.arch_map if one.architecture == own), None)
        return {own, *((family.sub_architectures or ()) if family else ())}
    return {own, *(profile.architectures or ())}


def _calls(
    code: seccomp.Filter, profile: Profile, capabilities: frozenset[str], machine: str, column: int
) -> None:
    default = _action(profile.default_action, profile.default_errno_ret)
    plain, conditional = _decisions(profile, capabilities, machine, column)
    code.load(seccomp.NUMBER)
    if column == X86_64:
        code.jump(">=", X32, otherwise="x32 not")
        code.give(default)
        code.label("x32 not")
    for number in conditional:
        code.jump("==", number, otherwise=f"not {column}.{number}")
        code.go(f"call {column}.{number}")
        code.label(f"not {column}.{number}")
    # Neighbours with one action are one comparison: numbers go up, so the first end that is not passed decides.
    spans = groupby(range(LAST_KNOWN + 1), lambda number: plain.get(number, default))
    for action, members in spans:
        end = list(members)[-1]
        code.jump(">", end, then=f"past {column}.{end}")
        code.give(action)
        code.label(f"past {column}.{end}")
    code.give(default)
    for number, rules in conditional.items():
        code.label(f"call {column}.{number}")
        for position, (action, conditions) in enumerate(rules):
            after = f"rule {column}.{number}.{position}"
            for place, condition in enumerate(conditions):
                _require(code, condition, after, f"{after}.{place} ")
            code.give(action)
            code.label(after)
        code.give(default)


def _decisions(
    profile: Profile, capabilities: frozenset[str], machine: str, column: int
) -> tuple[dict[int, int], dict[int, list[tuple[int, list[Condition]]]]]:
    """Call → action, and call → conditional actions in turn; the first entry for a call that has no conditions wins."""
    known = numbers(column)
    plain: dict[int, int] = {}
    conditional: dict[int, list[tuple[int, list[Condition]]]] = {}
    for rule in profile.syscalls or ():
        if not _applies(rule, capabilities, machine):
            continue
        action = _action(rule.action, rule.errno_ret)
        for name in rule.names or [rule.name]:
            number = known.get(name)
            if number is None:
                continue
            if not rule.args:
                plain.setdefault(number, action)
                continue
            indices = [condition.index for condition in rule.args]
            alternatives = (
                [[one] for one in rule.args] if len(set(indices)) < len(indices) else [list(rule.args)]
            )
            conditional.setdefault(number, []).extend((action, one) for one in alternatives)
    return plain, {number: rules for number, rules in conditional.items() if number not in plain}


def _applies(rule: Rule, capabilities: frozenset[str], machine: str) -> bool:
    here = _GO_NAMES[machine]
    if (wanted := rule.includes) is not None:
        if not set(wanted.caps or ()) <= capabilities:
            return False
        if wanted.arches and here not in wanted.arches:
            return False
        if wanted.min_kernel and not _kernel_is(wanted.min_kernel):
            return False
    if (unwanted := rule.excludes) is not None:
        if capabilities & set(unwanted.caps or ()) or here in (unwanted.arches or ()):
            return False
        if unwanted.min_kernel and _kernel_is(unwanted.min_kernel):
            return False
    return True


def _kernel_is(version: str) -> bool:
    """Whether this kernel is `version` or newer. Raises BadParameter."""
    try:
        wanted = tuple(int(part) for part in version.split("."))[:2]
    except ValueError:
        raise BadParameter(f"invalid kernel version in the seccomp profile: {version!r}") from None
    own = os.uname().release.split(".")
    return (int(own[0]), int("".join(c for c in own[1] if c.isdigit()) or 0)) >= wanted


def _action(name: str, number: int | None) -> int:
    make = _ACTIONS.get(name)
    if make is None:
        known = ", ".join(sorted(_ACTIONS))
        raise BadParameter(f"invalid action in the seccomp profile: {name!r} (known: {known})")
    if number is not None and not 0 <= number <= _MAX_ERRNO:
        raise BadParameter(f"invalid errnoRet in the seccomp profile: {number}")
    return make(_EPERM if number is None else number)


def _require(code: seccomp.Filter, condition: Condition, failed: str, scope: str) -> None:
    """Go on when it holds, else at the label `failed`. 64-bit numbers are compared by halves, the high one first."""
    low = seccomp.argument(condition.index)
    high = low + 4
    top, bottom = condition.value >> 32, condition.value & _LOW
    fine = scope + "fine"
    if condition.op == "SCMP_CMP_MASKED_EQ":
        wanted = condition.value_two
        for offset, mask, value in ((high, top, wanted >> 32), (low, bottom, wanted & _LOW)):
            code.load(offset)
            code.mask(mask)
            code.jump("==", value, otherwise=failed)
        return
    code.load(high)
    if condition.op == "SCMP_CMP_EQ":
        code.jump("==", top, otherwise=failed)
        code.load(low)
        code.jump("==", bottom, otherwise=failed)
    elif condition.op == "SCMP_CMP_NE":
        code.jump("==", top, otherwise=fine)
        code.load(low)
        code.jump("==", bottom, then=failed)
    else:
        # a < b is "not a >= b": the same comparisons with the ends exchanged.
        comparison = ">=" if condition.op in ("SCMP_CMP_GE", "SCMP_CMP_LT") else ">"
        negated = condition.op in ("SCMP_CMP_LT", "SCMP_CMP_LE")
        yes, no = (failed, fine) if negated else (fine, failed)
        code.jump(">", top, then=yes)
        code.jump("==", top, otherwise=no)
        code.load(low)
        code.jump(comparison, bottom, then=yes, otherwise=no)
    code.label(fine)
