"""The edge: a request comes in, a route is found and run, errors become `{"message": …}`."""

from __future__ import annotations

import asyncio
import logging
import platform
import sqlite3

import msgspec
from aiohttp import web

from stackwright.embedded.api.call import Call
from stackwright.embedded.api.routing import NEWEST, Route, Router, split_version
from stackwright.embedded.errors import EngineError, NotModified
from stackwright.embedded.lifecycle.activity import Activity
from stackwright.embedded.lifecycle.tasks import Tasks

log = logging.getLogger("stackwright.engine")
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

    def __init__(self, router: Router, tasks: Tasks, activity: Activity) -> None:
        self._router = router
        self._tasks = tasks
        self._activity = activity

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        """Never raises but for cancellation."""
        with self._activity.request():
            try:
                version, path = split_version(request.path)
                route, parameters = self._router.find(request.method, path)
            except EngineError as error:
                response: web.StreamResponse = refusal(error.message, error.status)
            else:
                call = Call(request, parameters, version)
                if route.follows:
                    response = await respond(route, call)
                else:
                    work = self._tasks.spawn(respond(route, call), f"{route.method} {route.pattern}")
                    response = await asyncio.shield(work)
        if not response.prepared:
            response.headers.update(_HEADERS)
        return response


async def respond(route: Route, call: Call) -> web.StreamResponse:
    """Run the route; every error becomes an answer, none with a traceback."""
    try:
        return await route.handler(call)
    except NotModified:
        return web.Response(status=304)
    except EngineError as error:
        return refusal(error.message, error.status)
    except (ConnectionError, TimeoutError) as error:
        return refusal(str(error) or "the connection was lost", 500)
    except (OSError, sqlite3.OperationalError) as error:
        # A full disk, a missing right: the client is told which, the log has where.
        log.warning("%s %s: %s", call.request.method, call.request.path, error, exc_info=True)
        return refusal(str(error), 500)
    except Exception:
        log.exception("%s %s failed", call.request.method, call.request.path)
        return refusal("internal error of the engine; its log has the details", 500)


def refusal(message: str, status: int) -> web.Response:
    """An error in Docker's form."""
    return web.Response(
        body=msgspec.json.encode({"message": message}) + b"\n", status=status, content_type="application/json"
    )
