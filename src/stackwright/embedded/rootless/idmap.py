"""Subordinate ids (subuid(5)) and mapping them into a new user namespace (newuidmap(1))."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from stackwright.embedded.rootless.errors import RootlessError

WANTED = 65536
"""Ids above 0 that images may use."""

Extent = tuple[int, int, int]
"""First id inside, first id outside, how many."""


def ranges(text: str, names: Iterable[str]) -> list[tuple[int, int]]:
    """(first id, count) of every line of /etc/subuid that begins with one of `names`."""
    wanted = set(names)
    found = []
    for line in text.splitlines():
        fields = line.strip().split(":")
        if len(fields) == 3 and fields[0] in wanted and fields[1].isdigit() and fields[2].isdigit():
            found.append((int(fields[1]), int(fields[2])))
    return found


def extents(own: int, subordinate: Iterable[tuple[int, int]]) -> list[Extent]:
    """0 → `own`; 1 and up → the subordinate ids, in their order, at most WANTED of them."""
    mapped = [(0, own, 1)]
    inside = 1
    for first, count in subordinate:
        taken = min(count, WANTED + 1 - inside)
        if taken > 0:
            mapped.append((inside, first, taken))
            inside += taken
    return mapped


def map_ids(pid: int) -> str:
    """Map the ids of the user namespace that `pid` has just made.

    Returns "" when images may use many users, else why there is only one. Raises RootlessError.
    """
    uids, gids, problem = _plans()
    if not problem:
        problem = _by_helper("newuidmap", pid, uids) or _by_helper("newgidmap", pid, gids)
    if problem:
        _one_id(pid)
    return problem


def _plans() -> tuple[list[Extent], list[Extent], str]:
    uid, gid = os.getuid(), os.getgid()
    names = [str(uid)]
    with suppress(KeyError):  # a user without an account
        names.append(pwd.getpwuid(uid).pw_name)
    uids = extents(uid, ranges(_read("/etc/subuid"), names))
    gids = extents(gid, ranges(_read("/etc/subgid"), names))
    for program in ("newuidmap", "newgidmap"):
        if shutil.which(program) is None:
            return uids, gids, f"{program} is not installed (Debian package uidmap)"
    for mapped, file in ((uids, "/etc/subuid"), (gids, "/etc/subgid")):
        if len(mapped) == 1:
            return uids, gids, f"{file} has no ids for user {names[-1]}"
    return uids, gids, ""


def _by_helper(program: str, pid: int, mapped: list[Extent]) -> str:
    words = [str(number) for extent in mapped for number in extent]
    try:
        done = subprocess.run(
            [program, str(pid), *words], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{program} could not be run: {error}"
    return "" if done.returncode == 0 else (done.stderr.strip() or f"{program} failed")


def _one_id(pid: int) -> None:
    uid, gid = os.getuid(), os.getgid()
    try:
        Path(f"/proc/{pid}/setgroups").write_text("deny")
        for name, own in (("uid_map", uid), ("gid_map", gid)):
            path = Path(f"/proc/{pid}/{name}")
            if not path.read_text().strip():
                path.write_text(f"0 {own} 1")
    except OSError as error:
        raise RootlessError(f"no user can be mapped into a user namespace: {error}") from error


def _read(path: str) -> str:
    try:
        return Path(path).read_text(errors="replace")
    except OSError:
        return ""
