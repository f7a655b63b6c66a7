"""Findings for a person: the model's own form with the severity and the environments added."""

from __future__ import annotations

import os
from collections.abc import Sequence

from stackwright.checks.finding import Finding, Place, Severity
from stackwright.checks.run import Result

_COLOURS = {Severity.ERROR: "31;1", Severity.WARNING: "33;1", Severity.ADVICE: "36"}


def near(file: str, folder: str) -> str:
    """A file's path as seen from a folder, when it is below it."""
    return file.removeprefix(folder.rstrip("/") + "/") if folder else file


def render(result: Result, *, folder: str = "", colour: bool = False, advice: bool = True) -> str:
    """All findings and a last line that counts them. ``advice`` False leaves that severity out."""
    shown = [one for one in result.findings if advice or one.severity > Severity.ADVICE]
    everywhere = tuple(environment.name for environment in result.environments)
    parts = [_finding(finding, everywhere, folder, colour) for finding in shown]
    return "\n\n".join([*parts, summary(result, hidden=len(result.findings) - len(shown))]) + "\n"


def _finding(finding: Finding, everywhere: Sequence[str], folder: str, colour: bool) -> str:
    problem = finding.problem()
    problem.file = near(problem.file, folder)
    problem.suggestion = ""
    word = finding.severity.word
    problem.message = f"{_paint(word, finding.severity) if colour else word}: {problem.message}"
    lines = [str(problem)]
    for message, place in finding.related:
        lines.append(f"  see {_at(place, folder)}: {message}" if place.line else f"  see: {message}")
    if finding.mend:
        lines.append(f"  mend: {finding.mend}" + (" (--fix)" if finding.fix else ""))
    if finding.environments and set(finding.environments) != set(everywhere):
        lines.append(f"  in: {', '.join(finding.environments)}")
    return "\n".join(lines)


def _at(place: Place, folder: str) -> str:
    return f"{near(place.file, folder)}:{place.line}:{place.column}"


def _paint(text: str, severity: Severity) -> str:
    return f"\x1b[{_COLOURS[severity]}m{text}\x1b[0m"


def summary(result: Result, hidden: int = 0) -> str:
    """One line: how many of each, in how many environments."""
    counts = [
        f"{count} {severity.word}{'s' if count != 1 and severity is not Severity.ADVICE else ''}"
        for severity in (Severity.ERROR, Severity.WARNING, Severity.ADVICE)
        if (count := result.count(severity))
    ]
    names = [environment.name for environment in result.environments]
    where = f" in {len(names)} environments ({', '.join(names)})" if len(names) > 1 else ""
    fixable = sum(1 for finding in result.findings if finding.fix)
    mend = f"; {fixable} can be mended with --fix" if fixable else ""
    unseen = "; advice is not shown" if hidden else ""
    return (", ".join(counts) or "nothing found") + where + mend + unseen


def relative(finding: Finding, folder: str) -> str:
    """The finding's file for other tools: relative to the folder they run in."""
    file = finding.place.file
    return os.path.relpath(file, folder) if folder and file else file
