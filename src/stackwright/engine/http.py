"""HTTP/1.1 for the Engine API, over asyncio streams.

Why not aiohttp: importing it takes longer than a whole `ps` of ours should, the Engine API's
attach and exec need the raw connection after the answer's head anyway, and what is left of
HTTP for one trusted peer is what follows here. See docs/decisions/0006-engine-http.md.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterable, AsyncIterator, Mapping
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, urlencode

from stackwright.engine.address import Address
from stackwright.engine.connection import Connection, dial, knock, wrap
from stackwright.engine.errors import EngineGone, ProtocolError, from_status

CHUNK = 1 << 16
Body = bytes | AsyncIterable[bytes]


class Response:
    """An answer whose head has been read. Use as a context manager, or read it to its end."""

    def __init__(
        self,
        transport: Transport,
        connection: Connection,
        status: int,
        headers: dict[str, str],
        sender: asyncio.Task[None] | None = None,
    ):
        self._transport, self._connection = transport, connection
        self.status, self.headers = status, headers
        self._done = False
        self._sender = sender  # still sending a long body while the answer comes
        if status in (204, 304) or headers.get("content-length") == "0":
            self._finish()

    def _finish(self) -> None:
        if not self._done:
            self._done = True
            if self._sender is not None and not self._sender.done():
                self._sender.cancel()
                self.headers["connection"] = "close"
            self._transport.give_back(self._connection, self.headers)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connection; one with an unread answer cannot be used again."""
        if not self._done:
            self._done = True
            if self._sender is not None:
                self._sender.cancel()
            self._connection.close()

    def no_body(self) -> None:
        """This answer has no body, though its headers may speak of one (HTTP: HEAD)."""
        self._finish()

    def take_over(self) -> Connection:
        """The connection, which is the caller's from now on."""
        self._done = True
        return self._connection

    async def _exactly(self, size: int) -> AsyncIterator[bytes]:
        while size:
            data = await self._connection.reader.read(min(size, CHUNK))
            if not data:
                raise asyncio.IncompleteReadError(b"", size)
            size -= len(data)
            yield data

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body, in the pieces in which it arrives. Raises `EngineGone` if it ends too early."""
        if self._done:
            return
        reader = self._connection.reader
        try:
            if self.headers.get("transfer-encoding", "").lower() == "chunked":
                while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
                    async for data in self._exactly(size):
                        yield data
                    await reader.readexactly(2)
                while await reader.readuntil(b"\r\n") != b"\r\n":
                    pass  # trailers
            elif "content-length" in self.headers:
                async for data in self._exactly(int(self.headers["content-length"])):
                    yield data
            else:
                while data := await reader.read(CHUNK):
                    yield data
                self.headers["connection"] = "close"
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            failed = _failure(self._sender)
            self.close()
            if failed is not None:
                raise failed from None
            raise EngineGone("the engine ended the connection in the middle of an answer") from error
        except ValueError as error:
            self.close()
            raise ProtocolError("the engine's answer is not valid HTTP") from error
        self._finish()

    async def read(self) -> bytes:
        """The whole body."""
        return b"".join([chunk async for chunk in self.chunks()])

    async def json(self) -> Any:
        """The whole body as JSON; None when it is empty."""
        body = await self.read()
        try:
            return json.loads(body) if body.strip() else None
        except ValueError as error:
            raise ProtocolError("the engine's answer is not valid JSON") from error

    async def raise_for_status(self) -> None:
        """Turn an error status into the error it stands for (Engine API: `ErrorResponse`)."""
        if self.status < 400:
            return
        body = await self.read()
        try:
            message = str(json.loads(body)["message"])
        except (ValueError, KeyError, TypeError):
            message = body.decode("utf-8", "replace")
        raise from_status(self.status, message)


def encode_query(query: Mapping[str, Any] | None) -> str:
    """Engine API query strings: booleans as 1/0, lists and dicts as JSON, None left out.

    >>> encode_query({"all": True, "filters": {"label": ["a"]}, "tail": None})
    '?all=1&filters=%7B%22label%22%3A%5B%22a%22%5D%7D'
    """
    pairs = []
    for key, value in (query or {}).items():
        if value is None:
            continue
        if isinstance(value, bool):
            value = int(value)
        elif isinstance(value, dict):
            value = json.dumps(value, separators=(",", ":"))
        if isinstance(value, (list, tuple)):
            pairs += [(key, str(item)) for item in value]
        else:
            pairs.append((key, str(value)))
    return "?" + urlencode(pairs, quote_via=quote) if pairs else ""


class Transport:
    """Requests to one engine, over a small pool of kept-alive connections."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self.prefix = ""
        self._idle: list[Connection] = []
        self._closed = False
        self._asked: tuple[str, socket.socket, socket.socket | None] | None = None
        self._keeping: asyncio.Task[None] | None = None

    def ask_ahead(self, path: str) -> None:
        """Send GET `path` before there is an event loop; the first request for it finds its answer on the way.

        A second connection is made as well, for who has two things to ask. Where nobody answers at once, nothing has
        happened.
        """
        if first := knock(self.address, self._start("GET", path, {}, None)):
            self._asked = (path, first, knock(self.address, b""))

    async def _asked_ahead(self, method: str, target: str) -> Connection | None:
        if self._asked is None or (method, target) != ("GET", self._asked[0]):
            return None
        (_, first, second), self._asked = self._asked, None
        if second is not None:
            self._keeping = asyncio.create_task(self._keep(second))
        connection = await wrap(sock=first)
        connection.used = True  # should the engine have gone since, it is asked again
        return connection

    async def _keep(self, sock: socket.socket) -> None:
        self.give_back(await wrap(sock=sock), {})

    async def _take(self) -> Connection:
        while self._idle:
            connection = self._idle.pop()
            if not connection.reader.at_eof() and not connection.writer.is_closing():
                return connection
            connection.close()
        return await dial(self.address)

    def give_back(self, connection: Connection, headers: Mapping[str, str]) -> None:
        """Keep a connection whose answer was read to its end."""
        connection.used = True
        if self._closed or headers.get("connection", "").lower() == "close":
            connection.close()
        else:
            self._idle.append(connection)

    def close(self) -> None:
        """Close what is idle; connections in use close when their answer is done."""
        self._closed = True
        for sock in self._asked[1:] if self._asked else ():
            if sock is not None:
                sock.close()
        self._asked = None
        while self._idle:
            self._idle.pop().close()

    def _start(self, method: str, target: str, headers: Mapping[str, str], body: Body | None) -> bytes:
        """What can be sent at once: the head, and a body that is there already."""
        head = [f"{method} {target} HTTP/1.1", f"Host: {self.address.host or 'engine'}"]
        head += [f"{name}: {value}" for name, value in headers.items()]
        if isinstance(body, bytes):
            head.append(f"Content-Length: {len(body)}")
        elif body is not None:
            head.append("Transfer-Encoding: chunked")
        elif method not in ("GET", "HEAD"):
            head.append("Content-Length: 0")
        return "\r\n".join(head).encode() + b"\r\n\r\n" + (body if isinstance(body, bytes) else b"")

    async def _head(self, connection: Connection) -> tuple[int, dict[str, str]]:
        try:
            head = (await connection.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        except asyncio.LimitOverrunError as error:
            raise ProtocolError("the engine's answer is not valid HTTP") from error
        first, *lines = head[:-4].split("\r\n")
        parts = first.split(" ", 2)
        if not parts[0].startswith("HTTP/1.") or len(parts) < 2 or not parts[1].isdigit():
            raise ProtocolError(f"what listens at {self.address} does not speak HTTP")
        headers: dict[str, str] = {}
        for line in lines:
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        return int(parts[1]), headers

    async def _head_beside(
        self, connection: Connection, sender: asyncio.Task[None]
    ) -> tuple[int, dict[str, str]]:
        """The same while a long body is being sent: an engine may refuse it early, or answer while it still comes."""
        reader = asyncio.create_task(self._head(connection))
        try:
            await asyncio.wait({sender, reader}, return_when=asyncio.FIRST_COMPLETED)
            if (failed := _failure(sender)) is not None:
                raise failed
            return await reader
        finally:
            if not reader.done() or reader.cancelled() or reader.exception() is not None:
                reader.cancel()
                sender.cancel()

    async def _exchange(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any] | None,
        headers: Mapping[str, str],
        body: Body | None,
    ) -> Response:
        target = self.prefix + quote(path, safe="/:@") + encode_query(query)
        while True:
            connection = await self._asked_ahead(method, target)
            if connection is None:
                connection = await self._take()
                connection.writer.write(self._start(method, target, headers, body))
            try:
                if body is None or isinstance(body, bytes):
                    return Response(self, connection, *await self._head(connection))
                sender = asyncio.create_task(_send(body, connection.writer))
                return Response(self, connection, *await self._head_beside(connection, sender), sender)
            except (asyncio.IncompleteReadError, ConnectionError) as error:
                reason = await connection.why()
                connection.close()
                if reason is not None:
                    raise reason from error
                # A kept-alive connection may have been closed under us: safe to repeat where nothing changes.
                if connection.used and method in ("GET", "HEAD"):
                    continue
                raise EngineGone(
                    f"the engine at {self.address} closed the connection without an answer"
                ) from error
            except BaseException:
                connection.close()
                raise

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        json_body: Any = None,
        body: Body | None = None,
        content_type: str = "application/json",
    ) -> Response:
        """Send a request and read the answer's head. Raises `ApiError` for a status of 400 or above."""
        sent = dict(headers or {})
        if json_body is not None:
            body = json.dumps(json_body).encode()
        if body is not None:
            sent.setdefault("Content-Type", content_type)
        response = await self._exchange(method, path, query, sent, body)
        await response.raise_for_status()
        return response

    async def head(self, path: str, *, query: Mapping[str, Any] | None = None) -> Response:
        """HEAD: an answer of headers only, whatever its status and its Content-Length say."""
        response = await self._exchange("HEAD", path, query, {}, None)
        response.no_body()
        return response

    async def hijack(
        self, path: str, *, query: Mapping[str, Any] | None = None, json_body: Any = None
    ) -> tuple[Connection, dict[str, str]]:
        """POST and take the connection over, as attach and exec do (Engine API: "Hijacking")."""
        body = json.dumps(json_body).encode() if json_body is not None else b""
        headers = {"Content-Type": "application/json", "Connection": "Upgrade", "Upgrade": "tcp"}
        response = await self._exchange("POST", path, query, headers, body)
        if response.status >= 300:
            await response.raise_for_status()
            response.close()
            raise ProtocolError(f"the engine answered {response.status} where a stream was asked for")
        return response.take_over(), response.headers


async def _send(body: AsyncIterable[bytes], writer: asyncio.StreamWriter) -> None:
    """A body of unknown length (RFC 9112, 7.1: chunked transfer coding)."""
    async for piece in body:
        if piece:
            writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            await writer.drain()
    writer.write(b"0\r\n\r\n")
    await writer.drain()


def _failure(task: asyncio.Task[None] | None) -> BaseException | None:
    """What went wrong on our side while sending; a closed connection is the other side's business."""
    if task is None or not task.done() or task.cancelled():
        return None
    error = task.exception()
    return None if isinstance(error, ConnectionError) else error
