"""Connects this process's standard streams to a container's: exec, run, attach.

With a terminal the bytes pass untouched in both directions and the window's size follows ours;
without one, output is split into stdout and stderr again.
"""

from __future__ import annotations

import asyncio
import os
import select
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager

from stackwright.engine.errors import ApiError
from stackwright.engine.streams import STDERR, Stream

Resize = Callable[[int, int], Awaitable[None]]
PIECE = 1 << 16


@contextmanager
def raw_terminal(descriptor: int) -> Iterator[None]:
    """Keystrokes go through as they are; the terminal is as before afterwards."""
    if descriptor < 0 or not os.isatty(descriptor):
        yield
        return
    import termios
    import tty

    before = termios.tcgetattr(descriptor)
    try:
        tty.setraw(descriptor, termios.TCSANOW)
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


async def pump_input(stream: Stream, descriptor: int) -> None:
    """Send what can be read from `descriptor` until its end, then close the other side's input."""
    async for data in _pieces(descriptor):
        await stream.write(data)
    await stream.close_input()


async def _pieces(descriptor: int) -> AsyncIterator[bytes]:
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    try:
        loop.add_reader(descriptor, readable.set)
    except OSError:  # a regular file or /dev/null: never blocks
        while data := os.read(descriptor, PIECE):
            yield data
            await asyncio.sleep(0)
        return
    try:
        while True:
            await readable.wait()
            readable.clear()
            # The loop may report the same bytes twice, and a second read would block us all. The
            # descriptor itself stays blocking: others share it (the shell that started us).
            if not select.select([descriptor], [], [], 0)[0]:
                continue
            try:
                data = os.read(descriptor, PIECE)
            except OSError:  # the terminal is gone
                return
            if not data:
                return
            yield data
    finally:
        loop.remove_reader(descriptor)


async def pump_output(stream: Stream) -> None:
    """Write the container's output to our stdout and stderr until it ends."""
    async for chunk in stream:
        out = sys.stderr.buffer if chunk.stream == STDERR else sys.stdout.buffer
        out.write(chunk.data)
        out.flush()


@contextmanager
def following_window(resize: Resize) -> Iterator[None]:
    """Tell the container our window's size, now and whenever it changes."""
    loop = asyncio.get_running_loop()
    tasks: set[asyncio.Task[None]] = set()

    async def tell() -> None:
        for pause in (0.005, 0.02, 0.05, 0.1, 0.2, 0.4):
            try:
                size = os.get_terminal_size(sys.stdout.fileno())
                return await resize(size.lines, size.columns)
            except ApiError:  # the process is only being started
                await asyncio.sleep(pause)
            except OSError:
                return None
        return None

    def changed() -> None:
        task = asyncio.ensure_future(tell())
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    loop.add_signal_handler(signal.SIGWINCH, changed)
    changed()
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGWINCH)


async def converse(stream: Stream, *, stdin: bool, tty: bool, resize: Resize) -> None:
    """Pass input and output until the output ends."""
    sys.stdout.flush()
    descriptor = sys.stdin.fileno() if stdin else -1
    if not tty:
        async with asyncio.TaskGroup() as group:
            feeder = group.create_task(pump_input(stream, descriptor)) if stdin else None
            await pump_output(stream)
            if feeder is not None:
                feeder.cancel()
        return
    with raw_terminal(descriptor), following_window(resize):
        async with asyncio.TaskGroup() as group:
            feeder = group.create_task(pump_input(stream, descriptor)) if stdin else None
            await pump_output(stream)
            if feeder is not None:
                feeder.cancel()
