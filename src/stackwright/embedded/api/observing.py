"""Looking at a container: logs, stats, top, changes (Engine API 1.50, Container)."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web

from stackwright.embedded.api.call import Call, answer, begin_stream
from stackwright.embedded.api.hijack import MULTIPLEXED, RAW, frame
from stackwright.embedded.api.routing import Route
from stackwright.embedded.api.stats import EMPTY, shape_stats
from stackwright.embedded.api.times import parse_time, rfc3339
from stackwright.embedded.api.top import table_of
from stackwright.embedded.containers.jsonlog import log_path
from stackwright.embedded.containers.logs import read_log
from stackwright.embedded.errors import BadParameter, NotImplementedYet
from stackwright.embedded.lifecycle.engine import Engine
from stackwright.embedded.lifecycle.record import Container

STATS_INTERVAL = 1.0
FIRST_OUTPUT = 0.1
"""Seconds."""


class ObservingRoutes:
    """Nothing here changes anything."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def table(self) -> list[Route]:
        """The routes."""
        return [
            Route("GET", "/containers/{id}/logs", self.logs, follows=True),
            Route("GET", "/containers/{id}/stats", self.stats, follows=True),
            Route("GET", "/containers/{id}/top", self.top),
        ]

    async def logs(self, call: Call) -> web.StreamResponse:
        """GET /containers/{id}/logs?stdout=&stderr=&since=&until=&tail=&follow=&timestamps=."""
        container = self._get(call)
        wanted = {name for name in ("stdout", "stderr") if call.flag(name)}
        if not wanted:
            raise BadParameter("Bad parameters: you must choose at least one stream")
        if container.host_config.log_config.type == "none":
            raise NotImplementedYet("configured logging driver does not support reading")
        await self._await_first_output(container)
        tail = call.text("tail", "all")
        stamps = call.flag("timestamps")
        lines = read_log(
            self._engine.files.directory(container.id),
            since=parse_time(call.text("since")),
            until=parse_time(call.text("until")),
            tail=int(tail) if tail.isdigit() else None,
            follow=call.flag("follow") and container.up,
        )
        tty = container.config.tty
        multiplexed = not tty and call.version >= (1, 42)
        response = await begin_stream(call, MULTIPLEXED if multiplexed else RAW)
        async for line in lines:
            if line.stream in wanted:
                data = f"{rfc3339(line.time_ns)} ".encode() + line.data if stamps else line.data
                await response.write(data if tty else frame(line.stream, data))
        return response

    async def _await_first_output(self, container: Container) -> None:
        """Right after a start, give a container that has written nothing yet a moment to.

        Containers start here in milliseconds; clients written for Docker ask for the output as soon as
        `start` returns, and find what Docker's slower start left time for.
        """
        file = Path(log_path(str(self._engine.files.directory(container.id))))
        until = container.started_ns + round(FIRST_OUTPUT * 1e9)
        # The file is written by the container's monitor: there is no event to wait for.
        while container.up and time.time_ns() < until:
            if file.exists() and file.stat().st_size:
                break
            await asyncio.sleep(0.005)

    async def stats(self, call: Call) -> web.StreamResponse:
        """GET /containers/{id}/stats?stream=&one-shot=: figures each second, or once."""
        container = self._get(call)
        stream = call.flag("stream", True)
        before = None if call.flag("one-shot") else self._sample(container)
        if not stream:
            if before is not None and container.up:
                await asyncio.sleep(STATS_INTERVAL)
            return answer(self._shape(container, self._sample(container), before))
        response = await begin_stream(call, "application/json")
        await response.write(msgspec.json.encode(self._shape(container, before, None)) + b"\n")
        while self._engine.services.containers.find(container.id) is not None:
            await asyncio.sleep(STATS_INTERVAL)
            now = self._sample(container)
            await response.write(msgspec.json.encode(self._shape(container, now, before)) + b"\n")
            before = now
        return response

    async def top(self, call: Call) -> web.StreamResponse:
        """GET /containers/{id}/top?ps_args=."""
        container = self._get(call)
        running = self._engine.manager.running(container, "top")
        table = table_of(running.processes(), call.text("ps_args", "-ef"), time.time())
        self._engine.supervisor.tell(container, "top")
        return answer(table)

    def _sample(self, container: Container) -> dict[str, Any] | None:
        running = self._engine.supervisor.running(container) if container.up else None
        return shape_stats(running.stats(), running.pid) if running else None

    def _shape(
        self, container: Container, now: dict[str, Any] | None, before: dict[str, Any] | None
    ) -> dict[str, Any]:
        earlier = before or EMPTY
        return {
            **(now or EMPTY),
            "name": f"/{container.name}",
            "id": container.id,
            "preread": earlier["read"],
            "precpu_stats": earlier["cpu_stats"],
        }

    def _get(self, call: Call) -> Container:
        return self._engine.services.containers.get(call.path["id"])
