"""Frames on the sockets between engine and monitors, and records made of JSON.

A frame is `kind` (1 byte), payload length (4 bytes, big-endian), payload. Kind MESSAGE holds a JSON
object; the others hold raw bytes of a stream.
"""

from __future__ import annotations

import _socket
import binascii
import json
import struct
from types import SimpleNamespace as Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MESSAGE = 0
STDOUT = 1
STDERR = 2
STDIN = 3
STDIN_END = 4

HEADER = struct.Struct("!BI")
MAX_PAYLOAD = 16 * 1024 * 1024
MAX_DESCRIPTORS = 64

_encode = json.JSONEncoder(separators=(",", ":")).encode
_decode = json.JSONDecoder(object_hook=lambda pairs: Record(**pairs)).decode


class ProtocolError(Exception):
    """The peer sent something that is not a frame or not a message."""


def frame(kind: int, payload: bytes) -> bytes:
    """One frame, ready to send."""
    return HEADER.pack(kind, len(payload)) + payload


def message(op: str, **fields: Any) -> bytes:
    """A MESSAGE frame with `op` and the fields."""
    return frame(MESSAGE, _encode({"op": op, **fields}).encode())


def parse(payload: bytes) -> Any:
    """The message in a MESSAGE frame as a record: objects become attributes, arrays lists."""
    try:
        return _decode(payload.decode())
    except ValueError as error:
        raise ProtocolError(f"not a message: {error}") from error


def text(data: bytes) -> str:
    """Bytes as they travel inside a message."""
    return binascii.b2a_base64(data, newline=False).decode()


def binary(value: str) -> bytes:
    """What `text` made, back again."""
    return binascii.a2b_base64(value)


class Splitter:
    """Cuts a byte stream into frames, however it was chopped up on the way."""

    __slots__ = ("_buffer",)

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """Add received bytes; the complete frames, oldest first. Raises ProtocolError when one is too long."""
        buffer = self._buffer
        buffer += data
        frames: list[tuple[int, bytes]] = []
        start = 0
        while len(buffer) - start >= HEADER.size:
            kind, length = HEADER.unpack_from(buffer, start)
            if length > MAX_PAYLOAD:
                raise ProtocolError(f"frame of {length} bytes, at most {MAX_PAYLOAD} allowed")
            end = start + HEADER.size + length
            if len(buffer) < end:
                break
            frames.append((kind, bytes(buffer[start + HEADER.size : end])))
            start = end
        del buffer[:start]
        return frames


def send(channel: _socket.socket, data: bytes, descriptors: tuple[int, ...] | list[int] = ()) -> None:
    """Send all of `data` on a blocking socket, with `descriptors` attached to its first byte."""
    if descriptors:
        rights = struct.pack(f"{len(descriptors)}i", *descriptors)
        data = data[channel.sendmsg([data], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, rights)]) :]
    if data:
        channel.sendall(data)


def receive(channel: _socket.socket, size: int = 65536, limit: int = 4) -> tuple[bytes, list[int]]:
    """Bytes and at most `limit` descriptors (close-on-exec) as they arrived; empty bytes at the end."""
    data, ancillary, _, _ = channel.recvmsg(size, _socket.CMSG_SPACE(limit * 4), _socket.MSG_CMSG_CLOEXEC)
    descriptors: list[int] = []
    for level, kind, payload in ancillary:
        if level == _socket.SOL_SOCKET and kind == _socket.SCM_RIGHTS:
            count = len(payload) // 4
            descriptors += struct.unpack(f"{count}i", payload[: count * 4])
    return data, descriptors


def receive_message_with(channel: _socket.socket) -> tuple[Any, list[int]]:
    """As `receive_message`, with the descriptors that came beside the message (at most MAX_DESCRIPTORS)."""
    data, descriptors = receive(channel, 1, MAX_DESCRIPTORS)
    rest = _exactly(channel, HEADER.size - 1) if data else None
    if rest is None:
        return None, descriptors
    kind, length = HEADER.unpack(data + rest)
    if kind != MESSAGE or length > MAX_PAYLOAD:
        raise ProtocolError(f"unexpected frame of kind {kind}, {length} bytes")
    payload = _exactly(channel, length)
    return (None if payload is None else parse(payload)), descriptors


def receive_message(channel: _socket.socket) -> Any:
    """Wait for one message on a blocking socket; None when the peer has gone."""
    return receive_message_with(channel)[0]


def _exactly(channel: _socket.socket, size: int) -> bytes | None:
    chunks = bytearray()
    while len(chunks) < size:
        chunk = channel.recv(size - len(chunks))
        if not chunk:
            return None
        chunks += chunk
    return bytes(chunks)
