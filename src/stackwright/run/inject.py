"""Configs and secrets that are copied into a container before it starts, with owner and mode."""

from __future__ import annotations

import io
import posixpath
from pathlib import Path

from stackwright.model.types import Service
from stackwright.plan import mounts
from stackwright.run.errors import RunError
from stackwright.run.session import Session, place


async def files(session: Session, service: Service, container: str) -> None:
    """Copy what `plan.mounts.injected` names into the container."""
    entries = mounts.injected(session.project, service)
    if not entries:
        return
    import tarfile  # with its compressors, a tenth of a small command's start

    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for entry in entries:
            try:
                content = Path(entry.file).read_bytes() if entry.content is None else entry.content
            except OSError as error:
                raise RunError(
                    f"service {service.name}: {entry.file} cannot be read: {error.strerror}",
                    place=place(session.project, f"services.{service.name}"),
                ) from error
            member = tarfile.TarInfo(posixpath.normpath(entry.target).lstrip("/"))
            member.size, member.mode = len(content), entry.mode
            member.uid, member.gid = entry.uid, entry.gid
            tar.addfile(member, io.BytesIO(content))
    await session.engine.put_archive(container, "/", archive.getvalue())
