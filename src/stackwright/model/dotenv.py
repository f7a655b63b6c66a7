"""The grammar of ``.env`` files and ``env_file`` (Compose Specification, ``.env`` file syntax).

``KEY=value``, ``KEY: value``, ``export KEY=value``, ``KEY`` alone (inherited); quotes, escapes, values over
several lines, comments, and interpolation of what came before and of the environment.
"""

from __future__ import annotations

from stackwright.model.marks import mark_of
from stackwright.model.template import TemplateError, substitute

TYPE_CHECKING = False
if TYPE_CHECKING:
    from stackwright.model.marks import Mark
    from stackwright.model.template import Lookup

_BLANKS = "\t\v\f\r \x85\xa0"
"""Space characters that do not end a line."""

_SPACES = (
    _BLANKS
    + "\n\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
)
_KEY_SIGNS = frozenset("_.-[]")
_ESCAPES = {
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
    '"': '"',
    "\\": "\\",
}


class DotenvError(Exception):
    """A line cannot be read; ``line`` and ``column`` count from 0."""

    def __init__(self, message: str, line: int, column: int = 0) -> None:
        super().__init__(message)
        self.line = line
        self.column = column


class Variables:
    """What a file sets: values by name, and the mark of each."""

    __slots__ = ("places", "values")

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self.places: dict[str, Mark] = {}


def parse(text: str, lookup: Lookup, into: Variables | None = None, file: int = 0) -> Variables:
    """Read a file's text.

    Args:
        text: the content.
        lookup: the environment, which wins over the file's own earlier lines inside values.
        into: variables to go on from (several files in a row see each other's values).
        file: the number of the file for marks.

    Raises:
        DotenvError: at the first line that cannot be read.
    """
    reader = _Reader(text.removeprefix("\ufeff"), lookup, into or Variables(), file)
    reader.run()
    return reader.out


class _Reader:
    def __init__(self, text: str, lookup: Lookup, out: Variables, file: int) -> None:
        self.text = text
        self.lookup = lookup
        self.out = out
        self.file = file
        self.at = 0

    def where(self, at: int) -> tuple[int, int]:
        """Line and column (from 0) of an offset."""
        line = self.text.count("\n", 0, at)
        return line, at - (self.text.rfind("\n", 0, at) + 1)

    def error(self, message: str, at: int) -> DotenvError:
        return DotenvError(message, *self.where(at))

    def run(self) -> None:
        while self.skip_to_statement():
            start = self.at
            key, inherited = self.key()
            if " " in key:
                raise self.error(f'"{key}" is no variable name: it has a space', start)
            value = self.lookup(key) if inherited else self.value()
            if value is not None:
                self.out.values[key] = value
                self.out.places[key] = mark_of(self.file, *self.where(start))

    def skip_to_statement(self) -> bool:
        """Move past blank lines and comments; False at the end."""
        text = self.text
        while self.at < len(text):
            if text[self.at] in _SPACES:
                self.at += 1
            elif text[self.at] == "#":
                end = text.find("\n", self.at)
                self.at = len(text) if end < 0 else end
            else:
                return True
        return False

    def key(self) -> tuple[str, bool]:
        """The name, and whether it stands alone."""
        text = self.text
        if text.startswith("export", self.at) and text[self.at + 6 : self.at + 7] in tuple("\t\n\f\r "):
            self.at += 6
            self.skip_blanks()
        start = self.at
        for index in range(start, len(text)):
            sign = text[index]
            if sign in _BLANKS:
                continue
            if sign in "=:\n":
                self.at = index + 1
                self.skip_blanks()
                return text[start:index].rstrip(_SPACES), sign == "\n"
            if not (sign in _KEY_SIGNS or sign.isalpha() or sign.isnumeric()):
                line = text[start:].split("\n", 1)[0]
                raise self.error(f'unexpected character "{sign}" in variable name "{line}"', index)
        # A name at the very end of the file, without a line end, is nothing.
        self.at = len(text)
        return "", True

    def skip_blanks(self) -> None:
        while self.at < len(self.text) and self.text[self.at] in _BLANKS:
            self.at += 1

    def value(self) -> str:
        text, start = self.text, self.at
        quote = text[start : start + 1]
        if quote not in ("'", '"') or not quote:
            end = text.find("\n", start)
            end = len(text) if end < 0 else end
            self.at = min(end + 1, len(text))
            plain = text[start:end].split(" #", 1)[0].rstrip(_SPACES)
            return self.expand(plain, start)
        return self.quoted(quote, start)

    def quoted(self, quote: str, start: int) -> str:
        text = self.text
        taken: list[str] = []
        at = start + 1
        while at < len(text):
            sign = text[at]
            if sign == "\\" and at + 1 < len(text):
                following = text[at + 1]
                taken.append(following if following == quote else sign + following)
                at += 2
                continue
            if sign == quote:
                self.at = at + 1
                value = "".join(taken)
                return self.expand(unescape(value), start) if quote == '"' else value
            taken.append(sign)
            at += 1
        line = text[start:].split("\n", 1)[0]
        raise self.error(f"unterminated quoted value {line}", start)

    def expand(self, value: str, start: int) -> str:
        try:
            return substitute(value, self.resolve)
        except TemplateError as error:
            raise self.error(str(error), start) from None

    def resolve(self, name: str) -> str | None:
        value = self.lookup(name)
        return self.out.values.get(name) if value is None else value


def unescape(text: str) -> str:
    """The escapes of a double-quoted value: ``\\n`` and its like, ``\\$`` (no variable), octal ``\\0nnn``."""
    if "\\" not in text:
        return text
    out: list[str] = []
    at = 0
    while at < len(text):
        sign, following = text[at], text[at + 1 : at + 2]
        if sign != "\\":
            out.append(sign)
            at += 1
        elif following == "$":
            out.append("$$")
            at += 2
        elif following in _ESCAPES and following:
            out.append(_ESCAPES[following])
            at += 2
        elif following == "0":
            digits = text[at + 2 : at + 5]
            if len(digits) == 3 and digits.isdecimal() and "8" not in digits and "9" not in digits:
                out.append(chr(int(digits, 8) & 0xFF))
                at += 5
            else:
                out.append(sign)
                at += 1
        else:
            out.append(sign)
            at += 1
    return "".join(out)
