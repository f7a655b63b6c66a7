"""Applying fixes, and the proof that they changed what they say and nothing else.

A fix is proved by loading: every environment is read before and after, and every difference must lie at one
of the places that the fix names. What cannot be proved is not applied.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from stackwright.checks.environments import Environment
from stackwright.checks.files import Files
from stackwright.checks.finding import Finding
from stackwright.checks.run import Options, check, read
from stackwright.refactor.compare import differences, within
from stackwright.refactor.edits import OverlappingEditsError, apply, by_file

_ROUNDS = 8
"""A mend may make room for another one; more rounds than this would mean that two of them fight."""


@dataclass(slots=True)
class Mended:
    """The texts before and after, the findings that were mended, and those whose fix could not be proved."""

    before: dict[str, bytes]
    after: dict[str, bytes]
    done: list[Finding] = field(default_factory=list)
    unproved: list[tuple[Finding, str]] = field(default_factory=list)


def mend(environments: Sequence[Environment], options: Options) -> Mended:
    """Apply every fix that can be proved; nothing is written."""
    first = check(environments, options)
    mended = Mended(dict(first.files), dict(first.files))
    tried: set[tuple[object, ...]] = set()
    result = first
    for _ in range(_ROUNDS):
        fixable = [one for one in result.findings if one.fix and (one.code, one.message) not in tried]
        if not fixable:
            break
        _round(fixable, environments, options, mended, tried)
        result = check(environments, _over(options, mended.after))
    return mended


def _round(
    fixable: list[Finding],
    environments: Sequence[Environment],
    options: Options,
    mended: Mended,
    tried: set[tuple[object, ...]],
) -> None:
    """All at once when that can be proved, else one by one from the end of each file, so that places stay right."""
    texts = _applied(fixable, mended.after)
    if texts is not None and not _wrong(fixable, mended.after, texts, environments, options):
        mended.after.update(texts)
        mended.done += fixable
        return
    untouched: dict[str, int] = {}
    for finding in sorted(fixable, key=_from_the_end, reverse=True):
        assert finding.fix is not None
        if any(edit.end > untouched.get(edit.file, edit.end) for edit in finding.fix.edits):
            continue  # The text there has changed meanwhile: the next round looks at it anew.
        texts = _applied([finding], mended.after)
        if texts is None:
            continue
        wrong = _wrong([finding], mended.after, texts, environments, options)
        if wrong:
            tried.add((finding.code, finding.message))
            mended.unproved.append((finding, wrong))
        else:
            mended.after.update(texts)
            mended.done.append(finding)
            untouched.update({edit.file: edit.start for edit in finding.fix.edits})


def _from_the_end(finding: Finding) -> tuple[str, int]:
    assert finding.fix is not None
    return finding.fix.edits[0].file, finding.fix.edits[0].start


def _applied(findings: list[Finding], texts: dict[str, bytes]) -> dict[str, bytes] | None:
    edits = [edit for finding in findings if finding.fix for edit in finding.fix.edits]
    try:
        return {file: apply(texts[file], group) for file, group in by_file(edits).items()}
    except OverlappingEditsError:
        return None


def _over(options: Options, texts: dict[str, bytes]) -> Options:
    return replace(options, files=Files({**options.files.unsaved, **texts}, look=options.files.look))


def _wrong(
    findings: list[Finding],
    before: dict[str, bytes],
    texts: dict[str, bytes],
    environments: Sequence[Environment],
    options: Options,
) -> str:
    """What the edits changed beside what they say; empty when nothing."""
    allowed = tuple(place for finding in findings if finding.fix for place in finding.fix.changes)
    old, new = _over(options, before), _over(options, {**before, **texts})
    for environment in environments:
        one, one_problems = _data(environment, old)
        other, other_problems = _data(environment, new)
        more = [problem for problem in other_problems if problem not in one_problems]
        if more:
            return f"{environment.name}: {more[0]}"
        for change in differences(one, other):
            if not within(change, allowed):
                return f"{environment.name}: {change.dotted} would be {change.kind}"
    return ""


def _data(environment: Environment, options: Options) -> tuple[Any, list[str]]:
    subject, report, _ = read(environment, options)
    data: dict[str, Any] = {}
    if subject is not None:
        data = {**subject.model.data, "disabled": subject.model.disabled}
    return data, [problem.message for problem in report.problems]
