"""What can be wrong with a model, and where."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any


class Problem:
    """One mistake.

    ``code`` is stable (docs/errors.md lists them). ``file`` is empty when no file is to blame;
    ``line`` and ``column`` count from 1, 0 when unknown. ``path`` is the place in the model
    (``services.web.ports[0]``); ``suggestion`` is a likely mend or empty; ``chain`` says through which
    ``extends``, ``include`` or variable the value came; ``excerpt`` is the line's text.
    """

    __slots__ = ("chain", "code", "column", "excerpt", "file", "line", "message", "path", "suggestion")

    def __init__(
        self,
        code: str,
        message: str,
        file: str = "",
        line: int = 0,
        column: int = 0,
        path: str = "",
        suggestion: str = "",
        chain: tuple[str, ...] = (),
        excerpt: str = "",
    ) -> None:
        self.code = code
        self.message = message
        self.file = file
        self.line = line
        self.column = column
        self.path = path
        self.suggestion = suggestion
        self.chain = chain
        self.excerpt = excerpt

    def __repr__(self) -> str:
        return f"Problem({self.code!r}, {self.message!r}, {self.file}:{self.line}:{self.column})"

    def __str__(self) -> str:
        """Several lines for a person: place, message, excerpt with a caret, how it came there, a mend."""
        file = _near(self.file)
        place = f"{file}:{self.line}:{self.column}: " if self.line else f"{file}: " * bool(file)
        lines = [f"{place}{self.message} [{self.code}]"]
        if self.excerpt:
            lines += _excerpt(self.excerpt, self.line, self.column)
        lines += [f"  via {step}" for step in self.chain]
        if self.suggestion:
            lines.append(f"  hint: {self.suggestion}")
        return "\n".join(lines)

    def as_dict(self) -> dict[str, Any]:
        """Plain data for ``--format json``."""
        return {
            "code": self.code,
            "message": self.message,
            "file": self.file,
            "line": self.line,
            "column": self.column,
            "path": self.path,
            "suggestion": self.suggestion,
            "chain": list(self.chain),
            "excerpt": self.excerpt,
        }


class ModelErrors(Exception):  # noqa: N818 - it carries several errors
    """All mistakes found in one load. ``str()`` is the text for a person, with excerpts."""

    exit_code = 1

    def __init__(self, problems: Sequence[Problem], warnings: Sequence[str] = ()) -> None:
        self.problems = tuple(problems)
        self.warnings = tuple(warnings)
        super().__init__("\n".join(str(problem) for problem in self.problems))


_WIDTH = 100


def _near(file: str) -> str:
    """A file below the current folder by its relative path, for people."""
    import os

    try:
        here = os.getcwd().rstrip("/") + "/"
    except OSError:
        return file
    return file.removeprefix(here)


def _excerpt(text: str, line: int, column: int) -> list[str]:
    # Nothing in a file may move a terminal's cursor or change its colours.
    text = "".join(sign if sign.isprintable() else " " if sign == "\t" else "\ufffd" for sign in text)
    start = max(0, column - 1 - _WIDTH // 2) if len(text) > _WIDTH else 0
    shown = text[start : start + _WIDTH]
    at = column - 1 - start
    gutter = f"{line:5} | "
    return [f"{gutter}{shown}", " " * (len(gutter) - 2) + "| " + " " * at + "^" * token_length(shown, at)]


def token_length(text: str, at: int) -> int:
    """How many characters the caret should underline: the scalar or key that starts there."""
    rest = text[at:]
    if rest[:1] in ("'", '"'):
        end = rest.find(rest[0], 1)
        return end + 1 if end > 0 else max(1, len(rest))
    end = len(rest)
    for stop in (": ", " #", ", ", "]", "}"):
        found = rest.find(stop)
        if 0 < found < end:
            end = found
    return max(1, len(rest[:end].rstrip().removesuffix(":")))
