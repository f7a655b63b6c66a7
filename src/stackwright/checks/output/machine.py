"""Findings in the formats that other programs read: JSON, SARIF 2.1.0, GitHub annotations, JUnit."""

from __future__ import annotations

import json
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from stackwright import __version__
from stackwright.checks.finding import Finding, Severity
from stackwright.checks.output.text import relative
from stackwright.checks.rule import rules
from stackwright.checks.run import Result

_SARIF_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.ADVICE: "note"}
_GITHUB_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.ADVICE: "notice"}
_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def to_json(result: Result, folder: str) -> str:
    """Everything, with file paths as they are."""
    data = {
        "environments": [one.name for one in result.environments],
        "findings": [finding.as_dict() for finding in result.findings],
        "counts": {severity.word: result.count(severity) for severity in Severity},
    }
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


def to_sarif(result: Result, folder: str) -> str:
    """SARIF 2.1.0 (OASIS), for code scanning. Paths are relative to ``folder``."""
    known = rules()
    codes = sorted({finding.code for finding in result.findings})
    run = {
        "tool": {
            "driver": {
                "name": "stackwright",
                "version": __version__,
                "rules": [_sarif_rule(code, known) for code in codes],
            }
        },
        "columnKind": "unicodeCodePoints",
        "results": [_sarif_result(finding, codes, folder) for finding in result.findings],
    }
    return (
        json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2, ensure_ascii=False)
        + "\n"
    )


def _sarif_rule(code: str, known: dict[str, Any]) -> dict[str, Any]:
    rule = known.get(code)
    if rule is None:
        return {"id": code, "shortDescription": {"text": code.replace("-", " ")}}
    return {
        "id": code,
        "name": "".join(part.capitalize() for part in rule.name.split("-")),
        "shortDescription": {"text": rule.reason},
        "help": {"text": rule.mend},
        "properties": {"tags": [rule.family]},
    }


def _sarif_result(finding: Finding, codes: list[str], folder: str) -> dict[str, Any]:
    made: dict[str, Any] = {
        "ruleId": finding.code,
        "ruleIndex": codes.index(finding.code),
        "level": _SARIF_LEVELS[finding.severity],
        "message": {"text": _sentence(finding)},
        "properties": {"environments": list(finding.environments)},
    }
    if finding.place.file:
        place: dict[str, Any] = {"artifactLocation": {"uri": relative(finding, folder)}}
        if finding.place.line:
            place["region"] = {"startLine": finding.place.line, "startColumn": max(1, finding.place.column)}
        made["locations"] = [{"physicalLocation": place}]
    return made


def _sentence(finding: Finding) -> str:
    where = f" (in {', '.join(finding.environments)})" if finding.environments else ""
    return f"{finding.message}{where}. {finding.mend}".rstrip()


def to_github(result: Result, folder: str) -> str:
    """Workflow commands that GitHub Actions turns into annotations."""
    lines = []
    for finding in result.findings:
        place = finding.place
        keys = {
            "file": relative(finding, folder),
            "line": place.line,
            "col": place.column,
            "title": finding.code,
        }
        given = ",".join(f"{key}={_property(str(value))}" for key, value in keys.items() if value)
        lines.append(f"::{_GITHUB_LEVELS[finding.severity]} {given}::{_data(_sentence(finding))}\n")
    return "".join(lines)


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def to_junit(result: Result, folder: str) -> str:
    """JUnit XML: a test case for each finding; errors and warnings fail, advice is in the output."""
    cases = []
    for finding in result.findings:
        name = quoteattr(f"{finding.code} {relative(finding, folder)}:{finding.place.line}")
        body = escape(
            f"{relative(finding, folder)}:{finding.place.line}:{finding.place.column}: {_sentence(finding)}"
        )
        kind = (
            f'<failure type="{finding.severity.word}" message={quoteattr(finding.message)}>{body}</failure>'
        )
        inner = kind if finding.severity > Severity.ADVICE else f"<system-out>{body}</system-out>"
        cases.append(f'    <testcase classname="stackwright.check" name={name}>{inner}</testcase>\n')
    if not cases:
        cases.append('    <testcase classname="stackwright.check" name="everything"/>\n')
    failures = result.count(Severity.ERROR) + result.count(Severity.WARNING)
    head = f'  <testsuite name="stackwright check" tests="{len(cases)}" failures="{failures}" errors="0">\n'
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>\n{head}{"".join(cases)}  </testsuite>\n</testsuites>\n'


FORMATS = {"json": to_json, "sarif": to_sarif, "github": to_github, "junit": to_junit}
"""Format name to function of the result and the folder that paths are relative to."""
