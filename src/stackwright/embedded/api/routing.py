"""Which function answers which request: a table of (method, pattern), found by the first word of the path.

Why not aiohttp's own router: it would need every route twice (with and without `/v1.50`) and tries them in
turn.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stackwright.embedded.errors import BadParameter, NotFound

if TYPE_CHECKING:
    from aiohttp import web

    from stackwright.embedded.api.call import Call

    Handler = Callable[[Call], Awaitable[web.StreamResponse]]

NEWEST = (1, 50)
OLDEST = (1, 24)
_VERSION = re.compile(r"/v(\d+)\.(\d+)(?=/|$)")


@dataclass(frozen=True, slots=True)
class Route:
    """`{name}` in the pattern is one path segment, `{name:path}` any number of them.

    A `follows` route streams for as long as its client listens and is cancelled when that goes away, as every GET is;
    any other runs to its end, so that no verb is left half done by a client that was interrupted.
    """

    method: str
    pattern: str
    handler: Handler
    follows: bool = False


class Router:
    """Finds routes."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._table: defaultdict[tuple[str, str], list[tuple[re.Pattern[str], Route]]] = defaultdict(list)
        for route in routes:
            self._table[route.method, _first(route.pattern)].append((_compile(route.pattern), route))

    def find(self, method: str, path: str) -> tuple[Route, dict[str, str]]:
        """Route and path parameters for a path without version. NotFound "page not found"."""
        # HEAD is served by GET where it has no route of its own; the body is left out at the end.
        for key in (method, "GET") if method == "HEAD" else (method,):
            for pattern, route in self._table.get((key, _first(path)), ()):
                if match := pattern.fullmatch(path):
                    return route, match.groupdict()
        raise NotFound("page not found")


def split_version(path: str) -> tuple[tuple[int, int], str]:
    """`/v1.41/info` → (1, 41), `/info`; without a prefix the newest. Raises BadParameter outside of our
    range."""
    match = _VERSION.match(path)
    if not match:
        return NEWEST, path
    version = int(match[1]), int(match[2])
    if version < OLDEST:
        raise BadParameter(
            f"client version {_text(version)} is too old. Minimum supported API version is {_text(OLDEST)}, "
            "please upgrade your client to a newer version"
        )
    if version > NEWEST:
        raise BadParameter(
            f"client version {_text(version)} is too new. Maximum supported API version is {_text(NEWEST)}"
        )
    return version, path[match.end() :] or "/"


def _text(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"


def _first(path: str) -> str:
    return path.split("/", 2)[1] if path.startswith("/") else ""


def _compile(pattern: str) -> re.Pattern[str]:
    parts = re.split(r"\{(\w+)(:path)?\}", pattern)
    text = ""
    for index in range(0, len(parts), 3):
        text += re.escape(parts[index])
        if index + 1 < len(parts):
            text += f"(?P<{parts[index + 1]}>{'.+' if parts[index + 2] else '[^/]+'})"
    return re.compile(text)
