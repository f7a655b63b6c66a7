"""`push`: the images that services build, to their registries."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from stackwright.engine.errors import PushFailed
from stackwright.engine.image_calls import split_reference
from stackwright.model.types import Service
from stackwright.run.errors import RunError
from stackwright.run.events import Note, Progress, Transfer
from stackwright.run.executor import together
from stackwright.run.session import Session, place


async def push(
    session: Session, services: Iterable[Service], *, quiet: bool = False, ignore_failures: bool = False
) -> None:
    """Push the image, and the further tags of its build, of each service that builds one.

    Raises `RunError` for a service whose build has no `image` to push, and for a refused push.
    """
    references: dict[str, Service] = {}
    for service in services:
        if service.build is None:
            session.emit(Progress(service.name, "Skipped", "done", "it builds no image"))
        elif not service.image:
            raise RunError(
                f'service "{service.name}" has no "image": nothing says where to push what it builds',
                hint=f"name it: image: registry.example.org/{session.project.name}/{service.name}:1.0",
                place=place(session.project, f"services.{service.name}.build"),
            )
        else:
            references.update(dict.fromkeys((service.image, *service.build.tags), service))

    async def one(reference: str, service: Service) -> None:
        try:
            await _push(session, reference, quiet)
        except PushFailed as error:
            session.emit(
                Progress(reference, "Error", "warning" if ignore_failures else "error", error.message)
            )
            if not ignore_failures:
                where = place(session.project, f"services.{service.name}.image")
                raise RunError(error.message, hint=_hint(error.message, reference), place=where) from error
            session.emit(Note(error.message, warning=True))

    await together([partial(one, *item) for item in references.items()], limit=session.parallel)


async def _push(session: Session, reference: str, quiet: bool) -> None:
    session.emit(Progress(reference, "Pushing"))
    digest = ""
    async for message in session.engine.push(reference, auth=await session.credentials.of(reference)):
        digest = str((message.get("aux") or {}).get("Digest") or digest)
        detail = message.get("progressDetail") or {}
        if "id" in message and not quiet:
            session.emit(
                Transfer(
                    reference,
                    str(message["id"]),
                    str(message.get("status", "")),
                    int(detail.get("current") or 0),
                    int(detail.get("total") or 0),
                )
            )
    session.emit(Progress(reference, "Pushed", "done", digest))


def _hint(message: str, reference: str) -> str:
    low = message.lower()
    name, _ = split_reference(reference)
    if any(word in low for word in ("denied", "unauthorized", "authentication", "no basic auth")):
        host = name.partition("/")[0]
        return f"log in first: docker login {host if '.' in host or ':' in host else ''}".rstrip()
    if "does not exist" in low or "no such image" in low:
        return "build it first: stackwright build"
    return "check the registry's address in the image's name"
