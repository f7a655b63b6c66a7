"""Words, quotation marks and variables, as BuildKit's ``shell`` package reads them."""

from __future__ import annotations

import re
from collections.abc import Mapping

from stackwright.dockerfile.errors import ExpansionError

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|[0-9]+|[@*#?\-$!]")


def split_words(text: str, escape: str = "\\") -> list[str]:
    """Words between unquoted white space, quotation marks and escapes left in. Never fails."""
    words: list[str] = []
    word, quote, at = "", "", 0
    while at < len(text):
        char = text[at]
        if char == escape and quote != "'" and at + 1 < len(text):
            word += text[at : at + 2]
            at += 2
            continue
        if quote:
            quote = "" if char == quote else quote
        elif char in "'\"":
            quote = char
        elif char in " \t":
            if word:
                words.append(word)
            word = ""
            at += 1
            continue
        word += char
        at += 1
    return [*words, word] if word else words


def strip_quotes(word: str, escape: str = "\\") -> str:
    """Remove quotation marks and escapes, leaving ``$`` alone."""
    out, quote, at = "", "", 0
    while at < len(word):
        char = word[at]
        if char == escape and quote != "'" and at + 1 < len(word):
            at += 1
            out += word[at]
        elif quote:
            if char == quote:
                quote = ""
            else:
                out += char
        elif char in "'\"":
            quote = char
        else:
            out += char
        at += 1
    return out


def expand(word: str, variables: Mapping[str, str], escape: str = "\\") -> str:
    """Replace variables and remove quotation marks; ExpansionError when the word can't be read.

    Knows ``$name``, ``${name}``, ``:-``, ``-``, ``:+``, ``+``, ``:?``, ``?``, ``#``, ``##``, ``%``, ``%%``,
    ``/``, ``//``. A variable that is not set gives nothing.
    """
    if not any(char in word for char in ("$", "'", '"', escape)):
        return word
    try:
        return _Expansion(word, variables, escape).run()
    except ExpansionError as error:
        raise ExpansionError(f'failed to process "{word}": {error.message}') from None


def expand_text(text: str, variables: Mapping[str, str], escape: str = "\\") -> str:
    """Replace variables in a here-document, where quotation marks are text; ``\\$`` is a dollar sign."""
    out: list[str] = []
    for part in re.split(r"(\\\$|\$(?:\{[^}]*\}|[A-Za-z_][A-Za-z0-9_]*))", text):
        if part == "\\$":
            out.append("$")
        else:
            out.append(expand(part, variables, escape) if part.startswith("$") and len(part) > 1 else part)
    return "".join(out)


class _Expansion:
    def __init__(self, word: str, variables: Mapping[str, str], escape: str) -> None:
        self._word, self._variables, self._escape, self._at = word, variables, escape, 0

    def run(self) -> str:
        return self._until("")

    def _until(self, stop: str) -> str:
        out: list[str] = []
        word = self._word
        while self._at < len(word):
            char = word[self._at]
            if stop and char in stop:
                return "".join(out)
            self._at += 1
            if char == "'":
                out.append(self._single())
            elif char == '"':
                out.append(self._double())
            elif char == "$":
                out.append(self._dollar())
            elif char == self._escape:
                if self._at < len(word):
                    out.append(word[self._at])
                    self._at += 1
            else:
                out.append(char)
        if stop:
            raise ExpansionError(f"syntax error: missing '{stop[-1]}'")
        return "".join(out)

    def _single(self) -> str:
        end = self._word.find("'", self._at)
        if end < 0:
            raise ExpansionError("unexpected end of statement while looking for matching single-quote")
        text, self._at = self._word[self._at : end], end + 1
        return text

    def _double(self) -> str:
        out: list[str] = []
        while self._at < len(self._word):
            char = self._word[self._at]
            self._at += 1
            if char == '"':
                return "".join(out)
            if char == "$":
                out.append(self._dollar())
                continue
            following = self._word[self._at : self._at + 1]
            if char == self._escape and following and following in f'"${self._escape}':
                out.append(following)
                self._at += 1
                continue
            out.append(char)
        raise ExpansionError("unexpected end of statement while looking for matching double-quote")

    def _dollar(self) -> str:
        braces = self._word[self._at : self._at + 1] == "{"
        self._at += braces
        match = _NAME.match(self._word, self._at)
        if match is None:
            if braces:
                raise ExpansionError("syntax error: bad substitution")
            return "$"
        name = match[0]
        self._at = match.end()
        value = self._variables.get(name)
        if not braces:
            return value or ""
        return self._modified(name, value)

    def _modified(self, name: str, value: str | None) -> str:
        operator = self._word[self._at : self._at + 1]
        if not operator:
            raise ExpansionError("syntax error: missing '}'")
        self._at += 1
        if operator == "}":
            return value or ""
        following = self._word[self._at : self._at + 1]
        if operator in "#%/":
            greedy = following == operator
            self._at += greedy
            return self._pattern(operator, greedy, value or "")
        if operator == ":":
            operator, missing = following, not value
            self._at += 1
        else:
            missing = value is None
        if operator not in ("-", "+", "?"):
            raise ExpansionError(f"unsupported modifier ({operator}) in substitution")
        word = self._until("}")
        self._at += 1
        if operator == "+":
            return "" if missing else word
        if missing and operator == "?":
            raise ExpansionError(f"{name}: {word or 'not allowed to be unset'}")
        return word if missing else value or ""

    def _pattern(self, operator: str, greedy: bool, value: str) -> str:
        pattern = self._until("}" if operator != "/" else "/}")
        replacement = ""
        if operator == "/" and self._word[self._at] == "/":
            self._at += 1
            replacement = self._until("}")
        self._at += 1
        if operator == "/":
            glob = re.compile(_glob(pattern, greedy=True), re.DOTALL)
            return glob.sub(lambda _: replacement, value, count=0 if greedy else 1) if pattern else value
        if operator == "#":
            match = re.match(_glob(pattern, greedy=greedy), value, re.DOTALL)
            return value[match.end() :] if match else value
        ends = range(len(value) + 1) if greedy else range(len(value), -1, -1)
        whole = re.compile(_glob(pattern, greedy=True), re.DOTALL)
        return next((value[:at] for at in ends if whole.fullmatch(value, at)), value)


def _glob(pattern: str, *, greedy: bool) -> str:
    star = ".*" if greedy else ".*?"
    return "".join(star if c == "*" else "." if c == "?" else re.escape(c) for c in pattern)
