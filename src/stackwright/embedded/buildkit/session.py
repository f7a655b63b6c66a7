"""A client's session: the services that its process offers to the engine while it builds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote_plus

from grpclib.const import Cardinality, Status
from grpclib.exceptions import GRPCError, StreamTerminatedError

from stackwright.embedded.builder.errors import StepFailed
from stackwright.embedded.buildkit import messages_pb2 as pb
from stackwright.embedded.buildkit.receive import Receiver
from stackwright.embedded.buildkit.rpc import Caller
from stackwright.embedded.errors import BadParameter, NotFound
from stackwright.embedded.images.archive.limits import Limits
from stackwright.embedded.images.types import RegistryAuth

_ID_HEADER = "X-Docker-Expose-Session-Uuid"
_ARRIVES_WITHIN = 10.0
"""Seconds for a session that a solve names to be there: client and engine talk over two connections."""
_PIECE = 32_768
_DIFF_COPY = "/moby.filesync.v1.FileSync/DiffCopy"
Answer = TypeVar("Answer")


class ClientSession:
    """The engine's end of one session."""

    def __init__(self, headers: Mapping[str, Any]) -> None:
        """``headers``: of the request, or the metadata of the call, whose names are lower case."""
        self.id = str(headers.get(_ID_HEADER) or headers.get(_ID_HEADER.lower()) or "")
        if not self.id:
            raise BadParameter(f"a session needs the header {_ID_HEADER}")
        self.channel = Caller()

    async def files(
        self, name: str, into: Path, *, only: Sequence[str] = (), without: Sequence[str] = ()
    ) -> int:
        """Fetch the client's folder ``name`` into an empty one; returns the bytes of content.

        ``only``: names to fetch with what they link to, all for none; ``without``: patterns as in .dockerignore.
        """
        metadata = [("dir-name", name), *_listed("followpaths", only), *_listed("exclude-patterns", without)]
        receiver = Receiver(into, Limits.for_folder(into))
        try:
            async with self.channel.request(
                _DIFF_COPY, Cardinality.STREAM_STREAM, pb.Packet, pb.Packet, metadata=metadata
            ) as stream:
                await stream.send_request()
                await receiver.run(aiter(stream), stream.send_message)
        except (GRPCError, StreamTerminatedError) as error:
            raise BadParameter(f'failed to load "{name}" from the client: {_said(error)}') from error
        return receiver.received

    async def secret(self, name: str) -> bytes | None:
        """A build secret, None when the client has none of that name."""
        asked = pb.GetSecretRequest(ID=name)
        try:
            found = await self._ask(
                "/moby.buildkit.secrets.v1.Secrets/GetSecret", asked, pb.GetSecretResponse
            )
        except NotFound:
            return None
        return found.data

    @asynccontextmanager
    async def agent(self, name: str, folder: Path) -> AsyncIterator[Path | None]:
        """A socket in ``folder`` that reaches the client's SSH agent; None when the client lends none."""
        try:
            await self._ask("/moby.sshforward.v1.SSH/CheckAgent", pb.CheckAgentRequest(ID=name), pb.Empty)
        except (NotFound, StepFailed):
            yield None
            return
        path = folder / "agent"
        server = await asyncio.start_unix_server(lambda r, w: self._forward(name, r, w), path)
        try:
            yield path
        finally:
            server.close()
            path.unlink(missing_ok=True)

    async def _forward(self, name: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        call = self.channel.request(
            "/moby.sshforward.v1.SSH/ForwardAgent",
            Cardinality.STREAM_STREAM,
            pb.BytesMessage,
            pb.BytesMessage,
            metadata=[("buildkit.ssh.id", name)],
        )
        # However the connection ends, the step's ssh sees an end; there is nobody else to tell.
        with closing(writer), suppress(GRPCError, StreamTerminatedError, ConnectionError):
            async with call as stream:
                await stream.send_request()

                async def outward() -> None:
                    while data := await reader.read(_PIECE):
                        await stream.send_message(pb.BytesMessage(data=data))
                    await stream.end()

                sending = asyncio.ensure_future(outward())
                try:
                    async for message in stream:
                        writer.write(message.data)
                        await writer.drain()
                finally:
                    sending.cancel()

    async def credentials(self, host: str) -> RegistryAuth | None:
        """What the client knows for a registry."""
        asked = pb.CredentialsRequest(Host=host)
        try:
            found = await self._ask("/moby.filesync.v1.Auth/Credentials", asked, pb.CredentialsResponse)
        except (NotFound, StepFailed):
            return None
        return RegistryAuth.from_json({"username": found.Username, "password": found.Secret})

    async def _ask(self, method: str, asked: object, answer: type[Answer]) -> Answer:
        try:
            async with self.channel.request(method, Cardinality.UNARY_UNARY, type(asked), answer) as stream:
                await stream.send_message(asked, end=True)
                reply = await stream.recv_message()
        except GRPCError as error:
            if error.status in (Status.NOT_FOUND, Status.UNIMPLEMENTED):
                raise NotFound(_said(error)) from error
            raise StepFailed(_said(error)) from error
        except StreamTerminatedError as error:
            raise StepFailed(f"the client's session has ended: {error}") from error
        if reply is None:
            raise StepFailed(f"the client did not answer {method}")
        return reply


class Sessions:
    """The sessions that are open, by id."""

    def __init__(self) -> None:
        self._open: dict[str, ClientSession] = {}
        self._changed = asyncio.Condition()

    async def add(self, session: ClientSession) -> None:
        """A client has opened one."""
        async with self._changed:
            self._open[session.id] = session
            self._changed.notify_all()

    def remove(self, session: ClientSession) -> None:
        """Its connection ended."""
        session.channel.close()
        if self._open.get(session.id) is session:
            del self._open[session.id]

    async def get(self, session_id: str) -> ClientSession:
        """Wait for it, for a while; NotFound after that."""
        async with self._changed:
            with suppress(TimeoutError):
                async with asyncio.timeout(_ARRIVES_WITHIN):
                    await self._changed.wait_for(lambda: session_id in self._open)
        try:
            return self._open[session_id]
        except KeyError:
            raise NotFound(f"no active session for {session_id}: the client has not opened it") from None


def _listed(key: str, values: Sequence[str]) -> list[tuple[str, str]]:
    """A list as metadata; all of it quoted when a value is no plain ASCII, as BuildKit does."""
    if all(value.isascii() and value.isprintable() for value in values):
        return [(key, value) for value in values]
    return [*((key, quote_plus(value)) for value in values), (f"{key}-encoded", "1")]


def _said(error: Exception) -> str:
    return str(error.message or error.status.name) if isinstance(error, GRPCError) else str(error)
