"""Durations: ``1h30m``, ``500ms``, ``2d`` to nanoseconds and back, as Go prints them."""

from __future__ import annotations

_UNITS = {
    "ns": 1,
    "us": 1_000,
    "\u00b5s": 1_000,
    "\u03bcs": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
    "d": 86_400_000_000_000,
    "w": 604_800_000_000_000,
}
_DIGITS = "0123456789"
_LARGEST = (1 << 63) - 1


def parse_duration(text: str) -> int:
    """Nanoseconds of a duration such as ``1m30s``, ``1.5h`` or ``-10ms``; ``0`` needs no unit.

    Raises:
        ValueError: a part has no number, no unit, or one that does not exist; or it is too long.
    """
    negative, rest = text.startswith("-"), text[1:] if text[:1] in ("+", "-") else text
    if rest == "0":
        return 0
    if not rest:
        raise ValueError(f'"{text}" is no duration')
    total = 0
    while rest:
        number, rest = _take(rest, _DIGITS + ".")
        unit, rest = _take_until(rest, _DIGITS + ".")
        whole, _, fraction = number.partition(".")
        if not (whole or fraction) or number.count(".") > 1:
            raise ValueError(f'"{text}" is no duration')
        if not unit:
            raise ValueError(f'"{text}" has no unit (ns, us, ms, s, m, h, d, w)')
        if unit not in _UNITS:
            raise ValueError(f'"{text}": "{unit}" is no unit of time (ns, us, ms, s, m, h, d, w)')
        total += int(whole or 0) * _UNITS[unit]
        if fraction:
            total += int(float(int(fraction)) * (float(_UNITS[unit]) / float(10 ** len(fraction))))
        if total > _LARGEST:
            raise ValueError(f'"{text}" is too long')
    return -total if negative else total


def format_duration(nanoseconds: int) -> str:
    """The text of a duration, as Go's ``Duration.String``: ``1m30s``, ``500ms``, ``0s``."""
    if nanoseconds == 0:
        return "0s"
    sign, rest = ("-", -nanoseconds) if nanoseconds < 0 else ("", nanoseconds)
    if rest < _UNITS["s"]:
        for unit, size in (("ns", 1), ("\u00b5s", 1_000), ("ms", 1_000_000)):
            if rest < size * 1000:
                return f"{sign}{_fraction(rest, size)}{unit}"
    seconds, minutes, hours = rest % _UNITS["m"], rest // _UNITS["m"] % 60, rest // _UNITS["h"]
    text = f"{_fraction(seconds, _UNITS['s'])}s"
    if minutes or hours:
        text = f"{minutes}m{text}"
    return f"{sign}{hours}h{text}" if hours else sign + text


def _fraction(value: int, unit: int) -> str:
    whole, part = divmod(value, unit)
    if not part:
        return str(whole)
    return f"{whole}.{str(part).rjust(len(str(unit)) - 1, '0').rstrip('0')}"


def _take(text: str, signs: str) -> tuple[str, str]:
    rest = text.lstrip(signs)
    return text[: len(text) - len(rest)], rest


def _take_until(text: str, signs: str) -> tuple[str, str]:
    for index, sign in enumerate(text):
        if sign in signs:
            return text[:index], text[index:]
    return text, ""
