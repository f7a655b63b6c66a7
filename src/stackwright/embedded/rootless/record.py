"""What is known about a user's namespaces, on disk for the next keeper and engine: `<state dir>/rootless/state.json`."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

FILE = "state.json"
KINDS = ("user", "mnt", "net")


@dataclass(slots=True)
class Record:
    """`user`, `mnt`, `net`: the namespaces as /proc shows them. `one_id`, `no_egress`: why, empty when all is well.

    `cgroups`: what kernel.cgroups takes as hierarchies; empty when none was delegated.
    """

    user: str = ""
    mnt: str = ""
    net: str = ""
    boot: str = ""
    one_id: str = ""
    no_egress: str = ""
    cgroups: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    @classmethod
    def of(cls, found: dict[str, Any]) -> Record:
        """From `as_dict`; what is not known is left out."""
        names = {f.name for f in fields(cls)}
        return cls(**{name: value for name, value in found.items() if name in names})

    def write(self, folder: Path) -> None:
        """Replace the file at once."""
        temporary = folder / f".{FILE}"
        temporary.write_text(json.dumps(self.as_dict()))
        temporary.rename(folder / FILE)

    def remove(self, folder: Path) -> None:
        """Nothing is kept any more."""
        (folder / FILE).unlink(missing_ok=True)

    @classmethod
    def read(cls, folder: Path) -> Record | None:
        """The record of this boot; None when there is none."""
        try:
            found = cls.of(json.loads((folder / FILE).read_text()))
        except (OSError, ValueError, TypeError):
            return None
        return found if found.boot == boot_id() else None


def boot_id() -> str:
    """Changes with each start of the machine: pids and namespaces of another boot mean nothing."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def namespace_of(pid: int, kind: str) -> str:
    """ "user:[4026532402]"; OSError when there is no such process or it is not ours to see."""
    return os.readlink(f"/proc/{pid}/ns/{kind}")  # noqa: PTH115


def members(user_namespace: str, but: Collection[int] = ()) -> Iterator[int]:
    """The processes of this user in `user_namespace`."""
    for name in os.listdir("/proc"):  # noqa: PTH208
        if name.isdigit() and int(name) not in but:
            try:
                if namespace_of(int(name), "user") == user_namespace and not is_zombie(int(name)):
                    yield int(name)
            except OSError:
                continue


def insider(record: Record) -> int:
    """A process that is in all three namespaces, as monitors are; 0 when there is none.

    Containers' own processes and pasta are in the user namespace only.
    """
    for pid in members(record.user):
        try:
            if all(namespace_of(pid, kind) == getattr(record, kind) for kind in KINDS):
                return pid
        except OSError:
            continue
    return 0


def is_zombie(pid: int) -> bool:
    """Whether it has ended and nobody has noticed yet."""
    return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[0] in "ZX"
