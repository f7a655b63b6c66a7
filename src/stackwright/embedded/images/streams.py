"""Between the event loop and threads: request bodies to files, blocking writers to async iterators."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import CancelledError as FutureCancelled
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stackwright.embedded.errors import DiskFull
from stackwright.embedded.images.types import Progress

_PIECE = 1 << 20


@contextmanager
def full_disk_explained() -> Iterator[None]:
    """Turn "no space left on device" into an answer; it is nothing that the engine did wrong."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise DiskFull(str(error.filename or "")) from error


async def spool(stream: AsyncIterator[bytes], target: Path) -> int:
    """Write a stream to a file; returns its size. A slow sender costs no thread meanwhile."""
    size = 0
    pending: list[bytes] = []
    waiting = 0
    with target.open("wb", buffering=0) as out:
        async for data in stream:
            pending.append(bytes(data))
            waiting += len(data)
            if waiting >= _PIECE:
                await asyncio.to_thread(_write_all, out, pending)
                size += waiting
                pending, waiting = [], 0
        _write_all(out, pending)
    return size + waiting


def _write_all(out: Any, pieces: list[bytes]) -> None:
    data = memoryview(b"".join(pieces))
    while data:
        data = data[out.write(data) :]


def from_thread(progress: Progress) -> Progress:
    """A version of ``progress`` that threads may call; messages arrive in order on the loop."""
    loop = asyncio.get_running_loop()
    return lambda message: _tell(loop, progress, message)


def _tell(loop: asyncio.AbstractEventLoop, progress: Progress, message: dict[str, Any]) -> None:
    loop.call_soon_threadsafe(progress, message)


async def produced_by(produce: Callable[[Callable[[bytes], None]], None]) -> AsyncIterator[bytes]:
    """What a blocking function writes, as it writes it, at most a few pieces ahead of the reader."""
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[bytes | None] = asyncio.Queue(maxsize=4)
    buffer = bytearray()
    stopped = False

    def put(data: bytes | None) -> None:
        if stopped:
            raise BrokenPipeError("the reader is gone")
        try:
            asyncio.run_coroutine_threadsafe(queue.put(data), loop).result()
        except FutureCancelled:
            raise BrokenPipeError("the reader is gone") from None

    def write(data: bytes) -> None:
        buffer.extend(data)
        if len(buffer) >= _PIECE:
            put(bytes(buffer))
            buffer.clear()

    def run() -> None:
        try:
            produce(write)
            if buffer:
                put(bytes(buffer))
        finally:
            if not stopped:
                put(None)

    work = asyncio.create_task(asyncio.to_thread(run))
    try:
        while (data := await queue.get()) is not None:
            yield data
        await work
    finally:
        stopped = True
        while not work.done():
            while not queue.empty():
                queue.get_nowait()
            await asyncio.wait({work}, timeout=0.05)
        if not work.cancelled():
            work.exception()
