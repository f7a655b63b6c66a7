"""Frames on the sockets between engine and monitors, and records made of JSON.

A frame is `kind` (1 byte), payload length (4 bytes, big-endian), payload. Kind MESSAGE holds a JSON
object; the others hold raw bytes of a stream.
"""

from __future__ import annotations

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
