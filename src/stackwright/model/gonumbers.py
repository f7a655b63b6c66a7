"""Numbers as Go prints them, since ``docker compose`` does and hashes are made of it."""

from __future__ import annotations


def float_text(value: float, exponent_from: int = 6, exponent_below: int = -4) -> str:
    """The shortest text that reads back as the same number, as Go's ``%v`` (``1e+06``).

    Args:
        value: the number.
        exponent_from: powers of ten from which on the form with an exponent is used (JSON: 21).
        exponent_below: powers of ten below which it is (JSON: -6).
    """
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "+Inf" if value > 0 else "-Inf"
    return _shortest(repr(value), exponent_from, exponent_below)


def single(value: float) -> float:
    """The nearest single-precision number, as the double with the shortest text for it."""
    return _short32(value)


def _short32(value: float) -> float:
    from struct import error, pack, unpack

    try:
        packed = pack("<f", value)
    except (OverflowError, error):
        return value
    for digits in range(1, 10):
        candidate = float(f"{value:.{digits}g}")
        if pack("<f", candidate) == packed:
            return candidate
    return float(unpack("<f", packed)[0])


def _shortest(text: str, exponent_from: int, exponent_below: int) -> str:
    sign, text = ("-", text[1:]) if text.startswith("-") else ("", text)
    mantissa, _, power = text.partition("e")
    whole, _, fraction = mantissa.partition(".")
    fraction = "" if fraction == "0" else fraction
    digits = (whole + fraction).lstrip("0")
    exponent = int(power or 0) + len(whole) - 1
    if not digits:
        return sign + "0"
    exponent -= len(whole + fraction) - len(digits) if whole.strip("0") == "" else 0
    digits = digits.rstrip("0") or "0"
    if exponent_below <= exponent < exponent_from:
        if exponent < 0:
            return f"{sign}0.{'0' * (-exponent - 1)}{digits}"
        if len(digits) <= exponent + 1:
            return sign + digits + "0" * (exponent + 1 - len(digits))
        return f"{sign}{digits[: exponent + 1]}.{digits[exponent + 1 :]}"
    tail = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{sign}{digits[0]}{tail}e{'+' if exponent >= 0 else '-'}{abs(exponent):02d}"
