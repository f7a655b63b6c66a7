"""Counts what an engine could leave on the host: each kind as a set, to be compared before and after."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, fields
from pathlib import Path


@dataclass(frozen=True)
class HostState:
    """Everything of ours that the kernel and the temporary folders hold at one moment."""

    processes: frozenset[str]
    mounts: frozenset[str]
    links: frozenset[str]
    nft_tables: frozenset[str]
    firewall_rules: frozenset[str]
    cgroups: frozenset[str]
    network_namespaces: frozenset[str]
    temporary_files: frozenset[str]

    def added_since(self, before: HostState) -> dict[str, list[str]]:
        """What is here and was not in `before`, by kind; empty when nothing was left behind."""
        added = {
            field.name: sorted(getattr(self, field.name) - getattr(before, field.name))
            for field in fields(self)
        }
        return {kind: names for kind, names in added.items() if names}


def groups_of(instance: str) -> list[Path]:
    """The control groups of one engine, wherever they are. Others may go meanwhile: not every walker minds that."""
    return [
        Path(folder, instance)
        for folder, inside, _ in os.walk("/sys/fs/cgroup")
        if folder.endswith("/stackwright") and instance in inside
    ]


def host_state(*, mentioning: str = "stackwright") -> HostState:
    """Takes the picture; processes and temporary files count when their name holds `mentioning`."""
    return HostState(
        processes=_processes(mentioning),
        mounts=frozenset(line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()),
        links=frozenset(path.name for path in Path("/sys/class/net").iterdir()),
        nft_tables=frozenset(_lines("nft", "list", "tables")),
        firewall_rules=frozenset(_lines("iptables-save")) - _counters(),
        cgroups=_cgroups(mentioning),
        network_namespaces=frozenset(str(path) for path in Path("/run/netns").glob("*")),
        temporary_files=frozenset(str(path) for path in Path(tempfile.gettempdir()).glob(f"*{mentioning}*")),
    )


def _processes(mentioning: str) -> frozenset[str]:
    found = set()
    own = {os.getpid(), os.getppid()}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit() or int(folder.name) in own:
            continue
        try:
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if mentioning in command and "pytest" not in command:
            found.add(f"{folder.name} {command.strip()}")
    return frozenset(found)


def _cgroups(mentioning: str) -> frozenset[str]:
    found = set()
    for root, folders, _ in os.walk("/sys/fs/cgroup"):
        found.update(path for path in (f"{root}/{name}" for name in folders) if mentioning in path)
        if root.count("/") > 5:
            folders.clear()
    return frozenset(found)


def _lines(*command: str) -> list[str]:
    if shutil.which(command[0]) is None:
        return []
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    return [line for line in result.stdout.splitlines() if not line.startswith("#")]


def _counters() -> frozenset[str]:
    # Chain headers carry packet counters, which change by themselves.
    return frozenset(line for line in _lines("iptables-save") if line.startswith(":"))
