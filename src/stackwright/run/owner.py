"""Whose files are that are copied into a container: its user's, as numbers.

Engines offer to find that out themselves (copyUIDGID), but Docker looks the name up on the host and cannot read
`1000:1000`. So the container's own /etc/passwd and /etc/group are asked, through the archive endpoint: no program is
needed for it.
"""

from __future__ import annotations

import io
import tarfile

from stackwright.engine.client import EngineClient
from stackwright.engine.errors import ApiError


async def owner(engine: EngineClient, container: str) -> tuple[int, int]:
    """User and group id of the container's user; root's where a name is in no file."""
    text = str((await engine.inspect_container(container))["Config"].get("User") or "")
    user, _, group = text.partition(":")
    if not user:
        return 0, 0
    if user.isdigit() and group.isdigit():
        return int(user), int(group)
    uid, gid = ids(user, await _file(engine, container, "/etc/passwd"))
    if group:
        gid = int(group) if group.isdigit() else group_id(group, await _file(engine, container, "/etc/group"))
    return uid, gid


def ids(user: str, passwd: str) -> tuple[int, int]:
    """User and group id of a name or number, from the text of /etc/passwd (passwd(5)).

    >>> ids("app", "root:x:0:0::/:\\napp:x:1000:1001::/:"), ids("7", ""), ids("who", "")
    ((1000, 1001), (7, 0), (0, 0))
    """
    for line in passwd.splitlines():
        fields = line.split(":")
        if len(fields) > 3 and user in (fields[0], fields[2]) and fields[2].isdigit() and fields[3].isdigit():
            return int(fields[2]), int(fields[3])
    return (int(user), 0) if user.isdigit() else (0, 0)


def group_id(group: str, text: str) -> int:
    """The id of a group's name, from the text of /etc/group (group(5)); 0 where it is not in there."""
    for line in text.splitlines():
        fields = line.split(":")
        if len(fields) > 2 and fields[0] == group and fields[2].isdigit():
            return int(fields[2])
    return 0


async def _file(engine: EngineClient, container: str, path: str) -> str:
    try:
        _, pieces = await engine.get_archive(container, path)
        data = b"".join([piece async for piece in pieces])
    except ApiError:
        return ""
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        for member in tar:
            file = tar.extractfile(member) if member.isreg() else None
            if file is not None:
                return file.read().decode("utf-8", "replace")
    return ""
