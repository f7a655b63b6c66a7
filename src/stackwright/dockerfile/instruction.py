"""Logical lines to instructions: name, flags, arguments; what each instruction may have is a table."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass

from stackwright.dockerfile.errors import DockerfileError
from stackwright.dockerfile.lines import Heredoc, LogicalLine
from stackwright.dockerfile.words import split_words


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction. Variables and quotation marks are still in ``args``; nothing is expanded yet."""

    name: str
    """Upper case."""
    args: tuple[str, ...]
    """Words; one element (the whole text) for the shell form; the elements of the JSON form."""
    text: str
    """The whole instruction on one line, as progress output shows it."""
    line: int
    end_line: int
    flags: tuple[tuple[str, str], ...] = ()
    """``--name=value`` in order, a name possibly repeated (``--mount``); value ``true`` when none is given.
    """
    json: bool = False
    heredocs: tuple[Heredoc, ...] = ()
    nested: Instruction | None = None
    """What ``ONBUILD`` is about."""

    def flag(self, name: str, default: str = "") -> str:
        """The last value of a flag."""
        return dict(self.flags).get(name, default)

    def flag_values(self, name: str) -> list[str]:
        """All values of a flag that may be repeated."""
        return [value for key, value in self.flags if key == name]


@dataclass(frozen=True, slots=True)
class _Kind:
    split: Callable[[str, str, int], tuple[tuple[str, ...], bool]]
    flags: frozenset[str] = frozenset()
    least: int = 1
    most: int | None = None


def parse_instruction(logical: LogicalLine, escape: str) -> Instruction:
    """Read one logical line; DockerfileError says what is wrong with it."""
    keyword, _, rest = _partition(logical.text)
    name = keyword.upper()
    kind = KINDS.get(name)
    if kind is None:
        raise DockerfileError(f"unknown instruction: {keyword}{_suggestion(name)}", logical.line)
    flags, rest = _flags(rest, name, kind, escape, logical.line)
    if name == "ONBUILD":
        return _onbuild(logical, rest, escape)
    try:
        args, is_json = kind.split(rest, escape, logical.line) if rest else ((), False)
    except DockerfileError as error:
        if error.message.startswith("must "):
            raise DockerfileError(f"{name} {error.message}", error.line) from None
        raise
    _check_count(name, args, kind, logical)
    return Instruction(
        name,
        args,
        logical.text,
        logical.line,
        logical.end_line,
        flags,
        json=is_json,
        heredocs=logical.heredocs,
    )


def parse_text(text: str, escape: str = "\\") -> Instruction:
    """One instruction given alone: ``--change`` of commit and import, ``OnBuild`` of an image."""
    from stackwright.dockerfile.lines import logical_lines

    found = list(logical_lines(text, escape))
    if len(found) != 1:
        raise DockerfileError(f'expected one instruction, found {len(found)} in "{text}"')
    return parse_instruction(found[0], escape)


def _onbuild(logical: LogicalLine, rest: str, escape: str) -> Instruction:
    if not rest:
        raise DockerfileError("ONBUILD requires at least one argument", logical.line)
    inner = parse_instruction(LogicalLine(rest, logical.line, logical.end_line, logical.heredocs), escape)
    if inner.name == "ONBUILD":
        raise DockerfileError("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed", logical.line)
    if inner.name in ("FROM", "MAINTAINER"):
        raise DockerfileError(f"{inner.name} isn't allowed as an ONBUILD trigger", logical.line)
    return Instruction("ONBUILD", (rest,), logical.text, logical.line, logical.end_line, nested=inner)


def _partition(text: str) -> tuple[str, str, str]:
    match = re.match(r"(\S+)(\s*)(.*)", text, re.DOTALL)
    return (match[1], match[2], match[3]) if match else ("", "", "")


def _flags(
    rest: str, name: str, kind: _Kind, escape: str, line: int
) -> tuple[tuple[tuple[str, str], ...], str]:
    found: list[tuple[str, str]] = []
    rest = rest.strip()
    while rest.startswith("--") and rest[2:3].strip():
        word = split_words(rest, escape)[0]
        rest = rest[len(word) :].lstrip()
        key, equals, value = word[2:].partition("=")
        if key not in kind.flags:
            raise DockerfileError(f"unknown flag: {name} --{key}", line)
        found.append((key, value if equals else "true"))
    if rest == "--" or rest.startswith(("-- ", "--\t")):
        rest = rest[2:].lstrip()
    return tuple(found), rest


def _check_count(name: str, args: tuple[str, ...], kind: _Kind, logical: LogicalLine) -> None:
    if name in ("COPY", "ADD") and len(args) < 2:
        count = "no arguments were" if not args else "only one was"
        raise DockerfileError(
            f"{name} requires at least two arguments, but {count} provided. "
            "Destination could not be determined",
            logical.line,
        )
    if len(args) < kind.least:
        if kind.most == 1:
            raise DockerfileError(f"{name} requires exactly one argument", logical.line)
        raise DockerfileError(f"{name} requires at least one argument", logical.line)
    if name == "FROM":
        if len(args) not in (1, 3) or (len(args) == 3 and args[1].lower() != "as"):
            raise DockerfileError("FROM requires either one or three arguments", logical.line)
    elif kind.most is not None and len(args) > kind.most:
        raise DockerfileError(f"{name} requires exactly one argument", logical.line)


def _json_list(text: str) -> tuple[str, ...] | None:
    if not text.startswith("["):
        return None
    try:
        value = json.loads(text)
    except ValueError:
        return None
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return tuple(value)
    return None


def _words(text: str, escape: str, line: int) -> tuple[tuple[str, ...], bool]:
    return tuple(split_words(text, escape)), False


def _whole(text: str, escape: str, line: int) -> tuple[tuple[str, ...], bool]:
    return (text,), False


def _maybe_json(text: str, escape: str, line: int) -> tuple[tuple[str, ...], bool]:
    """The exec form when it is valid JSON, else the text as it is (the shell form)."""
    found = _json_list(text)
    return ((text,), False) if found is None else (found, True)


def _maybe_json_words(text: str, escape: str, line: int) -> tuple[tuple[str, ...], bool]:
    found = _json_list(text)
    return (tuple(split_words(text, escape)), False) if found is None else (found, True)


def _only_json(text: str, escape: str, line: int) -> tuple[tuple[str, ...], bool]:
    found = _json_list(text)
    if not found:
        raise DockerfileError("SHELL requires the arguments to be in JSON form", line)
    return found, True


def _pairs(text: str, escape: str, line: int) -> tuple[tuple[str, ...], bool]:
    """``key=value ...``, or the old form ``key value with spaces``: words ``key=value`` either way."""
    words = split_words(text, escape)
    if "=" not in words[0]:
        key, _, value = _partition(text)
        if not value:
            raise DockerfileError("must have two arguments", line)
        return (f"{key}={value.rstrip()}",), True  # marked, since this value keeps its spaces
    for word in words:
        if "=" not in word:
            raise DockerfileError(
                f'Syntax error - can\'t find = in "{word}". Must be of the form: name=value', line
            )
        if word.startswith("="):
            raise DockerfileError("names can not be blank", line)
    return tuple(words), False


def _healthcheck(text: str, escape: str, line: int) -> tuple[tuple[str, ...], bool]:
    kind, _, rest = _partition(text)
    if kind.upper() == "NONE":
        if rest:
            raise DockerfileError("HEALTHCHECK NONE takes no arguments", line)
        return ("NONE",), False
    if kind.upper() != "CMD":
        raise DockerfileError(f'Unknown type "{kind}" in HEALTHCHECK (try CMD)', line)
    if not rest:
        raise DockerfileError("Missing command after HEALTHCHECK CMD", line)
    args, is_json = _maybe_json(rest, escape, line)
    return ("CMD", *args), is_json


KINDS: dict[str, _Kind] = {
    "FROM": _Kind(_words, frozenset({"platform"}), most=3),
    "RUN": _Kind(_maybe_json, frozenset({"mount", "network", "security", "device"})),
    "CMD": _Kind(_maybe_json, least=0),
    "ENTRYPOINT": _Kind(_maybe_json, least=0),
    "COPY": _Kind(
        _maybe_json_words, frozenset({"from", "chown", "chmod", "link", "parents", "exclude"}), least=2
    ),
    "ADD": _Kind(
        _maybe_json_words,
        frozenset({"chown", "chmod", "link", "keep-git-dir", "checksum", "exclude", "unpack"}),
        least=2,
    ),
    "ENV": _Kind(_pairs),
    "LABEL": _Kind(_pairs),
    "ARG": _Kind(_words),
    "EXPOSE": _Kind(_words),
    "VOLUME": _Kind(_maybe_json_words),
    "USER": _Kind(_whole, most=1),
    "WORKDIR": _Kind(_whole, most=1),
    "STOPSIGNAL": _Kind(_words, most=1),
    "SHELL": _Kind(_only_json),
    "HEALTHCHECK": _Kind(
        _healthcheck, frozenset({"interval", "timeout", "start-period", "start-interval", "retries"})
    ),
    "ONBUILD": _Kind(_whole),
    "MAINTAINER": _Kind(_whole, most=1),
}


def _suggestion(name: str) -> str:
    from difflib import get_close_matches

    close = get_close_matches(name, KINDS, n=1)
    return f" (did you mean {close[0]}?)" if close else ""
