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

LAST_KNOWN = 466
"""removexattrat, Linux 6.13; from 424 on numbers are the same on every architecture."""

_TABLE = """
acct                    CAP_SYS_PACCT             163  51  89
add_key                 -                         248 286 217
bpf                     CAP_SYS_ADMIN,CAP_BPF     321 357 280
clock_adjtime           CAP_SYS_TIME              305 343 266
clock_adjtime64         CAP_SYS_TIME                - 405   -
clock_settime           CAP_SYS_TIME              227 264 112
clock_settime64         CAP_SYS_TIME                - 404   -
create_module           -                         174 127   -
delete_module           CAP_SYS_MODULE            176 129 106
fanotify_init           CAP_SYS_ADMIN             300 338 262
finit_module            CAP_SYS_MODULE            313 350 273
fsconfig                CAP_SYS_ADMIN             431 431 431
fsmount                 CAP_SYS_ADMIN             432 432 432
fsopen                  CAP_SYS_ADMIN             430 430 430
fspick                  CAP_SYS_ADMIN             433 433 433
get_kernel_syms         -                         177 130   -
get_mempolicy           CAP_SYS_NICE              239 275 236
init_module             CAP_SYS_MODULE            175 128 105
io_uring_enter          -                         426 426 426
io_uring_register       -                         427 427 427
io_uring_setup          -                         425 425 425
ioperm                  CAP_SYS_RAWIO             173 101   -
iopl                    CAP_SYS_RAWIO             172 110   -
kcmp                    CAP_SYS_PTRACE            312 349 272
kexec_file_load         CAP_SYS_BOOT              320   - 294
kexec_load              CAP_SYS_BOOT              246 283 104
keyctl                  -                         250 288 219
lookup_dcookie          CAP_SYS_ADMIN             212 253  18
mbind                   CAP_SYS_NICE              237 274 235
migrate_pages           CAP_SYS_NICE              256 294 238
mount                   CAP_SYS_ADMIN             165  21  40
mount_setattr           CAP_SYS_ADMIN             442 442 442
move_mount              CAP_SYS_ADMIN             429 429 429
move_pages              CAP_SYS_NICE              279 317 239
nfsservctl              -                         180 169  42
open_by_handle_at       CAP_DAC_READ_SEARCH       304 342 265
open_tree               CAP_SYS_ADMIN             428 428 428
perf_event_open         CAP_SYS_ADMIN,CAP_PERFMON 298 336 241
pidfd_getfd             CAP_SYS_PTRACE            438 438 438
pivot_root              -                         155 217  41
process_madvise         CAP_SYS_PTRACE            440 440 440
query_module            -                         178 167   -
quotactl                CAP_SYS_ADMIN             179 131  60
quotactl_fd             CAP_SYS_ADMIN             443 443 443
reboot                  CAP_SYS_BOOT              169  88 142
request_key             -                         249 287 218
set_mempolicy           CAP_SYS_NICE              238 276 237
set_mempolicy_home_node CAP_SYS_NICE              450 450 450
setdomainname           CAP_SYS_ADMIN             171 121 162
sethostname             CAP_SYS_ADMIN             170  74 161
setns                   CAP_SYS_ADMIN             308 346 268
settimeofday            CAP_SYS_TIME              164  79 170
stime                   CAP_SYS_TIME                -  25   -
swapoff                 -                         168 115 225
swapon                  -                         167  87 224
sysfs                   -                         139 135   -
_sysctl                 -                         156 149   -
syslog                  CAP_SYS_ADMIN,CAP_SYSLOG  103 103 116
umount                  CAP_SYS_ADMIN               -  22   -
umount2                 CAP_SYS_ADMIN             166  52  39
unshare                 CAP_SYS_ADMIN             272 310  97
uselib                  -                         134  86   -
userfaultfd             -                         323 374 282
ustat                   -                         136  62   -
vhangup                 CAP_SYS_TTY_CONFIG        153 111  58
vm86                    -                           - 166   -
vm86old                 -                           - 113   -
chroot                  CAP_SYS_CHROOT            161  61  51
"""
"""Call, capabilities any one of which allows it ("-": none does), numbers on x86-64, i386 and arm64."""

_CONDITIONAL = {
    # column: (clone, socket, personality)
    0: (56, 41, 135),
    1: (120, 359, 136),
    2: (220, 198, 92),
}
_CLONE3 = 435
_NAMESPACE_FLAGS = 0x7E020000
_AF_VSOCK = 40
_PERSONALITIES = (0x0, 0x8, 0x20000, 0x20008, 0xFFFFFFFF)
_X32 = 0x40000000
"""x32 calls share x86-64's architecture number and have this bit set; hardly any kernel serves them."""

_ARCHITECTURES = {
    "x86_64": ((0, seccomp.ARCH_X86_64), (1, seccomp.ARCH_I386)),
    "aarch64": ((2, seccomp.ARCH_AARCH64),),
}


def filter_for(process: ProcessSpec, *, privileged: bool) -> bytes:
    """The program for this process; empty when it runs unconfined (or on a machine without a table)."""
    if privileged or process.seccomp == "unconfined":
        return b""
    return _program(frozenset(process.capabilities), os.uname().machine)


@functools.lru_cache(maxsize=32)
def _program(capabilities: frozenset[str], machine: str) -> bytes:
    architectures = _ARCHITECTURES.get(machine)
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
    clone, socket, personality = _CONDITIONAL[column]
    administers = "CAP_SYS_ADMIN" in capabilities
    code.load(seccomp.NUMBER)
    if column == 0:
        code.jump(">=", _X32, unknown)
    code.jump(">", LAST_KNOWN, unknown)
    if not administers:
        # clone3 takes its flags by pointer, out of a filter's sight: C libraries fall back to clone on ENOSYS.
        code.jump("==", _CLONE3, unknown)
    for row in _TABLE.split("\n"):
        fields = row.split()
        if fields and fields[2 + column] != "-" and not capabilities & set(fields[1].split(",")):
            code.jump("==", int(fields[2 + column]), deny)
    if not administers:
        code.jump("==", clone, scope + "clone")
    code.jump("==", socket, scope + "socket")
    code.jump("==", personality, scope + "personality")
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
