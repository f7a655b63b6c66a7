"""The edge: a request comes in, a route is found and run, errors become `{"message": …}`."""

from __future__ import annotations

import asyncio
import platform

import msgspec
from aiohttp import web

from stackwright.embedded.api.call import Bodies, Call
from stackwright.embedded.api.refusals import explained
from stackwright.embedded.api.routing import NEWEST, Route, Router, split_version
from stackwright.embedded.errors import EngineError, NotModified
from stackwright.embedded.lifecycle.activity import Activity
from stackwright.embedded.lifecycle.tasks import Tasks

VERSION = "0.1.0"
_HEADERS = {
    "Api-Version": f"{NEWEST[0]}.{NEWEST[1]}",
    "Docker-Experimental": "false",
    "Ostype": "linux",
    "Server": f"Stackwright/{VERSION} ({platform.system().lower()})",
}


MAX_HEADER = 1 << 20
"""Bytes of one header: build secrets come in one."""
HEADERS_WITHIN = 300.0
"""Seconds for a client to send a request's head, and to leave a connection idle; dockerd's own number."""


def http_server(dispatcher: Dispatcher, *, headers_within: float = HEADERS_WITHIN) -> web.Server:
    """The HTTP server, bounded in what a client can make it keep: bytes of a head, and time for one."""
    return web.Server(
        dispatcher,
        handler_cancellation=True,
        access_log=None,
        max_field_size=MAX_HEADER,
        keepalive_timeout=headers_within,
    )


class Dispatcher:
    """The handler given to aiohttp's low-level server."""

    def __init__(self, router: Router, tasks: Tasks, activity: Activity, bodies: Bodies) -> None:
        self._router = router
        self._tasks = tasks
        self._activity = activity
        self._bodies = bodies

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        """Never raises but for cancellation."""
        with self._activity.request():
            try:
                version, path = split_version(request.path)
                route, parameters = self._router.find(request.method, path)
            except EngineError as error:
                response: web.StreamResponse = refusal(error.message, error.status)
            else:
                call = Call(request, parameters, version, self._bodies)
                if route.follows or route.method == "GET":  # who only looks leaves nothing half done
                    response = await respond(route, call)
                else:
                    work = self._tasks.spawn(respond(route, call), f"{route.method} {route.pattern}")
                    response = await asyncio.shield(work)
        if not response.prepared:
            response.headers.update(_HEADERS)
        return response


async def respond(route: Route, call: Call) -> web.StreamResponse:
    """Run the route; every error becomes an answer, none with a traceback. Where a part of the answer is on its way
    already, the connection ends instead: the client must not take what it has for all.
    """
    try:
        return await route.handler(call)
    except NotModified:
        return web.Response(status=304)
    except Exception as error:
        status, message = explained(error, f"{call.request.method} {call.request.path}")
        if not call.answering:
            return refusal(message, status)
        if call.request.transport is not None:
            call.request.transport.abort()
        raise ConnectionResetError("cut off: the answer cannot be completed") from error


def refusal(message: str, status: int) -> web.Response:
    """An error in Docker's form."""
    return web.Response(
        body=msgspec.json.encode({"message": message}) + b"\n", status=status, content_type="application/json"
    )
