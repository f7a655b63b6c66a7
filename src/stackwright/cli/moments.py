"""Points in time on the command line: `2024-01-02T13:23:37Z`, `1700000000`, `42m`."""

from __future__ import annotations

import re
import time
from datetime import datetime

import click

_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_NUMBER = re.compile(r"\d+(\.\d+)?")
_DURATION = re.compile(rf"(?:{_PART.pattern})+")


def seconds(text: str, flag: str) -> float:
    """A duration such as `30`, `30s` or `1m30s`, in seconds.

    >>> seconds("1m30s", "--lock-timeout"), seconds("2", "--lock-timeout")
    (90.0, 2.0)
    """
    if _NUMBER.fullmatch(text):
        return float(text)
    if _DURATION.fullmatch(text):
        return _sum(text)
    raise click.UsageError(f'invalid {flag} "{text}": write a duration such as 30s or 2m')


def moment(text: str | None, flag: str) -> str | None:
    """The time as Unix seconds in text, as the Engine API wants it; a duration counts back from now."""
    if not text:
        return None
    if _NUMBER.fullmatch(text):
        return text
    if _DURATION.fullmatch(text):
        return f"{time.time() - _sum(text):.9f}"
    try:
        stamp = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        raise click.UsageError(f'invalid {flag} "{text}": write 2024-01-02T13:23:37Z or 42m') from None
    return f"{stamp.timestamp():.9f}"


def _sum(duration: str) -> float:
    return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(duration))
