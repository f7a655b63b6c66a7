"""The default system call filter: what Docker's documented default denies, as one table.

Source: "Seccomp security profiles for Docker", table of significant calls blocked; capabilities that lift
a restriction as there. Computed by the engine, installed by init (`kernel.seccomp`).

Calls that came after this table was written fail with ENOSYS, so that C libraries fall back.
"""

from __future__ import annotations

import errno
import functools
import os

from stackwright.embedded.kernel import seccomp

from .spec import ProcessSpec
from .syscall_numbers import ARM64, I386, LAST_KNOWN, X86_64, numbers

DEFAULT, UNCONFINED = "default", "unconfined"
"""Values of `ProcessSpec.seccomp`; any other is a profile's text."""

_TABLE = """
acct                    CAP_SYS_PACCT
add_key                 -
bpf                     CAP_SYS_ADMIN,CAP_BPF
clock_adjtime           CAP_SYS_TIME
clock_adjtime64         CAP_SYS_TIME
clock_settime           CAP_SYS_TIME
clock_settime64         CAP_SYS_TIME
create_module           -
delete_module           CAP_SYS_MODULE
fanotify_init           CAP_SYS_ADMIN
finit_module            CAP_SYS_MODULE
fsconfig                CAP_SYS_ADMIN
fsmount                 CAP_SYS_ADMIN
fsopen                  CAP_SYS_ADMIN
fspick                  CAP_SYS_ADMIN
get_kernel_syms         -
get_mempolicy           CAP_SYS_NICE
init_module             CAP_SYS_MODULE
io_uring_enter          -
io_uring_register       -
io_uring_setup          -
ioperm                  CAP_SYS_RAWIO
iopl                    CAP_SYS_RAWIO
kcmp                    CAP_SYS_PTRACE
kexec_file_load         CAP_SYS_BOOT
kexec_load              CAP_SYS_BOOT
keyctl                  -
lookup_dcookie          CAP_SYS_ADMIN
mbind                   CAP_SYS_NICE
migrate_pages           CAP_SYS_NICE
mount                   CAP_SYS_ADMIN
mount_setattr           CAP_SYS_ADMIN
move_mount              CAP_SYS_ADMIN
move_pages              CAP_SYS_NICE
nfsservctl              -
open_by_handle_at       CAP_DAC_READ_SEARCH
open_tree               CAP_SYS_ADMIN
perf_event_open         CAP_SYS_ADMIN,CAP_PERFMON
pidfd_getfd             CAP_SYS_PTRACE
pivot_root              -
process_madvise         CAP_SYS_PTRACE
query_module            -
quotactl                CAP_SYS_ADMIN
quotactl_fd             CAP_SYS_ADMIN
reboot                  CAP_SYS_BOOT
request_key             -
set_mempolicy           CAP_SYS_NICE
set_mempolicy_home_node CAP_SYS_NICE
setdomainname           CAP_SYS_ADMIN
sethostname             CAP_SYS_ADMIN
setns                   CAP_SYS_ADMIN
settimeofday            CAP_SYS_TIME
stime                   CAP_SYS_TIME
swapoff                 -
swapon                  -
sysfs                   -
_sysctl                 -
syslog                  CAP_SYS_ADMIN,CAP_SYSLOG
umount                  CAP_SYS_ADMIN
umount2                 CAP_SYS_ADMIN
unshare                 CAP_SYS_ADMIN
uselib                  -
userfaultfd             -
ustat                   -
vhangup                 CAP_SYS_TTY_CONFIG
vm86                    -
vm86old                 -
chroot                  CAP_SYS_CHROOT
"""
"""Call, capabilities any one of which allows it ("-": none does)."""

_NAMESPACE_FLAGS = 0x7E020000
_AF_VSOCK = 40
_PERSONALITIES = (0x0, 0x8, 0x20000, 0x20008, 0xFFFFFFFF)
X32 = 0x40000000
"""x32 calls share x86-64's architecture number and have this bit set; hardly any kernel serves them."""

ARCHITECTURES = {
    "x86_64": ((X86_64, seccomp.ARCH_X86_64), (I386, seccomp.ARCH_I386)),
    "aarch64": ((ARM64, seccomp.ARCH_AARCH64),),
}
"""What programs of a machine may call by: columns of the table of numbers, and the kernel's marks."""


def filter_for(process: ProcessSpec, *, privileged: bool) -> bytes:
    """The program for this process; empty when it runs unconfined (or on a machine without a table)."""
    if privileged or process.seccomp == UNCONFINED:
        return b""
    if process.seccomp != DEFAULT:
        return _custom(process.seccomp, frozenset(process.capabilities), os.uname().machine)
    return _program(frozenset(process.capabilities), os.uname().machine)


@functools.lru_cache(maxsize=32)
def _custom(profile: str, capabilities: frozenset[str], machine: str) -> bytes:
    from .seccomp_profile import compile_profile, parse  # few containers have one

    return compile_profile(parse(profile), capabilities, machine)


@functools.lru_cache(maxsize=32)
def _program(capabilities: frozenset[str], machine: str) -> bytes:
    architectures = ARCHITECTURES.get(machine)
    if architectures is None:
        return b""
    code = seccomp.Filter()
    code.load(seccomp.ARCH)
    for number, (column, architecture) in enumerate(architectures):
        code.jump("==", architecture, otherwise=f"after {number}")
        _rules(code, f"{number} ", column, capabilities)
        code.label(f"after {number}")
    code.give(seccomp.fail_with(errno.EPERM))
    return code.assemble()


def _rules(code: seccomp.Filter, scope: str, column: int, capabilities: frozenset[str]) -> None:
    deny, unknown = scope + "deny", scope + "unknown"
    known = numbers(column)
    administers = "CAP_SYS_ADMIN" in capabilities
    code.load(seccomp.NUMBER)
    if column == 0:
        code.jump(">=", X32, unknown)
    code.jump(">", LAST_KNOWN, unknown)
    if not administers:
        # clone3 takes its flags by pointer, out of a filter's sight: C libraries fall back to clone on ENOSYS.
        code.jump("==", known["clone3"], unknown)
    for row in _TABLE.split("\n"):
        fields = row.split()
        if fields and fields[0] in known and not capabilities & set(fields[1].split(",")):
            code.jump("==", known[fields[0]], deny)
    if not administers:
        code.jump("==", known["clone"], scope + "clone")
    code.jump("==", known["socket"], scope + "socket")
    code.jump("==", known["personality"], scope + "personality")
    code.give(seccomp.ALLOW)
    code.label(scope + "clone")
    code.load(seccomp.argument(0))
    code.mask(_NAMESPACE_FLAGS)
    code.jump("==", 0, scope + "fine", deny)
    code.label(scope + "socket")
    code.load(seccomp.argument(0))
    code.jump("==", _AF_VSOCK, deny, scope + "fine")
    code.label(scope + "personality")
    code.load(seccomp.argument(0))
    for value in _PERSONALITIES:
        code.jump("==", value, scope + "fine")
    code.label(deny)
    code.give(seccomp.fail_with(errno.EPERM))
    code.label(unknown)
    code.give(seccomp.fail_with(errno.ENOSYS))
    code.label(scope + "fine")
    code.give(seccomp.ALLOW)
