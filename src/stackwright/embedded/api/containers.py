"""Routes of /containers that create, list, inspect and change (Engine API 1.50, Container)."""

from __future__ import annotations

import asyncio
import time

import msgspec
from aiohttp import web

from stackwright.embedded.api.call import Call, answer, begin_stream, nothing
from stackwright.embedded.api.filters import check_filters, select
from stackwright.embedded.api.routing import Route
from stackwright.embedded.api.shapes import inspect_container, list_item
from stackwright.embedded.api.times import parse_time
from stackwright.embedded.errors import BadParameter, EngineError
from stackwright.embedded.lifecycle.config import parse_create
from stackwright.embedded.lifecycle.engine import Engine
from stackwright.embedded.lifecycle.machine import DOWN
from stackwright.embedded.lifecycle.record import Container


class ContainerRoutes:
    """Thin: find the container, call the verb, shape the answer."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._manager = engine.manager

    def table(self) -> list[Route]:
        """The routes."""
        return [
            Route("GET", "/containers/json", self.list),
            Route("POST", "/containers/create", self.create),
            Route("POST", "/containers/prune", self.prune),
            Route("GET", "/containers/{id}/json", self.inspect),
            Route("POST", "/containers/{id}/start", self.start),
            Route("POST", "/containers/{id}/stop", self.stop),
            Route("POST", "/containers/{id}/restart", self.restart),
            Route("POST", "/containers/{id}/kill", self.kill),
            Route("POST", "/containers/{id}/pause", self.pause),
            Route("POST", "/containers/{id}/unpause", self.unpause),
            Route("POST", "/containers/{id}/rename", self.rename),
            Route("POST", "/containers/{id}/update", self.update),
            Route("POST", "/containers/{id}/resize", self.resize),
            Route("POST", "/containers/{id}/wait", self.wait, follows=True),
            Route("DELETE", "/containers/{id}", self.remove),
        ]

    async def list(self, call: Call) -> web.StreamResponse:
        """GET /containers/json: running ones, or all, newest first."""
        filters = check_filters(call.filters())
        limit = max(call.number("limit") or 0, 0)  # docker-py says -1 for "all"
        everything = call.flag("all") or limit > 0 or "status" in filters or "exited" in filters
        chosen = [
            container
            for container in select(self._engine, filters)
            if everything or container.status not in DOWN
        ]
        chosen.sort(key=lambda c: c.created_ns, reverse=True)
        size = call.flag("size")
        return answer([list_item(self._engine, c, size=size) for c in chosen[: limit or None]])

    async def create(self, call: Call) -> web.StreamResponse:
        """POST /containers/create; with `snapshot=` (our own) what the body leaves out is as in the snapshot."""
        body = await call.json_object()
        if reference := call.text("snapshot"):
            snapshot, clone = self._engine.snapshots.clone(reference, body)
            created = await self._engine.creator.create_from(snapshot, clone, call.text("name"))
            return answer({"Id": created.container.id, "Warnings": created.warnings}, 201)
        if not body:
            raise BadParameter("config cannot be empty in order to create a container")
        created = await self._engine.creator.create(parse_create(body), call.text("name"))
        return answer({"Id": created.container.id, "Warnings": created.warnings}, 201)

    async def inspect(self, call: Call) -> web.StreamResponse:
        """GET /containers/{id}/json."""
        return answer(inspect_container(self._engine, self._get(call), size=call.flag("size")))

    async def start(self, call: Call) -> web.StreamResponse:
        """POST /containers/{id}/start."""
        await self._manager.start(self._get(call))
        return nothing()

    async def stop(self, call: Call) -> web.StreamResponse:
        """POST /containers/{id}/stop?t=&signal=."""
        await self._manager.stop(self._get(call), call.number("t"), call.text("signal"))
        return nothing()

    async def restart(self, call: Call) -> web.StreamResponse:
        """POST /containers/{id}/restart?t=&signal=."""
        await self._manager.restart(self._get(call), call.number("t"), call.text("signal"))
        return nothing()

    async def kill(self, call: Call) -> web.StreamResponse:
        """POST /containers/{id}/kill?signal=."""
        await self._manager.kill(self._get(call), call.text("signal"))
        return nothing()

    async def pause(self, call: Call) -> web.StreamResponse:
        """POST /containers/{id}/pause."""
        await self._manager.pause(self._get(call))
        return nothing()

    async def unpause(self, call: Call) -> web.StreamResponse:
        """POST /containers/{id}/unpause."""
        await self._manager.unpause(self._get(call))
        return nothing()

    async def rename(self, call: Call) -> web.StreamResponse:
        """POST /containers/{id}/rename?name=."""
        self._manager.rename(self._get(call), call.text("name"))
        return nothing()

    async def update(self, call: Call) -> web.StreamResponse:
        """POST /containers/{id}/update."""
        await self._manager.update(self._get(call), await call.json_object())
        return answer({"Warnings": []})

    async def resize(self, call: Call) -> web.StreamResponse:
        """POST /containers/{id}/resize?h=&w=."""
        running = self._manager.running(self._get(call), "resize")
        await running.resize(call.number("h") or 0, call.number("w") or 0)
        return web.Response(status=200)

    async def wait(self, call: Call) -> web.StreamResponse:
        """POST /containers/{id}/wait?condition=: headers at once, for clients start only after them."""
        container = self._get(call)
        future = self._manager.wait(container, call.text("condition"))
        try:
            response = await begin_stream(call, "application/json")
            code = await future
        finally:
            future.cancel()
        await response.write(msgspec.json.encode({"StatusCode": code}) + b"\n")
        return response

    async def remove(self, call: Call) -> web.StreamResponse:
        """DELETE /containers/{id}?force=&v=."""
        if call.flag("link"):
            raise BadParameter("links between containers are not kept as names: nothing to remove")
        await self._manager.remove(self._get(call), force=call.flag("force"), volumes=call.flag("v"))
        return nothing()

    async def prune(self, call: Call) -> web.StreamResponse:
        """POST /containers/prune: all that do not run (filters until, label, label!)."""
        filters = call.filters()
        until = parse_time(next(iter(filters.pop("until", ())), "")) or time.time_ns()
        removed, reclaimed = [], 0
        for container in select(self._engine, filters):
            if container.status not in DOWN or container.created_ns > until:
                continue
            size = await asyncio.to_thread(self._engine.sizes, container)
            try:
                await self._manager.remove(container)
            except EngineError:
                continue  # it was started, or is being removed, by somebody else
            removed.append(container.id)
            reclaimed += size["SizeRw"]
        await self._engine.files.trash.settle()  # the space is wanted now
        self._engine.services.events.pruned("container", reclaimed)
        return answer({"ContainersDeleted": removed or None, "SpaceReclaimed": reclaimed})

    def _get(self, call: Call) -> Container:
        return self._engine.services.containers.get(call.path["id"])
