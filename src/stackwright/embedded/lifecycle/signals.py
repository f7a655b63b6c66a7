"""Signals by name or number, as clients give them. Pure."""

from __future__ import annotations

import signal

from stackwright.embedded.errors import BadParameter
from stackwright.embedded.lifecycle.record import Container


def stop_signal(container: Container) -> signal.Signals | int:
    """The container's own stop signal, SIGTERM unless image or client say otherwise."""
    return parse_signal(container.config.stop_signal or "TERM")


def parse_signal(text: str) -> signal.Signals | int:
    """`TERM`, `SIGTERM`, `15`, `RTMIN+3` → number. Raises BadParameter."""
    name = text.upper().removeprefix("SIG")
    if name.isdigit() and 0 < int(name) < 65:
        return int(name)
    base, plus, offset = name.partition("+")
    if base in ("RTMIN", "RTMAX") and (not plus or offset.isdigit()):
        return signal.Signals[f"SIG{base}"] + (int(offset) if plus else 0)
    try:
        return signal.Signals[f"SIG{name}"]
    except KeyError:
        raise BadParameter(f"Invalid signal: {text}") from None
