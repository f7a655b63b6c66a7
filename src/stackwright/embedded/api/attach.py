"""Raw streams: attach, and exec with its stream (Engine API 1.50, ContainerAttach, ExecStart)."""

from __future__ import annotations

import asyncio

from aiohttp import web

from stackwright.embedded.api.call import Call, answer, nothing
from stackwright.embedded.api.detach import DetachKeys, parse_keys
from stackwright.embedded.api.hijack import Hijacked, exchange, take_over
from stackwright.embedded.api.routing import Route
from stackwright.embedded.api.websocket import WebSocketPeer
from stackwright.embedded.containers.logs import read_log
from stackwright.embedded.errors import BadParameter, EngineError
from stackwright.embedded.lifecycle.config import ExecConfig, convert
from stackwright.embedded.lifecycle.engine import Engine
from stackwright.embedded.lifecycle.execs import Exec
from stackwright.embedded.lifecycle.live import Streams


class AttachRoutes:
    """Attach and exec."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def table(self) -> list[Route]:
        """The routes."""
        return [
            Route("POST", "/containers/{id}/attach", self.attach, follows=True),
            Route("GET", "/containers/{id}/attach/ws", self.attach_websocket, follows=True),
            Route("POST", "/containers/{id}/exec", self.create_exec),
            Route("POST", "/exec/{id}/start", self.start_exec, follows=True),
            Route("POST", "/exec/{id}/resize", self.resize_exec),
            Route("GET", "/exec/{id}/json", self.inspect_exec),
        ]

    async def attach(self, call: Call) -> web.StreamResponse:
        """POST /containers/{id}/attach?stream=&stdin=&stdout=&stderr=&logs=: also before the start."""
        container = self._engine.services.containers.get(call.path["id"])
        await call.body()
        detach = detach_keys(call.text("detachKeys"), tty=container.config.tty)
        streams = Streams(
            stdin=call.flag("stdin") and container.config.open_stdin,
            stdout=call.flag("stdout"),
            stderr=call.flag("stderr"),
        )
        future = await self._engine.manager.attach(container, streams) if call.flag("stream") else None
        connection = take_over(call, tty=container.config.tty)
        try:
            if call.flag("logs"):
                await connection.header_taken()
                async for line in read_log(self._engine.files.directory(container.id)):
                    await connection.send(line.stream, line.data)
            if future is not None:
                stream = await future
                if await exchange(connection, stream, stdin=streams.stdin, detach=detach):
                    self._engine.supervisor.tell(container, "detach")
        except (ConnectionError, asyncio.CancelledError):
            if future is None or not future.cancelled():
                raise
        finally:
            if future is not None:
                future.cancel()
            await connection.close()
        return Hijacked()

    async def attach_websocket(self, call: Call) -> web.StreamResponse:
        """GET /containers/{id}/attach/ws: as attach, over a WebSocket and without frames."""
        container = self._engine.services.containers.get(call.path["id"])
        detach = detach_keys(call.text("detachKeys"), tty=container.config.tty)
        wanted = [call.flag(name) for name in ("stdin", "stdout", "stderr")]
        streams = Streams(wanted[0] and container.config.open_stdin, wanted[1], wanted[2])
        future = await self._engine.manager.attach(container, streams) if call.flag("stream") else None
        peer = WebSocketPeer()
        try:
            await peer.accept(call)
            if call.flag("logs"):
                async for line in read_log(self._engine.files.directory(container.id)):
                    await peer.send(line.stream, line.data)
            if future is not None:
                await exchange(peer, await future, stdin=streams.stdin, detach=detach)
        finally:
            if future is not None:
                future.cancel()
            await peer.close()
        return peer.response

    async def create_exec(self, call: Call) -> web.StreamResponse:
        """POST /containers/{id}/exec."""
        container = self._engine.services.containers.get(call.path["id"])
        config = await call.json(ExecConfig)
        return answer({"Id": self._engine.execs.create(container, config).id}, 201)

    async def start_exec(self, call: Call) -> web.StreamResponse:
        """POST /exec/{id}/start: detached, or with the connection as its stream."""
        exec_ = self._engine.execs.get(call.path["id"])
        body = await call.json_object()
        size = convert(body.get("ConsoleSize") or exec_.config.console_size, list[int])
        console = (size[0], size[1]) if len(size) == 2 else (0, 0)
        if body.get("Detach"):
            await self._engine.execs.start(exec_, attach=False, console_size=console)
            return web.Response(status=200)
        self._engine.execs.check(exec_)
        detach = detach_keys(exec_.config.detach_keys, tty=exec_.config.tty)
        # The answer goes out before the program starts: docker-py loses output that comes in one piece
        # with it.
        # Framed or not is what this request says, as with Docker, whatever the session was created with.
        connection = take_over(call, tty=bool(body.get("Tty")))
        try:
            session = await self._engine.execs.start(exec_, attach=True, console_size=console)
        except EngineError as error:
            # As Docker does: the stream carries the reason, and the exit code comes with inspect.
            await connection.header_taken()
            await connection.send("stdout", f"{error.message}\r\n".encode())
            await connection.close()
            return Hijacked()
        assert session.stream is not None, "an attached session has a stream"
        await connection.header_taken()
        stdin = exec_.config.attach_stdin
        if await exchange(connection, session.stream, stdin=stdin, detach=detach):
            self._engine.supervisor.tell(exec_.container, "exec_detach", {"execID": exec_.id})
        return Hijacked()

    async def resize_exec(self, call: Call) -> web.StreamResponse:
        """POST /exec/{id}/resize?h=&w=."""
        rows, columns = call.number("h"), call.number("w")
        if rows is None or columns is None:
            raise BadParameter("h and w are needed")
        await self._engine.execs.resize(self._engine.execs.get(call.path["id"]), rows, columns)
        return nothing() if call.version >= (1, 50) else web.Response(status=200)

    async def inspect_exec(self, call: Call) -> web.StreamResponse:
        """GET /exec/{id}/json."""
        return answer(exec_shape(self._engine.execs.get(call.path["id"])))


def detach_keys(text: str, *, tty: bool) -> DetachKeys | None:
    """Only who sits at a terminal types keys. Raises BadParameter."""
    keys = parse_keys(text)
    return DetachKeys(keys) if tty else None


def exec_shape(exec_: Exec) -> dict[str, object]:
    """ExecInspect."""
    config = exec_.config
    return {
        "ID": exec_.id,
        "Running": exec_.running,
        "ExitCode": exec_.exit_code,
        "ProcessConfig": {
            "tty": config.tty,
            "entrypoint": config.cmd[0],
            "arguments": config.cmd[1:],
            "privileged": config.privileged,
            "user": config.user,
        },
        "OpenStdin": config.attach_stdin,
        "OpenStderr": config.attach_stderr,
        "OpenStdout": config.attach_stdout,
        "CanRemove": False,
        "ContainerID": exec_.container.id,
        "DetachKeys": config.detach_keys,
        "Pid": exec_.session.pid if exec_.session else 0,
    }
