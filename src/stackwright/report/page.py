"""The architecture page: parts between marks are made anew, everything else stays as a person wrote it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from stackwright.checks.subject import Subject
from stackwright.report import parts

_PART = re.compile(
    r"<!-- stackwright:(?P<name>[^\s>]+) -->\n(?P<body>.*?)<!-- /stackwright -->\n?", re.DOTALL
)


def wrapped(name: str, body: str) -> str:
    """A part with its marks."""
    return f"<!-- stackwright:{name} -->\n{body.rstrip()}\n<!-- /stackwright -->\n"


def made_parts(subjects: Sequence[Subject], picture: str) -> dict[str, tuple[str, str]]:
    """Every part by name: its heading and its body. The first subject is described, the others are compared."""
    subject = subjects[0]
    made = {"overview": (f"# {subject.model.name}", parts.overview(subject, picture, subjects))}
    for service in subject.each:
        made[f"service/{service.name}"] = (f"## {service.name}", parts.service_part(service))
    made["networks"] = ("## Networks", parts.networks(subject))
    if len(subjects) > 1:
        made["environments"] = ("## Environments", parts.environments_part(subjects))
    made["runbook"] = ("## Runbook", parts.runbook(subject))
    return made


def page(made: dict[str, tuple[str, str]], existing: str = "") -> str:
    """The page. In an existing one the parts are replaced where they stand; new ones come after the part that is
    before them, and parts of services that are gone are removed with their heading when nothing was written there.
    """
    if not existing.strip():
        return "\n".join(f"{heading}\n\n{wrapped(name, body)}" for name, (heading, body) in made.items())
    there = {match["name"] for match in _PART.finditer(existing)}
    text = _PART.sub(lambda match: _renewed(match, made), existing)
    text = re.sub(r"^## [^\n]*\n\n<!-- gone -->\n*", "", text, flags=re.MULTILINE).replace(
        "<!-- gone -->\n", ""
    )
    before = ""
    for name, (heading, body) in made.items():
        if name not in there:
            text = _added(text, before, f"\n{heading}\n\n{wrapped(name, body)}")
        before = name
    return text


def _renewed(match: re.Match[str], made: dict[str, tuple[str, str]]) -> str:
    name = match["name"]
    return wrapped(name, made[name][1]) if name in made else "<!-- gone -->\n"


def _added(text: str, before: str, part: str) -> str:
    """A new part after the section of the one before it (what a person wrote below that stays with it)."""
    at = next((match.end() for match in _PART.finditer(text) if match["name"] == before), None)
    if at is None:
        return text.rstrip("\n") + "\n" + part
    following = re.search(r"^## ", text[at:], re.MULTILINE)
    end = at + following.start() if following else len(text)
    return text[:end].rstrip("\n") + "\n" + part + ("\n" + text[end:] if text[end:] else "")
