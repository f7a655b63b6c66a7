"""Opening paths inside a root that is not ours: whatever links it holds, resolution never leaves it (openat2(2))."""

from __future__ import annotations

import ctypes
import os

from stackwright.embedded.kernel.call import encode, syscall

_SYS_OPENAT2 = 437
_RESOLVE_NO_MAGICLINKS = 0x02
_RESOLVE_IN_ROOT = 0x10


class _OpenHow(ctypes.Structure):
    _fields_ = [("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64)]


def open_in_root(root: int, path: str, flags: int, mode: int = 0) -> int:
    """open(2) of `path` as if `root` (a directory's descriptor) were `/`. Needs Linux 5.6; raises KernelError."""
    how = _OpenHow(flags=flags | os.O_CLOEXEC, mode=mode, resolve=_RESOLVE_IN_ROOT | _RESOLVE_NO_MAGICLINKS)
    return syscall(
        f"open {path}",
        _SYS_OPENAT2,
        root,
        encode(path),
        ctypes.byref(how),
        ctypes.c_size_t(ctypes.sizeof(how)),
    )
