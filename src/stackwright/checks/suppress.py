"""Suppressions: ``# stackwright: ignore SW123 because ...`` on a line or the one above, and in the settings."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatch

from stackwright.checks.finding import Finding, Fix, Place, Severity
from stackwright.checks.fixes import remove_comment
from stackwright.checks.rule import Rule

_COMMENT = re.compile(
    rb"(?:^|[ \t])#[ \t]*stackwright:[ \t]*ignore[ \t]+([\w-]+(?:[ \t]*,[ \t]*[\w-]+)*)[ \t]*(.*)$",
    re.MULTILINE,
)
_REASON = re.compile(r"because\b[\s:]*(\S.*)", re.IGNORECASE)


@dataclass(slots=True)
class Suppression:
    """One decision of a person. ``line`` 0: from the settings, where ``file`` and ``service`` are patterns."""

    codes: tuple[str, ...]
    reason: str
    place: Place
    excerpt: str = ""
    line: int = 0
    file: str = ""
    service: str = ""
    used: bool = False
    removal: Fix | None = None

    def covers(self, finding: Finding) -> bool:
        """Whether it hides a finding."""
        if finding.code not in self.codes:
            return False
        if self.line:
            return finding.place.file == self.file and finding.place.line == self.line
        return fnmatch(finding.service, self.service or "*") and (
            not self.file or fnmatch(finding.place.file, f"*{self.file}")
        )


def read_comments(path: str, text: bytes) -> list[Suppression]:
    """The suppressions in a file's comments. One that stands alone on its line is for the next line."""
    found: list[Suppression] = []
    if b"stackwright:" not in text:
        return found
    lines = text.split(b"\n")
    for match in _COMMENT.finditer(text):
        number = text.count(b"\n", 0, match.start(1)) + 1
        line = lines[number - 1]
        alone = line.lstrip().startswith(b"#")
        codes = tuple(code.strip() for code in match[1].decode().split(","))
        reason = _REASON.search(match[2].decode("utf-8", "replace"))
        column = line.find(b"#") + 1
        place = Place(path, number, column)
        target = _next_line(lines, number) if alone else number
        excerpt = line.decode("utf-8", "replace").rstrip("\r")
        why = reason[1].strip() if reason else ""
        removal = remove_comment(path, text, place)
        found.append(Suppression(codes, why, place, excerpt, target, path, removal=removal))
    return found


def _next_line(lines: list[bytes], number: int) -> int:
    """The first line below that is no comment: several suppressions may stand above one line."""
    while number < len(lines) and lines[number].lstrip().startswith(b"#"):
        number += 1
    return number + 1


def suppress(
    findings: Iterable[Finding],
    suppressions: list[Suppression],
    known: Mapping[str, Rule],
    model_codes: Iterable[str],
) -> list[Finding]:
    """What is left after the suppressions, and what is wrong with these themselves."""
    kept: list[Finding] = []
    for finding in findings:
        hidden = False
        for one in suppressions:
            if one.covers(finding):
                one.used = True
                hidden = hidden or bool(one.reason)
        if not hidden:
            kept.append(finding)
    codes = {*known, *model_codes}
    for one in suppressions:
        kept += _about(one, codes)
    return kept


def _about(one: Suppression, codes: set[str]) -> list[Finding]:
    shown = ", ".join(one.codes)
    unknown = [code for code in one.codes if code not in codes and code.startswith("SW")]
    if unknown:
        message = f"there is no rule {', '.join(unknown)}"
        return [_finding("SW003", Severity.WARNING, message, one, "Correct the code, or remove it.")]
    if not one.reason:
        message = f"the suppression of {shown} gives no reason, so it does not count"
        mend = f'write "ignore {shown} because ..." and say why'
        return [_finding("SW002", Severity.ERROR, message, one, mend)]
    if not one.used:
        message = f"nothing here breaks {shown}: the suppression hides nothing"
        return [replace(_finding("SW001", Severity.WARNING, message, one, "remove it"), fix=one.removal)]
    return []


def _finding(code: str, severity: Severity, message: str, one: Suppression, mend: str) -> Finding:
    return Finding(code, severity, message, one.place, mend=mend, excerpt=one.excerpt)
