"""Streams of JSON messages while something long is done: pull, push, load, build (Engine API progress
streams)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from aiohttp import web

from stackwright.embedded.api.call import Call, begin_stream
from stackwright.embedded.api.refusals import explained

Emit = Callable[[dict[str, Any]], None]
_END: dict[str, Any] = {}


async def stream_progress(
    call: Call, work: Callable[[Emit], Awaitable[Any]], *, refuse: bool = True
) -> web.StreamResponse:
    """Run `work`, passing what it emits on as it comes; cancelled with the client.

    An error before the first message is an ordinary refusal if `refuse`; later it is the stream's last message. Work that
    has told the client of its error itself (a failed build) may raise after it: nothing is added then.
    """
    queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    told_error = False

    def emit(message: dict[str, Any]) -> None:
        nonlocal told_error
        told_error = told_error or "errorDetail" in message
        queue.put_nowait(message)

    async def run() -> None:
        try:
            await work(emit)
        finally:
            queue.put_nowait(_END)

    task = asyncio.ensure_future(run())
    response: web.StreamResponse | None = None
    try:
        while (message := await queue.get()) is not _END:
            response = response or await begin_stream(call, "application/json")
            await response.write(msgspec.json.encode(message) + b"\r\n")
        try:
            await task
        except Exception as error:
            if response is None and refuse:
                raise
            response = response or await begin_stream(call, "application/json")
            if not told_error:
                _, text = explained(error, f"{call.request.method} {call.request.path}")
                detail = {"errorDetail": {"message": text}, "error": text}
                await response.write(msgspec.json.encode(detail) + b"\r\n")
        return response or await begin_stream(call, "application/json")
    finally:
        if not task.done():
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
