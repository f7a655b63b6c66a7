"""`docker top`: what /proc says about the processes of a container."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from stackwright.embedded.kernel.process import stat_fields

from .types import ProcessInfo

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_PTS_MAJORS = range(136, 144)


class ProcessTable:
    """Reads processes against one boot time."""

    def __init__(self) -> None:
        self._boot = _boot_time()

    def read(self, pid: int) -> ProcessInfo | None:
        """The process; None when it has just ended."""
        try:
            fields = stat_fields(pid)
            entry = Path(f"/proc/{pid}")
            command = (
                (entry / "cmdline").read_bytes().rstrip(b"\0").replace(b"\0", b" ").decode(errors="replace")
            )
            uid = entry.stat().st_uid
            name = (entry / "comm").read_text(errors="replace").strip()
        except (OSError, IndexError):
            return None
        return ProcessInfo(
            pid=pid,
            ppid=int(fields[1]),
            uid=uid,
            state=fields[0],
            start_time=self._boot + int(fields[19]) / _TICKS,
            cpu_time=(int(fields[11]) + int(fields[12])) / _TICKS,
            virtual=int(fields[20]),
            resident=int(fields[21]) * _PAGE,
            tty=_terminal(int(fields[4])),
            command=command or f"[{name}]",
        )


def namesakes(pid: int, kind: str) -> list[int]:
    """The processes that share a namespace with `pid`: the container's, where no control group lists them."""
    try:
        wanted = os.readlink(f"/proc/{pid}/ns/{kind}")
    except OSError:
        return []
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        with suppress(OSError):
            if os.readlink(f"/proc/{name}/ns/{kind}") == wanted:
                found.append(int(name))
    return found


def _terminal(device: int) -> str:
    major, minor = (device >> 8) & 0xFFF, (device & 0xFF) | ((device >> 12) & 0xFFF00)
    return f"pts/{minor + (major - 136) * 256}" if major in _PTS_MAJORS else "?"


def _boot_time() -> float:
    for line in Path("/proc/stat").read_text().splitlines():
        if line.startswith("btime "):
            return float(line.split()[1])
    return 0.0
