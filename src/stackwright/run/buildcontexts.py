"""Named contexts of a build (Compose: build.additional_contexts), for our own engine.

The Engine API has no place for them but BuildKit's sessions; our own engine takes them as a header.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from stackwright.model.types import Build
from stackwright.run.errors import RunError, Unsupported
from stackwright.run.session import Session

CONTEXTS_HEADER = "X-Stackwright-Build-Contexts"
_IMAGE, _SERVICE = "docker-image://", "service:"
_REPOSITORY = ("git://", "git@", "ssh://", "http://", "https://")


def header(named: Mapping[str, str]) -> dict[str, str]:
    """The header that hands the contexts over."""
    if not named:
        return {}
    return {CONTEXTS_HEADER: base64.urlsafe_b64encode(json.dumps(dict(named)).encode()).decode()}


async def resolve(
    session: Session,
    recipe: Build,
    where: str,
    ensure_base: Callable[[str], Awaitable[None]],
    ensure_service: Callable[[str], Awaitable[str]],
) -> dict[str, str]:
    """What each context is for the engine; images are fetched, and services built, before.

    Raises `RunError` for a folder that is not there, `Unsupported` for what the engine cannot take.
    """
    found: dict[str, str] = {}
    for name, value in recipe.additional_contexts.items():
        if value.startswith(_SERVICE):
            found[name] = _IMAGE + await ensure_service(value.removeprefix(_SERVICE))
        elif value.startswith(_IMAGE):
            await ensure_base(value.removeprefix(_IMAGE))
            found[name] = value
        elif value.startswith(_REPOSITORY):
            found[name] = value
        elif "://" in value:
            raise Unsupported(
                f"build context {name}: {value} is no folder, image or git repository", place=where
            )
        elif session.engine.address.scheme != "unix":
            raise RunError(
                f"build context {name} is a folder of this machine, and the engine at {session.engine.address} "
                "is elsewhere",
                place=where,
            )
        elif not Path(value).is_dir():
            raise RunError(f"build context {name}: {value} is not a folder", place=where)
        else:
            found[name] = value
    return found
