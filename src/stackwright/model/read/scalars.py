"""What a plain YAML scalar means: the core schema as go-yaml 3 reads it, on which ``docker compose`` stands.

YAML 1.2 words and numbers, with YAML 1.1's octal (``010``), underscores and dates. No regular expressions:
this runs on the path where importing ``re`` would be felt.
"""

from __future__ import annotations

from stackwright.model.marks import Timestamp

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_WORDS: dict[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
}

_NUMERIC_START = frozenset("0123456789+-.")
_DIGITS = "0123456789"
_RADIX = {"0x": 16, "0X": 16, "0b": 2, "0B": 2, "0o": 8, "0O": 8}
_RADIX_DIGITS = {2: "01", 8: "01234567", 16: "0123456789abcdefABCDEF"}
_MAX_UNSIGNED = 1 << 64
_MIN_SIGNED = -(1 << 63)


def plain(text: str) -> Any:
    """The value of an untagged plain scalar: None, bool, int, float, ``Timestamp`` or the text itself."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _NUMERIC_START:
        return text
    if text[0] == ".":
        return _float(text) if _is_decimal(text) else text
    if text[4:5] == "-" and is_timestamp(text):
        return Timestamp(text)
    bare = text.replace("_", "")
    whole = _integer(bare)
    if whole is not None:
        return whole
    return _float(bare) if _is_decimal(bare) else text


def tagged(text: str, tag: str) -> Any:
    """The value of a scalar with a standard tag (``tag:yaml.org,2002:…`` without that prefix).

    Raises:
        ValueError: the text is not of the tag's type.
    """
    if tag in ("str", "binary"):
        return text if tag == "str" else _binary(text)
    value = plain(text)
    wanted: dict[str, tuple[type, ...]] = {
        "int": (int,),
        "float": (int, float),
        "bool": (bool,),
        "null": (type(None),),
        "timestamp": (Timestamp,),
    }
    if tag not in wanted:
        return text
    if not isinstance(value, wanted[tag]) or (tag in ("int", "float") and isinstance(value, bool)):
        raise ValueError(f"cannot decode {text!r} as a !!{tag}")
    return float(value) if tag == "float" and isinstance(value, int) else value


def _binary(text: str) -> str:
    from base64 import b64decode

    return b64decode("".join(text.split()), validate=True).decode("utf-8", "replace")


def _integer(text: str) -> int | None:
    sign, digits = (text[0], text[1:]) if text[:1] in ("+", "-") else ("", text)
    radix = _RADIX.get(digits[:2], 0)
    if radix:
        digits = digits[2:]
    elif len(digits) > 1 and digits[0] == "0":
        radix = 8
    else:
        radix = 10
    if not digits or digits.strip(_RADIX_DIGITS.get(radix, _DIGITS)) or len(digits) > 66:
        return None
    number = int(sign + digits, radix)
    return number if _MIN_SIGNED <= number < _MAX_UNSIGNED else None


def _is_decimal(text: str) -> bool:
    """``[-+]?(\\.[0-9]+|[0-9]+(\\.[0-9]*)?)([eE][-+]?[0-9]+)?``"""
    body = text[1:] if text[:1] in ("+", "-") else text
    mantissa, exponent, power = body, "", ""
    for letter in ("e", "E"):
        if letter in body:
            mantissa, exponent, power = body.partition(letter)
            break
    if exponent:
        power = power[1:] if power[:1] in ("+", "-") else power
        if not power or power.strip(_DIGITS):
            return False
    before, point, after = mantissa.partition(".")
    if before.strip(_DIGITS) or after.strip(_DIGITS):
        return False
    return bool(before) or (bool(point) and bool(after))


def _float(text: str) -> float | str:
    """A number; one too large for a double stays a text."""
    number = float(text)
    return text if number in (float("inf"), float("-inf")) else number


def is_timestamp(text: str) -> bool:
    """Whether a text reads as a date, or a date and time, in one of YAML's forms."""
    date, time = text[:10].rstrip(), text[10:]
    year, _, rest = date.partition("-")
    month, _, day = rest.partition("-")
    if day and not day.isdecimal() and day[:1].isdecimal() and (day[1:2] in "Tt "):
        day, time = day[:1], day[1:] + time
    if not text.isascii() or len(year) != 4 or not (year + month + day).isdecimal() or not month or not day:
        return False
    if not (1 <= int(month) <= 12 and 1 <= int(day) <= _month_days(int(year), int(month))):
        return False
    return not time or _is_time(time)


def _month_days(year: int, month: int) -> int:
    if month == 2:
        return 29 if year % 4 == 0 and (year % 100 or year % 400 == 0) else 28
    return 30 if month in (4, 6, 9, 11) else 31


def _is_time(text: str) -> bool:
    """``T15:4:5.9Z``, ``t15:4:5.9+07:00`` or `` 15:4:5.9`` (a zone only after T or t)."""
    zoned, body = text[0] in "Tt", text[1:]
    if not zoned and text[0] != " ":
        return False
    if zoned:
        if body[-1:] == "Z":
            body = body[:-1]
        else:
            cut = max(body.rfind("+"), body.rfind("-"))
            zone = body[cut + 1 :].split(":") if cut > 0 else []
            if [len(part) for part in zone] != [2, 2] or not "".join(zone).isdecimal():
                return False
            body = body[:cut]
    clock, _, fraction = body.partition(".")
    parts = clock.split(":")
    if len(parts) != 3 or not all(part.isdecimal() and len(part) <= 2 for part in parts):
        return False
    hour, minute, second = map(int, parts)
    return hour < 24 and minute < 60 and second < 60 and (not fraction or fraction.isdecimal())


def rfc3339(text: str) -> str:
    """A YAML date or time as Go prints it: ``2020-01-02T00:00:00Z``."""
    date, time = text, ""
    for sign in "Tt ":
        if sign in text:
            date, _, time = text.partition(sign)
            break
    year, month, day = date.split("-")
    zone = "Z"
    if time and time[-1] in "Zz":
        time = time[:-1]
    elif time and (cut := max(time.rfind("+"), time.rfind("-"))) > 0:
        time, zone = time[:cut], time[cut:]
    clock, _, fraction = (time or "0:0:0").partition(".")
    hour, minute, second = clock.split(":")
    part = f".{fraction.rstrip('0')}" if fraction.strip("0") else ""
    stamp = f"{hour.zfill(2)}:{minute.zfill(2)}:{second.zfill(2)}{part}"
    return f"{year}-{month.zfill(2)}-{day.zfill(2)}T{stamp}{zone}"
