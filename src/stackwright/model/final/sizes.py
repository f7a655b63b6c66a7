"""Sizes in bytes: ``64m``, ``1.5 GiB``, ``1073741824``."""

from __future__ import annotations

_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}


def parse_size(text: str) -> int:
    """Bytes of a size; units are binary and their case does not matter. ``-1`` stays (unlimited).

    Raises:
        ValueError: no number, or a unit that does not exist.
    """
    number = text.lower()
    for tail in ("b", "i"):
        number = number.removesuffix(tail)
    unit = number[-1:] if number[-1:] in _POWERS else ""
    number = number.removesuffix(unit)
    number = number.removesuffix(" ")
    whole, _, fraction = number.partition(".")
    if not whole.isdecimal() or not whole.isascii() or (fraction and not fraction.isdecimal()):
        raise ValueError(f'"{text}" is no size in bytes (such as 512, 64k, 128m, 2g)')
    if number.endswith("."):
        raise ValueError(f'"{text}" is no size in bytes (such as 512, 64k, 128m, 2g)')
    size = int(float(number) * 1024 ** _POWERS[unit])
    if size >= 1 << 63:
        raise ValueError(f'"{text}" is too large')
    return size
