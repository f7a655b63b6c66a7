"""Turns the image's "user:group" into numbers, reading /etc/passwd and /etc/group of the root file system."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from .layered import read_text
from .spec import Rootfs, User

MAX_ID = 2**31 - 1


class UserNotFound(LookupError):  # noqa: N818 - as embedded.errors names its classes
    """The name is in neither file, or the number is out of range. `args[0]` is Docker's text."""


class _Account(NamedTuple):
    name: str
    uid: int
    gid: int
    home: str


class _Group(NamedTuple):
    name: str
    gid: int
    members: tuple[str, ...]


def resolve_user(rootfs: Rootfs | Path, user: str, *, additional_groups: tuple[str, ...] = ()) -> User:
    """Identity for `user` ("", "name", "uid", "name:group", "uid:gid"), as Docker resolves it.

    `rootfs`: the overlay's directories (upper first, then lower, whiteouts respected), or one directory
    such as `Running.root`. `additional_groups`: `group_add`, names or numbers.
    Raises UserNotFound with Docker's text ("unable to find user x: no matching entries in passwd file").
    """
    name, _, group = user.partition(":")
    groups = list(_groups(read_text(rootfs, "etc/group")))
    account = _account(list(_accounts(read_text(rootfs, "etc/passwd"))), name or "0")
    gid = account.gid
    if group:
        # An explicit group stands alone: no supplementary ones (libcontainer/user.GetExecUser).
        gid, supplementary = _gid(groups, group), []
    else:
        supplementary = [entry.gid for entry in groups if account.name and account.name in entry.members]
    supplementary += [_gid(groups, entry) for entry in additional_groups]
    return User(
        # The primary group among them: it must not be got rid of by setgroups(2) (CVE-2022-36109).
        uid=account.uid,
        gid=gid,
        groups=tuple(dict.fromkeys((gid, *supplementary))),
        home=account.home or "/",
    )


def _account(accounts: list[_Account], wanted: str) -> _Account:
    number = _number(wanted)
    for account in accounts:
        if account.name == wanted or account.uid == number:
            return account
    if number is None:
        raise UserNotFound(f"unable to find user {wanted}: no matching entries in passwd file")
    return _Account("", number, 0, "/root" if number == 0 else "/")


def _gid(groups: list[_Group], wanted: str) -> int:
    number = _number(wanted)
    for group in groups:
        if group.name == wanted or group.gid == number:
            return group.gid
    if number is None:
        raise UserNotFound(f"unable to find group {wanted}: no matching entries in group file")
    return number


def _number(text: str) -> int | None:
    if not text.isascii() or not text.isdigit():
        return None
    number = int(text)
    if number > MAX_ID:
        raise UserNotFound(f"uids and gids must be in range 0-{MAX_ID}")
    return number


def _accounts(text: str) -> Iterator[_Account]:
    for fields in _lines(text):
        if len(fields) >= 4 and fields[2].isdigit() and fields[3].isdigit():
            yield _Account(fields[0], int(fields[2]), int(fields[3]), fields[5] if len(fields) > 5 else "")


def _groups(text: str) -> Iterator[_Group]:
    for fields in _lines(text):
        if len(fields) >= 3 and fields[2].isdigit():
            members = tuple(fields[3].split(",")) if len(fields) > 3 else ()
            yield _Group(fields[0], int(fields[2]), members)


def _lines(text: str) -> Iterator[list[str]]:
    for line in text.splitlines():
        if line.strip() and not line.startswith("#"):
            yield line.strip().split(":")
