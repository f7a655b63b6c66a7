"""Rules: small functions in a table, each with its code, its severities and its words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from stackwright.checks.finding import Hit, Severity

if TYPE_CHECKING:
    from stackwright.checks.subject import Subject

ADVICE, WARNING, ERROR = Severity.ADVICE, Severity.WARNING, Severity.ERROR

FAMILIES = {
    0: "checking itself",
    1: "references and structure",
    2: "start order and health",
    3: "ports and addresses",
    4: "scaling",
    5: "resources",
    6: "secrets and security",
    7: "images and builds",
    8: "volumes and data",
    9: "networks",
    10: "environment",
    11: "logging and monitoring",
    12: "portability",
    13: "deprecated syntax",
}
"""The hundreds of a rule's code."""

_MODULES = (
    "structure",
    "hosts",
    "hostfiles",
    "startup",
    "probes",
    "ports",
    "addresses",
    "scaling",
    "resources",
    "credentials",
    "security",
    "images",
    "builds",
    "volumes",
    "networks",
    "variables",
    "drift",
    "logging",
    "portability",
    "deprecated",
)

Check = Callable[["Subject"], Iterator[Hit]]
CheckAcross = Callable[[Sequence["Subject"]], Iterator["tuple[Subject, Hit]"]]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. ``severity`` None: silent outside production; ``production`` counts for staging, too.

    ``reason`` says in one sentence why it matters, ``mend`` in one what to do. ``across`` looks at all
    environments of a project at once and yields each hit with the environment it is in.
    """

    code: str
    name: str
    severity: Severity | None
    production: Severity | None
    reason: str
    mend: str
    check: Check | None = None
    across: CheckAcross | None = None
    fixable: bool = False

    @property
    def family(self) -> str:
        """The group of the rule, in words."""
        return FAMILIES[int(self.code[2:]) // 100]

    def severity_in(self, strict: bool) -> Severity | None:
        """The severity in an environment; None: it says nothing there."""
        return self.production if strict else self.severity


_RULES: dict[str, Rule] = {}
_OWN = object()


def rule(
    code: str,
    name: str,
    severity: Severity | None,
    *,
    production: object = _OWN,
    reason: str,
    mend: str,
    fixable: bool = False,
) -> Callable[[Check], Check]:
    """Register a function as a rule; the arguments are those of `Rule`."""

    def register(check: Check) -> Check:
        strict = severity if production is _OWN else production
        assert strict is None or isinstance(strict, Severity)
        _add(Rule(code, name, severity, strict, reason, mend, check=check, fixable=fixable))
        return check

    return register


def rule_across(
    code: str, name: str, severity: Severity, *, reason: str, mend: str
) -> Callable[[CheckAcross], CheckAcross]:
    """Register a function that looks at all environments together."""

    def register(check: CheckAcross) -> CheckAcross:
        _add(Rule(code, name, severity, severity, reason, mend, across=check))
        return check

    return register


def _add(new: Rule) -> None:
    assert new.code not in _RULES, new.code
    _RULES[new.code] = new


for _rule in (
    Rule(
        "SW001",
        "unused-suppression",
        WARNING,
        WARNING,
        "A suppression that hides nothing will hide the next mistake instead.",
        "Remove it.",
        fixable=True,
    ),
    Rule(
        "SW002",
        "suppression-without-reason",
        ERROR,
        ERROR,
        "Whoever reads it later cannot know whether the reason still holds.",
        'Write "ignore SW123 because ..." with the reason.',
    ),
    Rule(
        "SW003",
        "unknown-rule",
        WARNING,
        WARNING,
        "A suppression or setting for a rule that does not exist does nothing.",
        "Correct the code, or remove it.",
    ),
):
    _add(_rule)


def rules() -> dict[str, Rule]:
    """All rules by code, in order."""
    for module in _MODULES:
        import_module(f"stackwright.checks.rules.{module}")
    return dict(sorted(_RULES.items(), key=lambda item: int(item[0][2:])))
