"""gRPC by grpclib over connections that exist already: serving methods on one, calling methods on another."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar, cast

from grpclib.client import Channel
from grpclib.const import Cardinality, Handler, Status
from grpclib.encoding.base import StatusDetailsCodecBase
from grpclib.encoding.proto import ProtoCodec
from grpclib.exceptions import GRPCError
from grpclib.protocol import H2Protocol
from grpclib.server import Server, Stream

from stackwright.embedded.buildkit import messages_pb2 as pb
from stackwright.embedded.errors import EngineError

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")
Metadata = Mapping[str, Any]

_STATUS = {
    400: Status.INVALID_ARGUMENT,
    401: Status.UNAUTHENTICATED,
    403: Status.PERMISSION_DENIED,
    404: Status.NOT_FOUND,
    409: Status.FAILED_PRECONDITION,
    501: Status.UNIMPLEMENTED,
}


def unary(
    asked: type[Asked], answer: type[Answer], function: Callable[[Asked, Metadata], Awaitable[Answer]]
) -> Handler:
    """A method with one message each way; an EngineError becomes the status that fits it."""

    async def serve(stream: Stream[Asked, Answer]) -> None:
        message = await stream.recv_message()
        if message is None:
            raise GRPCError(Status.INVALID_ARGUMENT, "a message was expected")
        try:
            reply = await function(message, cast("Metadata", stream.metadata))
        except EngineError as error:
            raise as_rpc_error(error) from error
        await stream.send_message(reply)

    return Handler(serve, Cardinality.UNARY_UNARY, asked, answer)


def as_rpc_error(error: EngineError) -> GRPCError:
    """The same for a gRPC client, with the ``details`` (packed messages) that some errors have."""
    details = getattr(error, "details", None)
    return GRPCError(_STATUS.get(error.status, Status.UNKNOWN), error.message, details)


class _Details(StatusDetailsCodecBase):
    """Details of an error as ``google.rpc.Status`` has them; grpclib's own codec needs one more library for it."""

    def encode(self, status: Status, message: str | None, details: Any) -> bytes:
        packed = pb.RpcStatus(code=status.value, message=message or "", details=details)
        return packed.SerializeToString()

    def decode(self, status: Status, message: str | None, data: bytes) -> Any:
        return list(pb.RpcStatus.FromString(data).details)


class _Methods:
    """What grpclib's server takes: an object that says which paths it serves."""

    def __init__(self, methods: Mapping[str, Handler]) -> None:
        self._methods = methods

    def __mapping__(self) -> dict[str, Handler]:
        return dict(self._methods)


def serving(methods: Mapping[str, Handler]) -> H2Protocol:
    """A protocol that serves ``methods`` (by path) on the transport it is given."""
    return Server(
        [_Methods(methods)], codec=ProtoCodec(), status_details_codec=_Details()
    )._protocol_factory()


class Caller(Channel):
    """The client of a gRPC server at the other end of a connection that somebody else opened.

    ``protocol`` is for that connection's transport; calls wait for nothing but it.
    """

    def __init__(self) -> None:
        super().__init__("session", 0)
        self.protocol = self._protocol_factory()

    async def _create_connection(self) -> H2Protocol:
        return self.protocol
