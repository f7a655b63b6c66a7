"""Splitting a command given as one text into words, as the reference's shell-word reader does."""

from __future__ import annotations

_ENDS = ";&|<>"


class WordsError(ValueError):
    """A quote is open, or brackets stand where none can be."""


def split_words(text: str) -> list[str]:
    """Words of a command line. Quotes and backslashes as in a shell; ``;``, ``&``, ``|``, ``<`` or ``>`` outside
    quotes ends the command (there is no shell).

    Raises:
        WordsError: the text cannot be split.
    """
    return _Splitter().run(text)


class _Splitter:
    def __init__(self) -> None:
        self.words: list[str] = []
        self.word: list[str] = []
        self.has_word = False
        self.quote = ""
        """The quote that is open: ``'``, ``"``, a backtick, ``(`` for ``$(``, or none."""

    def run(self, text: str) -> list[str]:
        escaped = False
        for sign in text:
            if escaped:
                escaped = False
                self.escape(sign)
            elif sign == "\\":
                if self.quote == "'":
                    self.word.append(sign)
                else:
                    escaped = True
            elif sign in " \t\r\n":
                self.space(sign)
            elif not self.quote and sign in _ENDS:
                self.end(sign)
                break
            elif not self.quoting(sign):
                self.word.append(sign)
                self.has_word = True
        if escaped or self.quote:
            raise WordsError(f"cannot split this command into words: {self.reason(escaped)}")
        if self.has_word:
            self.words.append("".join(self.word))
        return self.words

    def reason(self, escaped: bool) -> str:
        if escaped:
            return "it ends with a backslash"
        return "a bracket is not closed" if self.quote == "(" else f"a {self.quote} is not closed"

    def escape(self, sign: str) -> None:
        if self.quote in ("`", "("):
            self.word.append("\\" + sign)
        else:
            self.word.append(sign)
        self.has_word = True

    def space(self, sign: str) -> None:
        if self.quote:
            self.word.append(sign)
        elif self.has_word:
            self.words.append("".join(self.word))
            self.word = []
            self.has_word = False

    def end(self, sign: str) -> None:
        """A redirection's file descriptor (``2>``) is not a word."""
        if sign == ">" and self.word and "".join(self.word)[0].isdecimal():
            self.has_word = False

    def quoting(self, sign: str) -> bool:
        """Open or close a quote; True when the sign itself is not part of the word."""
        if sign == "`" and self.quote in ("", "`"):
            self.quote = "" if self.quote else "`"
        elif sign == ")" and self.quote in ("", "("):
            self.quote = "" if self.quote else "("
        elif sign == "(" and self.quote in ("", "("):
            word = "".join(self.word)
            if self.quote or not word.endswith("$") or word.endswith("\\$"):
                raise WordsError("cannot split this command into words: an unexpected bracket")
            self.quote = "("
            self.word.append(sign)
            return True
        elif sign in "'\"" and self.quote in ("", sign):
            if self.quote:
                self.has_word = True
            self.quote = "" if self.quote else sign
            return True
        return False
