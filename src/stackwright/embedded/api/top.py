"""`GET /containers/{id}/top`: the processes of a container in the columns of `ps`, without running ps.

`-ef` (the default) and `aux` give their usual columns; `-o a,b,c` (`-eo`, `o`) chooses. Anything else gives those of
-ef.
"""

from __future__ import annotations

import os
import pwd
import re
import time
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from stackwright.embedded.containers.runtime import ProcessInfo

_Column = tuple[str, Callable[[ProcessInfo, float], str]]


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _cpu_time(process: ProcessInfo) -> str:
    seconds = int(process.cpu_time)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def _short_time(process: ProcessInfo) -> str:
    minutes, seconds = divmod(int(process.cpu_time), 60)
    return f"{minutes}:{seconds:02}"


@cache
def _memory() -> int:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _start(process: ProcessInfo, now: float) -> str:
    recent = now - process.start_time < 86400
    return time.strftime("%H:%M" if recent else "%b%d", time.localtime(process.start_time))


def _share(process: ProcessInfo, now: float) -> str:
    lived = max(now - process.start_time, 0.01)
    return str(int(100 * process.cpu_time / lived))


def _percent(process: ProcessInfo, now: float) -> str:
    return f"{100 * process.cpu_time / max(now - process.start_time, 0.01):.1f}"


_COLUMNS: dict[str, _Column] = {
    "user": ("USER", lambda p, _: _user(p.uid)),
    "uid": ("UID", lambda p, _: _user(p.uid)),
    "pid": ("PID", lambda p, _: str(p.pid)),
    "ppid": ("PPID", lambda p, _: str(p.ppid)),
    "c": ("C", _share),
    "%cpu": ("%CPU", _percent),
    "pcpu": ("%CPU", _percent),
    "%mem": ("%MEM", lambda p, _: f"{100 * p.resident / _memory():.1f}"),
    "pmem": ("%MEM", lambda p, _: f"{100 * p.resident / _memory():.1f}"),
    "vsz": ("VSZ", lambda p, _: str(p.virtual // 1024)),
    "rss": ("RSS", lambda p, _: str(p.resident // 1024)),
    "stime": ("STIME", _start),
    "start": ("START", _start),
    "tty": ("TTY", lambda p, _: p.tty),
    "s": ("S", lambda p, _: p.state),
    "stat": ("STAT", lambda p, _: p.state),
    "cputimes": ("TIME", lambda p, _: f"{p.cpu_time:.0f}"),
    "bsdtime": ("TIME", lambda p, _: _short_time(p)),
    "time": ("TIME", lambda p, _: _cpu_time(p)),
    "cmd": ("CMD", lambda p, _: p.command),
    "args": ("COMMAND", lambda p, _: p.command),
    "command": ("COMMAND", lambda p, _: p.command),
    "comm": ("COMMAND", lambda p, _: p.command.split(" ")[0].rpartition("/")[2]),
}
_EF = ("uid", "pid", "ppid", "c", "stime", "tty", "time", "cmd")
_AUX = ("user", "pid", "%cpu", "%mem", "vsz", "rss", "tty", "stat", "start", "bsdtime", "command")
_CHOICE = re.compile(r"^(?:-[A-Za-z]*?|[ax]*)o(.*)$")


def table_of(processes: Sequence[ProcessInfo], arguments: str, now: float) -> dict[str, Any]:
    """`Titles` and `Processes`; `now` in seconds since the epoch."""
    columns = [_COLUMNS[name] for name in _chosen(arguments)]
    return {
        "Titles": [title for title, _ in columns],
        "Processes": [[value(process, now) for _, value in columns] for process in processes],
    }


def _chosen(arguments: str) -> Sequence[str]:
    words = arguments.split()
    for number, word in enumerate(words):
        if found := _CHOICE.match(word):
            chosen = [found[1], *(_CHOICE.sub(r"\1", one) for one in words[number + 1 :])]
            names = [name.partition("=")[0].lower() for name in ",".join(chosen).split(",")]
            known = [name for name in names if name in _COLUMNS]
            if known:
                return known if "pid" in known else ["pid", *known]
    return _AUX if words and words[0].lstrip("-") in ("aux", "u", "ux") else _EF
