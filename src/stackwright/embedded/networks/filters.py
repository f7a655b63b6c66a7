"""Filters of list and prune requests, shared by networks and volumes (Engine API, `filters` parameters)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from stackwright.embedded.errors import BadParameter

Filters = Mapping[str, Sequence[str]]

_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION = re.compile(r"(\d+(?:\.\d*)?)(ns|us|µs|ms|s|m|h)")


def check_names(filters: Filters, allowed: Sequence[str]) -> None:
    """BadParameter "invalid filter 'x'" for one that this list does not know."""
    for name in filters:
        if name not in allowed:
            raise BadParameter(f"invalid filter '{name}'")


def has_labels(labels: Mapping[str, str], wanted: Sequence[str]) -> bool:
    """Whether every wanted "key" or "key=value" is among the labels."""
    for item in wanted:
        key, separator, value = item.partition("=")
        if key not in labels or (separator and labels[key] != value):
            return False
    return True


def excluded_by_label(labels: Mapping[str, str], unwanted: Sequence[str]) -> bool:
    """Filter `label!`: whether any of them is there."""
    return any(has_labels(labels, [item]) for item in unwanted)


def matches(value: str, patterns: Sequence[str]) -> bool:
    """Docker's loose match: any pattern equal to, or as an expression found in, the value; none given: all."""
    if not patterns:
        return True
    for pattern in patterns:
        if pattern == value:
            return True
        try:
            if re.search(pattern, value):
                return True
        except re.error:
            if pattern in value:
                return True
    return False


def is_true(values: Sequence[str]) -> bool:
    """A boolean filter's value. BadParameter for anything but true, false, 1, 0."""
    value = values[0].lower() if values else "false"
    if value in ("true", "1"):
        return True
    if value in ("false", "0"):
        return False
    raise BadParameter(f"invalid filter value '{value}': not a boolean")


def moment(text: str, now: datetime | None = None) -> datetime:
    """`until`: Unix seconds, RFC 3339, or how long ago as a Go duration ("24h")."""
    now = now or datetime.now(UTC)
    try:
        return datetime.fromtimestamp(float(text), UTC)
    except (ValueError, OverflowError, OSError):
        pass
    parts = _DURATION.findall(text)
    if parts and "".join(number + unit for number, unit in parts) == text:
        return now - timedelta(seconds=sum(float(number) * _UNITS[unit] for number, unit in parts))
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise BadParameter(f"invalid filter value for until: '{text}'") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
