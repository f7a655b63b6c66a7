"""Times and durations as the Engine API and the `docker` client write them."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime

from stackwright.embedded.errors import BadParameter

SECOND = 1_000_000_000
NEVER = "0001-01-01T00:00:00Z"
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)")
_UNITS = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "ms": 1_000_000,
    "s": SECOND,
    "m": 60 * SECOND,
    "h": 3600 * SECOND,
}


def rfc3339(ns: int) -> str:
    """Nanoseconds since the epoch → RFC 3339 with nanoseconds, in UTC; 0 → Go's zero time."""
    if ns <= 0:
        return NEVER
    seconds, fraction = divmod(ns, SECOND)
    text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    return f"{text}.{fraction:09d}Z"


def parse_time(text: str) -> int:
    """`since`/`until`: Unix seconds with a fraction, RFC 3339, or a duration back from now → nanoseconds.

    "" and "0" are 0, meaning open. Raises BadParameter.
    """
    if text in ("", "0"):
        return 0
    whole, _, fraction = text.partition(".")
    if whole.lstrip("-").isdigit() and (not fraction or fraction.isdigit()):
        return max(0, int(whole) * SECOND + int((fraction + "000000000")[:9]))
    matches = _DURATION.findall(text)
    if matches and "".join(number + unit for number, unit in matches) == text:
        return time.time_ns() - sum(int(float(number) * _UNITS[unit]) for number, unit in matches)
    try:
        moment = datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text))
    except ValueError:
        raise BadParameter(f'invalid value "{text}" for a time') from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return int(moment.timestamp() * 1_000_000) * 1_000


def human_duration(seconds: float) -> str:
    """As go-units' HumanDuration, which `docker ps` shows: "About a minute", "2 hours"."""
    whole = int(seconds)
    minutes, hours = whole // 60, round(seconds / 3600)
    if whole < 1:
        return "Less than a second"
    if whole == 1:
        return "1 second"
    if whole < 60:
        return f"{whole} seconds"
    if minutes == 1:
        return "About a minute"
    if minutes < 60:
        return f"{minutes} minutes"
    if hours == 1:
        return "About an hour"
    if hours < 48:
        return f"{hours} hours"
    if hours < 24 * 7 * 2:
        return f"{hours // 24} days"
    if hours < 24 * 30 * 2:
        return f"{hours // 24 // 7} weeks"
    if hours < 24 * 365 * 2:
        return f"{hours // 24 // 30} months"
    return f"{hours // 24 // 365} years"
