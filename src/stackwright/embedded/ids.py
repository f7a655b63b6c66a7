"""Object ids as Docker has them: 64 hexadecimal digits, shown as 12, found by any unambiguous prefix."""

from __future__ import annotations

import secrets
from collections.abc import Iterable

SHORT_LENGTH = 12


def new_id() -> str:
    """A new random 64-digit id whose short form is not all digits (it would read as a number in YAML)."""
    while True:
        value = secrets.token_hex(32)
        if not value[:SHORT_LENGTH].isdigit():
            return value


def short_id(value: str) -> str:
    """First twelve digits; a `sha256:` prefix is dropped before."""
    return value.removeprefix("sha256:")[:SHORT_LENGTH]


def is_id_prefix(text: str) -> bool:
    """Whether `text` could be an id or the beginning of one."""
    return 0 < len(text) <= 64 and all(c in "0123456789abcdef" for c in text)


def match_prefix(prefix: str, ids: Iterable[str]) -> list[str]:
    """All ids beginning with `prefix` (an exact one wins alone). Empty when none does or it is no hex."""
    if not is_id_prefix(prefix):
        return []
    found = [value for value in ids if value.startswith(prefix)]
    return [prefix] if prefix in found else found
