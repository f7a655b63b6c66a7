"""The C library, for what Python has no function for."""

from __future__ import annotations

import ctypes

libc = ctypes.CDLL(None)
libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
