"""Turns the image's "user:group" into numbers, reading /etc/passwd and /etc/group of the root file system."""

from __future__ import annotations

from pathlib import Path

from .spec import Rootfs, User


def resolve_user(rootfs: Rootfs | Path, user: str, *, additional_groups: tuple[str, ...] = ()) -> User:
    """Identity for `user` ("", "name", "uid", "name:group", "uid:gid"), as Docker resolves it.

    `rootfs`: the overlay's directories (upper first, then lower, whiteouts respected), or one directory
    such as `Running.root`. `additional_groups`: `group_add`, names or numbers.
    Raises UserNotFound with Docker's text ("unable to find user x: no matching entries in passwd file").
    """
    raise NotImplementedError


class UserNotFound(LookupError):  # noqa: N818 - as embedded.errors names its classes
    """The name is in neither file."""
