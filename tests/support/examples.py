"""Reads the runnable examples out of a documentation page.

A page is one scenario, in order:
- a fenced block with `title="NAME"` in its info string is a file of the example project;
- a `console` block holds commands (`$ …`, continued by `> …`) and lines of what they print, where `…` stands
  for anything; a command that is meant to fail is followed by a line `# exit N`.
Other blocks are prose and are not run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_FENCE = re.compile(r"^```(?P<info>[^\n`]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
_TITLE = re.compile(r'title="([^"]+)"')
_EXIT = re.compile(r"# exit (\d+)$")


@dataclass(frozen=True)
class File:
    """A file to be written before the commands that follow it."""

    name: str
    text: str


@dataclass
class Command:
    """A command with what the page says about it."""

    text: str
    line: int
    expected: list[str] = field(default_factory=list)
    exit_code: int = 0

    def mismatch(self, output: str) -> str | None:
        """The first promised line that `output` lacks, in order; None when all are there."""
        lines = iter([_squeeze(line) for line in output.splitlines()])
        for wanted in self.expected:
            pattern = ".*".join(re.escape(_squeeze(part)) for part in wanted.split("…"))
            if not any(re.search(pattern, line) for line in lines):
                return wanted
        return None


def examples(page: str) -> Iterator[File | Command]:
    """The files and commands of `page`, in the order in which a reader meets them."""
    for block in _FENCE.finditer(page):
        info = block["info"].strip()
        if title := _TITLE.search(info):
            yield File(title[1], block["body"])
        elif info.startswith("console"):
            first_line = page.count("\n", 0, block.start()) + 2
            yield from _commands(block["body"], first_line)


def _commands(body: str, first_line: int) -> Iterator[Command]:
    command: Command | None = None
    for number, line in enumerate(body.splitlines(), first_line):
        if line.startswith("$ "):
            if command:
                yield command
            command = Command(line[2:], number)
        elif command is None:
            raise ValueError(f"line {number}: output before any command: {line!r}")
        elif line.startswith("> "):
            command.text += "\n" + line[2:]
        elif found := _EXIT.match(line):
            command.exit_code = int(found[1])
        elif line.strip():
            command.expected.append(line)
    if command:
        yield command


def _squeeze(text: str) -> str:
    return " ".join(text.split())
