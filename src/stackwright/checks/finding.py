"""What a check says: findings are values with a place; nothing here prints."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Any

from stackwright.model.errors import Problem
from stackwright.refactor.edits import Edit


class Severity(IntEnum):
    """How bad it is. An error will fail or is unsafe; a warning will hurt; advice could be better."""

    ADVICE = 1
    WARNING = 2
    ERROR = 3

    @property
    def word(self) -> str:
        """As people write it."""
        return self.name.lower()

    @classmethod
    def parse(cls, word: str) -> Severity | None:
        """The severity of a word; None for ``off``. ValueError for any other."""
        if word == "off":
            return None
        try:
            return cls[word.upper()]
        except KeyError:
            raise ValueError(f'"{word}" is no severity: error, warning, advice or off') from None


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A place in a file; ``line`` and ``column`` count from 1, 0 when only the file is meant."""

    file: str = ""
    line: int = 0
    column: int = 0


@dataclass(frozen=True, slots=True)
class Fix:
    """The one right mend: edits of texts, and what they may change in the model.

    ``changes`` are places in the model such as ``services.db.environment``: all that may differ after the
    edits lies at or below one of them. Empty: nothing may differ.
    """

    title: str
    edits: tuple[Edit, ...]
    changes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a rule found, in one or more environments.

    ``path`` is the place in the model (``services.db.ports``), ``service`` the service it is about or empty,
    ``mend`` what to do, ``chain`` how the value came to its place, ``related`` other places with a word each.
    """

    code: str
    severity: Severity
    message: str
    place: Place = Place()
    service: str = ""
    path: str = ""
    mend: str = ""
    chain: tuple[str, ...] = ()
    excerpt: str = ""
    related: tuple[tuple[str, Place], ...] = ()
    environments: tuple[str, ...] = ()
    fix: Fix | None = field(default=None, compare=False)

    @property
    def identity(self) -> tuple[object, ...]:
        """Equal for the same finding in different environments."""
        return (self.code, self.place, self.message)

    def also_in(self, other: Finding) -> Finding:
        """The same finding, for the other's environments too; the graver severity counts."""
        names = (*self.environments, *(name for name in other.environments if name not in self.environments))
        return replace(self, environments=names, severity=max(self.severity, other.severity))

    def problem(self) -> Problem:
        """The finding as the model's kind of problem, which knows how to print itself."""
        return Problem(
            self.code,
            self.message,
            file=self.place.file,
            line=self.place.line,
            column=self.place.column,
            path=self.path,
            suggestion=self.mend,
            chain=self.chain,
            excerpt=self.excerpt,
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain data for ``--format json``."""
        return {
            **self.problem().as_dict(),
            "severity": self.severity.word,
            "service": self.service,
            "environments": list(self.environments),
            "related": [
                {"message": word, "file": place.file, "line": place.line, "column": place.column}
                for word, place in self.related
            ],
            "fixable": self.fix is not None,
        }


@dataclass(frozen=True, slots=True)
class Hit:
    """What a rule yields: a place in the model (``mark``) or in another file (``place``), and words.

    ``severity`` None: the rule's own for the environment. ``mend`` empty: the rule's own.
    """

    message: str
    mark: Any = 0
    place: Place | None = None
    service: str = ""
    path: str = ""
    mend: str = ""
    severity: Severity | None = None
    related: tuple[tuple[str, Any], ...] = ()
    fix: Fix | None = None
