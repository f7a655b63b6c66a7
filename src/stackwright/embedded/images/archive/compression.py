"""Compressed streams, recognised by their first bytes, and opened within bounded memory."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Callable
from typing import Any, BinaryIO, Literal, cast

from stackwright.embedded.images.archive.errors import BadArchive

Compression = Literal["none", "gzip", "zstd", "bzip2", "xz"]
_MAGIC: tuple[tuple[bytes, Compression], ...] = (
    (b"\x1f\x8b\x08", "gzip"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\x00", "xz"),
)
_MAX_WINDOW = 128 << 20
_BUFFER = 1 << 17
BROKEN = (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile, OSError, ValueError)
"""What the decompressors raise for damaged input."""


def detect(beginning: bytes) -> Compression:
    """What the first bytes (6 suffice) say."""
    for magic, compression in _MAGIC:
        if beginning.startswith(magic):
            return compression
    return "none"


def open_compressed(stream: BinaryIO | io.RawIOBase) -> BinaryIO:
    """A reader of the plain bytes of ``stream``, whichever compression it has; ``read(n)`` gives all n but
    at the end.
    """
    buffered = io.BufferedReader(cast(io.RawIOBase, stream), _BUFFER)
    opener = _OPENERS.get(detect(buffered.peek(8)[:8]))
    plain = io.BufferedReader(_Guarded(opener(buffered)), _BUFFER) if opener else buffered
    return cast(BinaryIO, plain)


def _zstd(stream: BinaryIO) -> Callable[[int], bytes]:
    import zstandard

    decompressor = zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW)
    return decompressor.stream_reader(stream, read_size=_BUFFER, read_across_frames=True).read


class _Guarded(io.RawIOBase):
    """Turns the various exceptions of decompressors into one of ours."""

    def __init__(self, read: Callable[[int], bytes]) -> None:
        self._read = read

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        try:
            data = self._read(len(buffer))
        except BadArchive:
            raise
        except BROKEN as error:
            raise BadArchive(f"damaged compressed data: {error}") from error
        except Exception as error:
            if type(error).__name__ != "ZstdError":
                raise
            raise BadArchive(f"damaged compressed data: {error}") from error
        buffer[: len(data)] = data
        return len(data)


class _XzReader:
    """:class:`lzma.LZMAFile` without the option of a gigantic dictionary."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._decompressor = lzma.LZMADecompressor(memlimit=_MAX_WINDOW)

    def read(self, size: int) -> bytes:
        while not self._decompressor.eof:
            data = self._stream.read(1 << 16) if self._decompressor.needs_input else b""
            if not data and self._decompressor.needs_input:
                raise EOFError("the compressed data ends too early")
            plain = self._decompressor.decompress(data, size)
            if plain:
                return plain
        return b""


_OPENERS: dict[Compression, Callable[[BinaryIO], Callable[[int], bytes]]] = {
    "gzip": lambda stream: gzip.GzipFile(fileobj=stream).read,
    "zstd": _zstd,
    "bzip2": lambda stream: bz2.BZ2File(stream).read,
    "xz": lambda stream: _XzReader(stream).read,
}
