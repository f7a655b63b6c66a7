"""The keys of an attached `up`: w watches, d leaves everything running."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

OFF = ("0", "false", "f", "no", "off")


def wanted(flag: bool | None, environ: Mapping[str, str]) -> bool:
    """Whether keys are listened to: `--menu`, else COMPOSE_MENU, else yes; never without a terminal."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return False
    return flag if flag is not None else environ.get("COMPOSE_MENU", "1").lower() not in OFF


@contextmanager
def keys(handlers: Mapping[str, Callable[[], None]]) -> Iterator[None]:
    """Call a key's handler when it is pressed. Ctrl-C goes on being a signal; the terminal is as before afterwards."""
    import termios
    import tty

    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    loop = asyncio.get_running_loop()

    def pressed() -> None:
        for key in os.read(descriptor, 64).decode("utf-8", "replace"):
            handler = handlers.get(key)
            if handler is not None:
                handler()

    tty.setcbreak(descriptor, termios.TCSANOW)
    loop.add_reader(descriptor, pressed)
    try:
        yield
    finally:
        loop.remove_reader(descriptor)
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
