"""A fork server of the test's own, whose workers tell how they were started instead of running a verb.

python -m tests.support.forkserver serve SOURCE IDLE    SOURCE: a file that stands for one of the program's own
python -m tests.support.forkserver ask WORD ...         a client; exits with 99 when nobody takes its words
"""

from __future__ import annotations

import json
import os
import resource
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import types
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from stackwright.cli.warm.whose import command_pid

DECLINED = 99


@dataclass
class Served:
    """Where a fork server listens, and how its clients are started."""

    folder: Path
    environ: dict[str, str] = field(default_factory=dict)

    def client(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "tests.support.forkserver", "ask", *words]

    def ask(self, *words: str, **extra: object) -> subprocess.CompletedProcess[str]:
        """Hand words over; `extra`: arguments of `subprocess.run`."""
        arguments = {"env": self.environ, "capture_output": True, "text": True, "timeout": 60, **extra}
        return subprocess.run(self.client("version", *words), **arguments)  # type: ignore[call-overload, no-any-return]

    def socket(self) -> Path | None:
        return next(iter(self.folder.glob("warm-*.sock")), None)


def server_of(path: Path) -> int:
    """The process that listens at `path`; 0: none."""
    with suppress(OSError), socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        raw = client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        return int(struct.unpack("3i", raw)[0])
    return 0


def end_servers(folder: Path) -> None:
    """End the fork servers of `folder`, those too that do not listen yet: a command leaves one behind in its last moment."""
    mine = f"STACKWRIGHT_WARM_DIR={folder}".encode()
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            words = (process / "cmdline").read_bytes()
            if b"forkserver" in words and mine in (process / "environ").read_bytes().split(b"\0"):
                os.kill(int(process.name), signal.SIGTERM)


@contextmanager
def warm_commands() -> Iterator[None]:
    """Commands started meanwhile leave a fork server, as those of a person do; it ends with this."""
    with tempfile.TemporaryDirectory(prefix="sw-warm-") as folder:
        kept = {name: os.environ.get(name) for name in ("STACKWRIGHT_WARM", "STACKWRIGHT_WARM_DIR")}
        os.environ.update(STACKWRIGHT_WARM="1", STACKWRIGHT_WARM_DIR=folder)
        try:
            yield
        finally:
            end_servers(Path(folder))
            for name, value in kept.items():
                os.environ.pop(name) if value is None else os.environ.update({name: value})


def _name(number: int, _: object) -> None:
    """Say which signal came; print() would fail where it comes while another one is still being printed."""
    os.write(1, f"{signal.Signals(number).name}\n".encode())


def report(words: list[str]) -> int:
    """What a worker does: `words` after the verb say what."""
    what = words[1] if len(words) > 1 else "tell"
    if what == "tell":
        print(json.dumps(_surroundings(words)), flush=True)
    elif what == "exit":
        return int(words[2])
    elif what == "die":
        os.kill(os.getpid(), int(words[2]))
    elif what == "copy":
        sys.stdout.write(sys.stdin.read())
        sys.stdout.flush()
        sys.stderr.write("aside\n")
    elif what == "fail":
        raise RuntimeError("as planned")
    elif what == "listen":
        for name in words[2:]:
            number = getattr(signal, name)
            signal.signal(number, _name)
        print(f"pid {os.getpid()}", flush=True)
        while True:
            time.sleep(0.05)  # not pause(2): it would miss what comes between the last handler and its call
    elif what == "wait":
        print(f"pid {os.getpid()}", flush=True)
        time.sleep(60)
    return 0


def _inherited(number: int) -> bool:
    try:
        return os.get_inheritable(number)
    except OSError:  # the folder that was read to list them
        return False


def _surroundings(words: list[str]) -> dict[str, object]:
    mask = os.umask(0)
    os.umask(mask)
    files = sorted(int(file.name) for file in Path("/proc/self/fd").iterdir())
    return {
        "words": words,
        "command": command_pid(),
        "argv": sys.argv[1:],
        "folder": str(Path.cwd()),
        "environ": dict(os.environ),
        "umask": mask,
        "zone": time.tzname[0],
        "files": files,
        "inherited": [number for number in files if _inherited(number)],
        "interrupt": repr(signal.getsignal(signal.SIGINT)),
        "hangup": repr(signal.getsignal(signal.SIGHUP)),
        "open files": resource.getrlimit(resource.RLIMIT_NOFILE)[0],
    }


def main() -> int:
    """Serve or ask."""
    if sys.argv[1] == "ask":
        from stackwright.handover import hand_over

        code = hand_over(sys.argv[2:])
        return DECLINED if code is None else code
    from stackwright.cli.warm import forkserver
    from stackwright.conditions import conditions, socket_path

    stand_in = types.ModuleType("stackwright_of_this_test")
    stand_in.__file__ = sys.argv[2]
    sys.modules[stand_in.__name__] = stand_in
    same = conditions(os.environ)
    assert same is not None
    path = Path(socket_path(os.environ, same))
    listener = forkserver.listen(path)
    if listener is None:
        return 3
    forkserver.LOOK_SECONDS = 0.05
    server = forkserver.ForkServer(listener, path, same, float(sys.argv[3]), report, lambda: None)
    server.serve()
    server.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
