"""One request as the routes see it: parameters read with Docker's rules, answers in Docker's form."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec
from aiohttp import web

from stackwright.embedded.errors import BadParameter, Unavailable
from stackwright.embedded.lifecycle.config import convert

T = TypeVar("T")
MAX_BODY = 8 * 1024 * 1024
SLOWEST_BODY = 60.0
_FALSE = {"", "0", "no", "false", "none"}


@dataclass(slots=True)
class Bodies:
    """What all requests under way may take of time and memory with what they send.

    `within`: seconds for a small body, whole; an upload may pause five times as long between two pieces.
    """

    within: float = SLOWEST_BODY
    most: int = 16 * MAX_BODY
    held: int = 0
    """Bytes of small bodies in memory now."""

    @property
    def pause(self) -> float:
        """Seconds."""
        return 5 * self.within

    @contextmanager
    def holding(self) -> Iterator[Callable[[int], None]]:
        """Count bytes while a body is being read. What it yields raises BadParameter, Unavailable for too many."""
        own = 0

        def more(size: int) -> None:
            nonlocal own
            own += size
            self.held += size
            if own > MAX_BODY:
                raise BadParameter(f"request body too large: the limit is {MAX_BODY} bytes")
            if self.held > self.most:
                raise Unavailable(
                    f"other requests that have not come to their end hold {self.most} bytes: try again"
                )

        try:
            yield more
        finally:
            self.held -= own


@dataclass(slots=True)
class Call:
    """`path` are the pattern's parameters; `version` what the client negotiated."""

    request: web.BaseRequest
    path: Mapping[str, str]
    version: tuple[int, int]
    bodies: Bodies
    answering: bool = False
    """Whether a part of the answer is on its way: from then on there is no other answer."""

    def text(self, name: str, default: str = "") -> str:
        """A query parameter."""
        return self.request.query.get(name, default)

    def texts(self, name: str) -> list[str]:
        """All values of a repeated query parameter."""
        return self.request.query.getall(name, [])

    def flag(self, name: str, default: bool = False) -> bool:
        """A boolean as Docker reads it: anything but "", 0, no, false, none is true."""
        value = self.request.query.get(name)
        return default if value is None else value.strip().lower() not in _FALSE

    def number(self, name: str) -> int | None:
        """A whole number, None when absent. Raises BadParameter."""
        value = self.request.query.get(name, "")
        if not value:
            return None
        try:
            return int(value)
        except ValueError:
            raise BadParameter(f'invalid value "{value}" for {name}: it is not a number') from None

    def filters(self) -> dict[str, set[str]]:
        """The `filters` parameter, `{"label": {"a=b": true}}` or `{"label": ["a=b"]}`. Raises
        BadParameter."""
        text = self.request.query.get("filters", "")
        if not text:
            return {}
        try:
            raw = json.loads(text)
            result = {
                str(key): {str(v) for v, on in values.items() if on}
                if isinstance(values, dict)
                else {str(v) for v in values}
                for key, values in raw.items()
            }
        except (ValueError, AttributeError, TypeError, RecursionError):
            raise BadParameter(f"invalid filter: {text[:200]}") from None
        return result

    async def raw_json(self) -> Any:
        """The body as JSON; an empty one is `{}`. Raises BadParameter; bounded in size and time."""
        data = await self.body()
        if not data.strip():
            return {}
        try:
            return msgspec.json.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise BadParameter(f"invalid JSON: {error}") from error

    async def json_object(self) -> dict[str, Any]:
        """The body as a JSON object."""
        value = await self.raw_json()
        if not isinstance(value, dict):
            raise BadParameter("invalid JSON: an object was expected")
        return value

    async def json(self, kind: type[T]) -> T:
        """The body as a value of `kind`."""
        return convert(await self.json_object(), kind)

    async def body(self) -> bytes:
        """A small body, whole. Raises BadParameter when it is too large or too slow."""
        chunks = []
        try:
            with self.bodies.holding() as more:
                async with asyncio.timeout(self.bodies.within):
                    async for chunk in self.request.content.iter_any():
                        more(len(chunk))
                        chunks.append(chunk)
        except TimeoutError:
            raise BadParameter("the request's body did not arrive in time") from None
        return b"".join(chunks)

    async def stream(self) -> AsyncIterator[bytes]:
        """A large body (archives), piece by piece; takes as long as it goes on coming. Raises BadParameter."""
        pieces = self.request.content.iter_any()
        while True:
            try:
                async with asyncio.timeout(self.bodies.pause):
                    piece = await anext(pieces)
            except StopAsyncIteration:
                return
            except TimeoutError:
                raise BadParameter(
                    f"the request's body stalled: nothing came for {self.bodies.pause:g} seconds"
                ) from None
            yield piece


def answer(value: Any, status: int = 200) -> web.Response:
    """JSON."""
    return web.Response(
        body=msgspec.json.encode(value) + b"\n", status=status, content_type="application/json"
    )


def nothing() -> web.Response:
    """204."""
    return web.Response(status=204)


async def begin_stream(
    call: Call, content_type: str, headers: Mapping[str, str] | None = None
) -> web.StreamResponse:
    """Headers out now, the body follows by `write`."""
    response = web.StreamResponse(headers={"Content-Type": content_type, **(headers or {})})
    call.answering = True
    await response.prepare(call.request)
    return response
