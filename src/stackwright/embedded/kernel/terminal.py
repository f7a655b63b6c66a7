"""Pseudo-terminals (pty(7)) in a given devpts."""

from __future__ import annotations

import fcntl
import os
import struct
import termios

_TIOCSPTLCK = 0x40045431
_TIOCGPTN = 0x80045430


def open_pty(ptmx: str = "/dev/pts/ptmx") -> tuple[int, int]:
    """A new terminal of that devpts: its master descriptor and its number (the slave is /dev/pts/<n>)."""
    master = os.open(ptmx, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    fcntl.ioctl(master, _TIOCSPTLCK, struct.pack("i", 0))
    number = struct.unpack("i", fcntl.ioctl(master, _TIOCGPTN, struct.pack("i", 0)))[0]
    return master, int(number)


def resize(fd: int, rows: int, columns: int) -> None:
    """Set the window size; the foreground process group gets SIGWINCH."""
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def make_controlling(slave: int) -> None:
    """The terminal becomes the controlling one of this session (call setsid first)."""
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
