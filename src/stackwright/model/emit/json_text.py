"""JSON text as Go's ``encoding/json`` writes it: its escapes, its numbers."""

from __future__ import annotations

from stackwright.model.gonumbers import float_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_ESCAPES = {
    '"': '\\"',
    "\\": "\\\\",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\b": "\\b",
    "\f": "\\f",
    "<": "\\u003c",
    ">": "\\u003e",
    "&": "\\u0026",
    "\u2028": "\\u2028",
    "\u2029": "\\u2029",
}
_TABLE = str.maketrans({**{chr(code): f"\\u{code:04x}" for code in range(32)}, **_ESCAPES})


class NotJsonError(ValueError):
    """The value has no form in JSON."""


def compact(value: Any) -> str:
    """Without spaces.

    Raises:
        NotJsonError: it holds a number that JSON does not have.
    """
    return "".join(_write(value, None, ""))


def indented(value: Any) -> str:
    """With two spaces a level.

    Raises:
        NotJsonError: it holds a number that JSON does not have.
    """
    return "".join(_write(value, "  ", "\n"))


def _scalar(value: Any) -> str:
    if value is None:
        return "null"
    if value is True:
        return "true"
    if value is False:
        return "false"
    if isinstance(value, str):
        return f'"{value.translate(_TABLE)}"'
    if isinstance(value, float):
        if value - value != 0:
            name = ".nan" if value != value else ".inf" if value > 0 else "-.inf"
            raise NotJsonError(f"JSON has no {name}")
        return float_text(value, 21, -6)
    return str(value)


def _write(value: Any, step: str | None, line: str) -> list[str]:
    if not isinstance(value, (dict, list)):
        return [_scalar(value)]
    opening, closing = ("{", "}") if isinstance(value, dict) else ("[", "]")
    if not value:
        return [opening + closing]
    inner = line + step if step is not None else ""
    out = [opening]
    if isinstance(value, dict):
        colon = ": " if step is not None else ":"
        for index, (key, item) in enumerate(value.items()):
            out.append(f"{',' if index else ''}{inner}{_scalar(key)}{colon}")
            out += _write(item, step, inner)
    else:
        for index, item in enumerate(value):
            out.append(f"{',' if index else ''}{inner}")
            out += _write(item, step, inner)
    out.append((line if step is not None else "") + closing)
    return out
