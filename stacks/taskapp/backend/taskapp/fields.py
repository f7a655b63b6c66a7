"""Turns a request's JSON into checked values: a table of fields, all mistakes reported at once."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Mapping
from typing import Any

from flask import request

from .errors import ApiError, InvalidInput

Parser = Callable[[Any], Any]
_EMAIL = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)*")


def body() -> dict[str, Any]:
    """The request's JSON object. Raises `ApiError` if it is none."""
    value = request.get_json(silent=True)
    if not isinstance(value, dict):
        raise ApiError("Please send a JSON object (Content-Type: application/json).")
    return value


def parse(given: Mapping[str, Any], table: Mapping[str, Parser], *, partial: bool = False) -> dict[str, Any]:
    """Run each field's parser; raises `InvalidInput` with a message per wrong or unknown field.

    With `partial`, fields that are not given are left out (for PATCH); otherwise their parser
    gets None.
    """
    values: dict[str, Any] = {}
    wrong = {name: "There is no such field." for name in given if name not in table}
    for name, parser in table.items():
        if partial and name not in given:
            continue
        try:
            values[name] = parser(given.get(name))
        except ValueError as error:
            wrong[name] = str(error)
    if wrong:
        raise InvalidInput("Please check what you entered.", wrong)
    return values


def text(label: str, *, longest: int, required: bool = True) -> Parser:
    """A string without surrounding blanks, 1 (or 0) to `longest` characters."""

    def parser(value: Any) -> str:
        if value is None:
            value = ""
        if not isinstance(value, str):
            raise ValueError(f"{label} must be text.")
        value = value.strip()
        if not _storable(value):
            raise ValueError(f"{label} has a character that cannot be stored.")
        if required and not value:
            raise ValueError(f"{label} is missing.")
        if len(value) > longest:
            raise ValueError(f"{label} is too long: {longest} characters at most.")
        return value

    return parser


def one_of(label: str, *choices: str, default: str) -> Parser:
    def parser(value: Any) -> str:
        if value is None:
            return default
        if value not in choices:
            raise ValueError(f"{label} must be one of {', '.join(choices)}.")
        return str(value)

    return parser


def email(value: Any) -> str:
    address = text("Email", longest=254)(value)
    if not _EMAIL.fullmatch(address):
        raise ValueError("This does not look like an email address.")
    return str(address).lower()


def password(value: Any) -> str:
    """A password as given, blanks included: what a person typed is what they will type again."""
    if not isinstance(value, str) or not value:
        raise ValueError("Password is missing.")
    if len(value) > 200:
        raise ValueError("Password is too long: 200 characters at most.")
    if not _storable(value):
        raise ValueError("Password has a character that cannot be stored.")
    return value


def new_password(value: Any) -> str:
    chosen = password(value)
    if len(chosen) < 8:
        raise ValueError("Password must have at least 8 characters.")
    return chosen


def _storable(value: str) -> bool:
    """Whether PostgreSQL's text can hold it: no NUL, no half of a surrogate pair (JSON can say both)."""
    return "\0" not in value and not any("\ud800" <= character <= "\udfff" for character in value)


def optional_date(value: Any) -> datetime.date | None:
    if value in (None, ""):
        return None
    try:
        return datetime.date.fromisoformat(value)
    except (TypeError, ValueError):
        raise ValueError("Due date must be a date such as 2026-01-31.") from None


def whole_number(label: str, *, least: int, most: int, default: int) -> Parser:
    """A number given as text in the query string."""

    def parser(value: Any) -> int:
        if value is None:
            return default
        try:
            number = int(value)
        except ValueError:
            raise ValueError(f"{label} must be a whole number.") from None
        if not least <= number <= most:
            raise ValueError(f"{label} must be between {least} and {most}.")
        return number

    return parser
