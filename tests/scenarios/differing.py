"""Where we differ from `docker compose` on purpose, or an engine cannot do better: a table with reasons.

`differences.yaml`: rows of `scenario` (a name, or a pattern with *), `engines`, `at` (pattern of a path in
the scenario's answers) and `why`. What differs and is in no row is an error; so is a row that names one
scenario and is not needed any more.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

import yaml

FILE = Path(__file__).parent / "differences.yaml"
ENGINES = ("docker", "podman", "embedded")


@dataclass(frozen=True)
class Row:
    """One known difference."""

    scenario: str
    on: tuple[str, ...]
    at: tuple[str, ...]
    why: str

    def covers(self, scenario: str, engine: str) -> bool:
        """Whether it is about this scenario on this engine."""
        return engine in self.on and fnmatchcase(scenario, self.scenario)

    def explains(self, path: str) -> bool:
        """Whether it is about this place."""
        return any(_matches(path, pattern) for pattern in self.at)


def _matches(path: str, pattern: str) -> bool:
    # Commands have brackets in them, which are not meant as patterns.
    return fnmatchcase(path, pattern.replace("[", "[[]"))


@cache
def rows() -> tuple[Row, ...]:
    """The table."""
    found = yaml.safe_load(FILE.read_text()) or ()
    return tuple(
        Row(
            one.get("scenario", "*"),
            tuple(one.get("engines", ENGINES)),
            tuple([one["at"]] if isinstance(one["at"], str) else one["at"]),
            " ".join(one["why"].split()),
        )
        for one in found
    )


@dataclass(frozen=True)
class Verdict:
    """What is left to explain, and rows that were not needed."""

    unexplained: dict[str, tuple[Any, Any]]
    needless: tuple[Row, ...]

    @property
    def fine(self) -> bool:
        """Whether nothing is left to do."""
        return not self.unexplained and not self.needless

    def text(self, answers: list[Any]) -> str:
        """For the person who has to mend it: paths, both values, and what our commands said."""
        lines = [f"{path}:\n    docker compose: {_short(left)}\n    stackwright:    {_short(right)}"
                 for path, (left, right) in self.unexplained.items()]  # fmt: skip
        lines += [f"listed and not there any more: {row.at}: {row.why}" for row in self.needless]
        lines += [
            f"$ {one['do']} (exit {one['exit']})\n{one['stderr'][-1200:]}"
            for one in answers
            if one.get("stderr")
        ]
        return "\n".join(lines)


def _short(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)[:1500]


def judge(scenario: str, engine: str, found: dict[str, tuple[Any, Any]]) -> Verdict:
    """Hold differences against the table."""
    mine = [row for row in rows() if row.covers(scenario, engine)]
    unexplained = {
        path: values for path, values in found.items() if not any(row.explains(path) for row in mine)
    }
    needless = tuple(
        row for row in mine if row.scenario == scenario and not any(row.explains(path) for path in found)
    )
    return Verdict(unexplained, needless)
