"""Variables in text: ``$NAME``, ``${NAME}`` and the operators (Compose Specification, Interpolation).

A substitution takes the *first* operator in it; its argument may hold further substitutions. Text around
that is no reference (``$``, ``$1``, ``$(cmd)``) stays as it is.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeAlias

    Lookup: TypeAlias = Callable[[str], "str | None"]

_START = frozenset("_abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_NAME = _START | frozenset("0123456789")
_OPERATORS = (":?", "?", ":-", "-", ":+", "+")


class TemplateError(Exception):
    """The text is no valid template; ``offset`` is where in it."""

    def __init__(self, message: str, offset: int = 0) -> None:
        super().__init__(message)
        self.offset = offset


class MissingVariableError(TemplateError):
    """A required variable has no value; ``name`` is it."""

    def __init__(self, name: str, reason: str, offset: int) -> None:
        super().__init__(
            f'required variable "{name}" has no value' + (f": {reason}" if reason else ""), offset
        )
        self.name = name


class Variable:
    """A reference to a variable, as ``config --variables`` lists it."""

    __slots__ = ("alternate", "default", "name", "required")

    def __init__(self, name: str, operator: str, argument: str) -> None:
        self.name = name
        self.required = operator in (":?", "?")
        self.default = argument if operator in (":-", "-") else ""
        self.alternate = argument if operator in (":+", "+") else ""


def substitute(text: str, lookup: Lookup, unset: Callable[[str], None] | None = None) -> str:
    """The text with every reference replaced.

    Args:
        text: the template.
        lookup: a variable's value, or None when it is not set.
        unset: told the name of each variable that is not set and has no default.

    Raises:
        MissingVariableError: ``?`` or ``:?`` found no value.
        TemplateError: a reference is not closed, or its name is none.
    """
    if "$" not in text:
        return text
    out: list[str] = []
    for literal, name, operator, argument, offset in _parts(text):
        out.append(literal)
        if name:
            out.append(_value(name, operator, argument, offset, lookup, unset))
    return "".join(out)


def variables(text: str) -> Iterator[Variable]:
    """Every reference in a text, those inside arguments too. Broken references are passed over."""
    if "$" not in text:
        return
    try:
        parts = list(_parts(text))
    except TemplateError:
        return
    for _, name, operator, argument, _ in parts:
        if name:
            yield Variable(name, operator, argument)
            if operator not in (":?", "?"):
                yield from variables(argument)


def _value(
    name: str, operator: str, argument: str, offset: int, lookup: Lookup, unset: Callable[[str], None] | None
) -> str:
    value = lookup(name)
    if not operator:
        if value is None and unset is not None:
            unset(name)
        return value or ""
    other = substitute(argument, lookup, unset)
    given = value is not None and (bool(value) or operator[0] != ":")
    if operator[-1] == "?":
        if not given:
            raise MissingVariableError(name, other, offset)
        return value or ""
    if operator[-1] == "-":
        return (value or "") if given else other
    return other if given else (value or "")


def _parts(text: str) -> Iterator[tuple[str, str, str, str, int]]:
    """``(literal before, name, operator, argument, offset)`` for each reference, then the rest."""
    at = 0
    literal: list[str] = []
    while True:
        dollar = text.find("$", at)
        if dollar < 0:
            literal.append(text[at:])
            yield "".join(literal), "", "", "", len(text)
            return
        literal.append(text[at:dollar])
        following = text[dollar + 1 : dollar + 2]
        if following == "$":
            literal.append("$")
            at = dollar + 2
        elif following == "{":
            name, operator, argument, at = _braced(text, dollar)
            yield "".join(literal), name, operator, argument, dollar
            literal = []
        elif following in _START and following:
            at = dollar + 2
            while text[at : at + 1] in _NAME and at < len(text):
                at += 1
            yield "".join(literal), text[dollar + 1 : at], "", "", dollar
            literal = []
        else:
            literal.append("$")
            at = dollar + 1


def _braced(text: str, dollar: int) -> tuple[str, str, str, int]:
    """``${…}`` at ``dollar``: name, operator, argument, and where the text goes on."""
    at = start = dollar + 2
    while text[at : at + 1] in _NAME and at < len(text):
        at += 1
    name = text[start:at]
    if not name or name[0] not in _START:
        raise TemplateError(f'"{_shown(text, dollar)}" names no variable', dollar)
    if text[at : at + 1] == "}":
        return name, "", "", at + 1
    operator = next((sign for sign in _OPERATORS if text.startswith(sign, at)), "")
    if not operator:
        what = "is not closed" if "}" not in text[at:] else "has no operator after the name"
        raise TemplateError(f'"{_shown(text, dollar)}" {what}', dollar)
    end = _closing(text, at)
    if end < 0:
        # Braces that do not match: the last one on the line closes, as in the reference.
        line_end = text.find("\n", at)
        end = text.rfind("}", at, len(text) if line_end < 0 else line_end)
    argument = text[at + len(operator) : end]
    if end < 0 or "\n" in argument:
        raise TemplateError(f'"{_shown(text, dollar)}" is not closed on its line', dollar)
    return name, operator, argument, end + 1


def _closing(text: str, at: int) -> int:
    """The brace that closes the one before ``at``; -1 when there is none."""
    depth = 1
    for index in range(at, len(text)):
        if text[index] == "}":
            depth -= 1
            if depth == 0:
                return index
        elif text[index] == "{":
            depth += 1
    return -1


def _shown(text: str, dollar: int) -> str:
    end = text.find("}", dollar)
    rest = text[dollar : end + 1 if end > 0 else dollar + 24].splitlines()
    return rest[0] if rest else text[dollar:]
