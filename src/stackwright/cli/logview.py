"""Prints lines of several containers: aligned, coloured names before each line."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from typing import TextIO

from stackwright.plan.observed import Container
from stackwright.run.logs import Ended, Line

PALETTE = ("36", "33", "32", "35", "34", "96", "93", "92", "95", "94")


def short_name(container: Container) -> str:
    """`db-1` for `demo-db-1`; a container_name of its own stays whole."""
    return container.name.removeprefix(f"{container.project}-")


class LogView:
    """Writes lines to `out`; `colour` paints names, `prefix` shows them at all; what matches `mark` stands out."""

    def __init__(
        self,
        *,
        colour: bool,
        prefix: bool = True,
        timestamps: bool = False,
        mark: re.Pattern[str] | None = None,
        out: TextIO | None = None,
    ) -> None:
        self.colour, self.prefix, self.timestamps = colour, prefix, timestamps
        self.mark = mark
        self.out = out or sys.stdout
        self._width = 0
        self._colours: dict[str, str] = {}

    def expect(self, names: Iterable[str]) -> None:
        """Align for these short names."""
        self._width = max(self._width, *(len(name) for name in names), 0)

    def __call__(self, line: Line | Ended) -> None:
        name = short_name(line.container)
        if isinstance(line, Ended):
            self.out.write(f"{name} exited with code {line.code}\n")
        else:
            text = self._marked(line.text)
            text = f"{line.time} {text}" if self.timestamps else text
            self.out.write((self._label(name) if self.prefix else "") + text + "\n")
        self.out.flush()

    def _marked(self, text: str) -> str:
        if self.mark is None or not self.colour:
            return text
        return self.mark.sub(lambda found: f"\x1b[1;31m{found[0]}\x1b[0m" if found[0] else "", text)

    def _label(self, name: str) -> str:
        self._width = max(self._width, len(name))
        text = f"{name:<{self._width}}  | "
        if not self.colour:
            return text
        if name not in self._colours:
            self._colours[name] = PALETTE[len(self._colours) % len(PALETTE)]
        return f"\x1b[{self._colours[name]}m{text}\x1b[0m"
