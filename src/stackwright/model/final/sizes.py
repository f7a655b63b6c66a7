"""Sizes in bytes: ``64m``, ``1.5 GiB``, ``1073741824``."""

from __future__ import annotations

_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_POWERS = {"k": 1, "m": 2, "g": 3, "t": 4, "p": 5}


def parse_size(text: str) -> int:
    """Bytes of a size: a number, perhaps a space, and ``b``, ``k``, ``kb``, ``kib`` and so on up to ``p``.

    Units are binary and their case does not matter.

    Raises:
        ValueError: no number, a negative one, or a unit that does not exist.
    """
    number = text.rstrip(_LETTERS)
    unit = text[len(number) :].lower()
    number = number.removesuffix(" ")
    try:
        if not number or number[-1] not in "0123456789." or number.strip() != number:
            raise ValueError
        size = float(number)
        if size < 0 or not number.isascii():
            raise ValueError
        power = 0 if unit in ("", "b") else _POWERS[unit[0]]
        if power and unit[1:] not in ("", "b", "ib"):
            raise ValueError
    except (ValueError, KeyError):
        raise ValueError(f'"{text}" is no size in bytes (such as 512, 64k, 128m, 2g)') from None
    if size * 1024**power >= 1 << 63:
        raise ValueError(f'"{text}" is too large')
    return int(size * 1024**power)
