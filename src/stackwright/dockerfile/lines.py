"""Physical lines to logical ones: parser directives, comments, continuations, here-documents."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from stackwright.dockerfile.errors import DockerfileError
from stackwright.dockerfile.words import split_words, strip_quotes

_DIRECTIVE = re.compile(r"#\s*([A-Za-z][A-Za-z0-9]*)\s*=\s*(.+?)\s*$")
_KNOWN_DIRECTIVES = ("escape", "syntax", "check")
_HEREDOC = re.compile(r"\d*<<(-?)([^<]+)")
_HEREDOC_INSTRUCTION = re.compile(r"(?:ONBUILD\s+)?(?:RUN|COPY|ADD)\s", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Heredoc:
    """``<<name``; ``expand`` is false when the name was quoted, ``chomp`` true for ``<<-``."""

    name: str
    content: str
    expand: bool
    chomp: bool


@dataclass(frozen=True, slots=True)
class LogicalLine:
    """One instruction's text, continuations joined; ``line`` and ``end_line`` count from 1."""

    text: str
    line: int
    end_line: int
    heredocs: tuple[Heredoc, ...] = ()


@dataclass(frozen=True, slots=True)
class Directives:
    """``# escape=`` and ``# syntax=`` from the top of the file."""

    escape: str = "\\"
    syntax: str = ""


def read_directives(text: str) -> Directives:
    """Parser directives stand before everything else, each at most once."""
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        match = _DIRECTIVE.match(line.strip())
        if not match or (key := match[1].lower()) not in _KNOWN_DIRECTIVES:
            break
        if key in found:
            raise DockerfileError(f"only one {key} parser directive can be used", number)
        if key == "escape" and match[2] not in ("\\", "`"):
            raise DockerfileError(f"invalid ESCAPE '{match[2]}'. Must be ` or \\", number)
        found[key] = match[2]
    return Directives(found.get("escape", "\\"), found.get("syntax", ""))


def logical_lines(text: str, escape: str) -> Iterator[LogicalLine]:
    """Every instruction of the file as one text each."""
    lines = text.removeprefix("\ufeff").split("\n")
    continued = re.compile(re.escape(escape) + r"[ \t]*$")
    at = 0
    while at < len(lines):
        start = at
        line = lines[at].rstrip("\r")
        at += 1
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        joined = line.lstrip()
        while match := continued.search(joined):
            joined = joined[: match.start()]
            while at < len(lines) and (not lines[at].strip() or lines[at].lstrip().startswith("#")):
                at += 1  # comments and empty lines between continued ones do not end the instruction
            if at == len(lines):
                break
            joined += lines[at].rstrip("\r")
            at += 1
        heredocs: list[Heredoc] = []
        if "<<" in joined and _HEREDOC_INSTRUCTION.match(joined):
            for name, expand, chomp in heredoc_marks(joined, escape):
                content, at = _heredoc_content(lines, at, name, chomp, start + 1)
                heredocs.append(Heredoc(name, content, expand, chomp))
        if joined.strip():
            yield LogicalLine(joined.strip(), start + 1, at, tuple(heredocs))


def heredoc_marks(text: str, escape: str) -> list[tuple[str, bool, bool]]:
    """``(name, expand, chomp)`` of every ``<<name`` word."""
    found = []
    for word in split_words(text, escape):
        match = _HEREDOC.fullmatch(word)
        if match and (name := strip_quotes(match[2], escape)):
            found.append((name, name == match[2], bool(match[1])))
    return found


def _heredoc_content(lines: list[str], at: int, name: str, chomp: bool, start: int) -> tuple[str, int]:
    body: list[str] = []
    while at < len(lines):
        line = lines[at].rstrip("\r")
        at += 1
        if (line.lstrip("\t") if chomp else line) == name:
            return "".join(f"{part}\n" for part in body), at
        body.append(line.lstrip("\t") if chomp else line)
    raise DockerfileError(f"unterminated heredoc: no line says only {name}", start)
