"""fork(2), and clone3(2) into a control group of version 2."""

from __future__ import annotations

import ctypes
import errno
import signal
import struct

from .call import KernelError

_CLONE3 = 435
_CLONE_INTO_CGROUP = 1 << 33
_ARGUMENTS = struct.Struct("11Q")
"""struct clone_args: flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid,
set_tid_size, cgroup"""


def fork_into(cgroup: int) -> int:
    """As os.fork, with the child born in the version 2 group that `cgroup` is a descriptor of. Linux 5.7.

    Moving a process afterwards takes a lock of the whole host, for some 10 ms. Only for a process with
    a single thread. Raises KernelError where the kernel refuses.
    """
    # PyDLL: the interpreter's lock stays held, as PyOS_AfterFork_Child expects.
    libc = ctypes.PyDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    packed = _ARGUMENTS.pack(_CLONE_INTO_CGROUP, 0, 0, 0, signal.SIGCHLD, 0, 0, 0, 0, 0, cgroup)
    arguments = ctypes.create_string_buffer(packed, len(packed))
    number, size = ctypes.c_long(_CLONE3), ctypes.c_size_t(len(packed))
    ctypes.pythonapi.PyOS_BeforeFork()
    pid: int = libc.syscall(number, arguments, size)
    if pid == 0:
        ctypes.pythonapi.PyOS_AfterFork_Child()
        return 0
    failed = ctypes.get_errno()
    ctypes.pythonapi.PyOS_AfterFork_Parent()
    if pid < 0:
        raise KernelError("fork into control group", failed or errno.EAGAIN)
    return pid
