"""YAML text as go-yaml 3 writes it with an indent of two: its quoting, its order of keys."""

from __future__ import annotations

from stackwright.model.gonumbers import float_text
from stackwright.model.marks import Timestamp
from stackwright.model.read.scalars import plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, TypeAlias

    Note: TypeAlias = Callable[[tuple[object, ...]], str]

_OLD_BOOLEANS = frozenset(
    [
        "y",
        "Y",
        "yes",
        "Yes",
        "YES",
        "on",
        "On",
        "ON",
        "n",
        "N",
        "no",
        "No",
        "NO",
        "off",
        "Off",
        "OFF",
    ]  # what YAML 1.1 readers would take for one
)
_FORBIDDEN_FIRST = frozenset("#,[]{}&*!|>'\"%@`")
_ESCAPES = {
    "\0": "\\0",
    "\a": "\\a",
    "\b": "\\b",
    "\t": "\\t",
    "\n": "\\n",
    "\v": "\\v",
    "\f": "\\f",
    "\r": "\\r",
    "\x1b": "\\e",
    '"': '\\"',
    "\\": "\\\\",
    "\x85": "\\N",
    "\ufeff": "\\uFEFF",
    "\u2028": "\\L",
    "\u2029": "\\P",
}


def yaml_text(value: Any, note: Note | None = None) -> str:
    """A mapping as a YAML document. Keys come in the mapping's own order.

    Args:
        value: mappings, lists and scalars.
        note: called with the path of each scalar; what it returns stands behind it as a comment.
    """
    lines: list[str] = []
    _mapping(value, "", lines, note, ())
    return "\n".join(lines) + "\n" if lines else "{}\n"


def natural_order(keys: Iterable[str]) -> list[str]:
    """Keys sorted as go-yaml does: letters after other signs, numbers by value."""
    from functools import cmp_to_key

    return sorted(keys, key=cmp_to_key(_compare))


def _mapping(
    value: dict[str, Any], indent: str, lines: list[str], note: Note | None, path: tuple[object, ...]
) -> None:
    for key, item in value.items():
        _entry(f"{indent}{_text(key, indent, key=True)}:", item, indent, lines, note, (*path, key))


def _entry(
    head: str, item: Any, indent: str, lines: list[str], note: Note | None, path: tuple[object, ...]
) -> None:
    if isinstance(item, dict) and item:
        lines.append(head)
        _mapping(item, indent + "  ", lines, note, path)
    elif isinstance(item, list) and item:
        lines.append(head)
        _sequence(item, indent + "  ", lines, note, path)
    else:
        comment = note(path) if note else ""
        text = f"{head} {_scalar(item, indent)}"
        if comment and "\n" in text:
            first, _, rest = text.partition("\n")
            text = f"{first} # {comment}\n{rest}"
        elif comment:
            text = f"{text} # {comment}"
        lines.append(text)


def _sequence(
    value: list[Any], indent: str, lines: list[str], note: Note | None, path: tuple[object, ...]
) -> None:
    for index, item in enumerate(value):
        below = (*path, index)
        if isinstance(item, dict) and item:
            inner: list[str] = []
            _mapping(item, indent + "  ", inner, note, below)
            inner[0] = f"{indent}- {inner[0].lstrip(' ')}"
            lines += inner
        elif isinstance(item, list) and item:
            inner = []
            _sequence(item, indent + "  ", inner, note, below)
            inner[0] = f"{indent}- {inner[0].lstrip(' ')}"
            lines += inner
        else:
            _entry(f"{indent}-", item, indent, lines, note, below)


def _scalar(value: Any, indent: str) -> str:
    if value is None:
        return "null"
    if value is True:
        return "true"
    if value is False:
        return "false"
    if isinstance(value, Timestamp):
        return str(value)
    if isinstance(value, str):
        return _text(value, indent)
    if isinstance(value, dict):
        return "{}"
    if isinstance(value, list):
        return "[]"
    if isinstance(value, float):
        text = float_text(value)
        return {"NaN": ".nan", "+Inf": ".inf", "-Inf": "-.inf"}.get(text, text)
    return str(value)


def _text(text: str, indent: str, *, key: bool = False) -> str:
    if not _is_readable(text):
        return _double_quoted(text)
    if "\n" in text:
        return _double_quoted(text) if key or not _is_literal(text) else _literal(text, indent)
    if type(plain(text)) is not str or text in _OLD_BOOLEANS or _is_sexagesimal(text):
        return _double_quoted(text)
    if _is_plain(text):
        return text
    if "\t" in text:
        return _double_quoted(text)
    return "'" + text.replace("'", "''") + "'"


def _is_readable(text: str) -> bool:
    """Whether every sign may stand unescaped."""
    if text.isascii() and text.isprintable():
        return True
    return all(
        sign in "\n\t"
        or " " <= sign <= "~"
        or (
            "\xa0" <= sign <= "\ufffd"
            and not "\ud800" <= sign <= "\udfff"
            and sign not in "\ufeff\u2028\u2029"
        )
        for sign in text
    )


def _is_plain(text: str) -> bool:
    if not text or text[0] == " " or text[-1] == " " or "\t" in text:
        return False
    if text[0] in _FORBIDDEN_FIRST or text.startswith(("---", "...")):
        return False
    if text[0] in "-?:" and text[1:2] in ("", " "):
        return False
    return ": " not in text and " #" not in text and not text.endswith(":")


def _is_literal(text: str) -> bool:
    """Whether a text of several lines can be a block: no space before a line's end."""
    return " \n" not in text


def _literal(text: str, indent: str) -> str:
    body = text.rstrip("\n")
    ends = len(text) - len(body)
    hint = "2" if text[0] in " \n" else ""
    chomp = "-" if ends == 0 else "" if ends == 1 and body else "+"
    lines = text.split("\n")[:-1] if ends else text.split("\n")
    inner = indent + "  "
    return f"|{hint}{chomp}\n" + "\n".join(inner + line if line else "" for line in lines)


def _double_quoted(text: str) -> str:
    out = []
    for sign in text:
        if sign in _ESCAPES:
            out.append(_ESCAPES[sign])
        elif _is_readable(sign):
            out.append(sign)
        elif ord(sign) <= 0xFF:
            out.append(f"\\x{ord(sign):02X}")
        elif ord(sign) <= 0xFFFF:
            out.append(f"\\u{ord(sign):04X}")
        else:
            out.append(f"\\U{ord(sign):08X}")
    return '"' + "".join(out) + '"'


def _is_sexagesimal(text: str) -> bool:
    """``1:30`` and its like, which YAML 1.1 readers take for a number."""
    if (
        ":" not in text
        or not text.isascii()
        or not (text[0].isdecimal() or (text[0] in "+-" and text[1:2].isdecimal()))
    ):
        return False
    first, *others = text.lstrip("+-").split(":")
    last, _, fraction = others[-1].partition(".")
    parts = [*others[:-1], last]
    return (
        first.replace("_", "").isdecimal()
        and all(part.isdecimal() and len(part) <= 2 and int(part) < 60 for part in parts)
        and (not fraction or fraction.replace("_", "").isdecimal())
    )


def _compare(left: str, right: str) -> int:
    digits = False
    for at in range(min(len(left), len(right))):
        if left[at] == right[at]:
            digits = left[at].isdecimal()
            continue
        left_letter, right_letter = left[at].isalpha(), right[at].isalpha()
        if left_letter and right_letter:
            return -1 if left[at] < right[at] else 1
        if left_letter or right_letter:
            return -1 if (left_letter if digits else right_letter) else 1
        return _compare_numbers(left, right, at)
    return len(left) - len(right)


def _compare_numbers(left: str, right: str, at: int) -> int:
    lead = 0
    if "0" in (left[at], right[at]):
        before = left[:at]
        tail = before[len(before.rstrip("0123456789")) :]
        lead = 1 if tail.strip("0") else 0
    left_digits, right_digits = _digits(left, at), _digits(right, at)
    left_value = int(f"{lead}{left_digits}") if lead or left_digits else 0
    right_value = int(f"{lead}{right_digits}") if lead or right_digits else 0
    if left_value != right_value:
        return -1 if left_value < right_value else 1
    if len(left_digits) != len(right_digits):
        return -1 if len(left_digits) < len(right_digits) else 1
    return -1 if left[at] < right[at] else 1


def _digits(text: str, at: int) -> str:
    end = at
    while end < len(text) and text[end].isdecimal():
        end += 1
    return text[at:end]
