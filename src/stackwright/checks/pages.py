"""The pages in ``docs/rules``: a head made from the rule itself, and examples that the tests run."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from stackwright.checks.rule import FAMILIES, Rule, rules


def severities(rule: Rule) -> str:
    """The severity of a rule in words, with that in production where it is another."""
    usual = rule.severity.word if rule.severity else "silent"
    strict = rule.production.word if rule.production else "silent"
    return usual if usual == strict else f"{usual}, in production {strict}"


def head(rule: Rule) -> str:
    """The part of a rule's page above its examples."""
    fix = "\n`stackwright check --fix` mends it.\n" if rule.fixable else ""
    return f"# {rule.code} {rule.name}\n\n*{rule.family} · {severities(rule)}*\n\n{rule.reason}\n\nMend: {rule.mend}.\n{fix}"


def index() -> str:
    """The list of all rules, by family: ``docs/rules/README.md``."""
    lines = ["# Rules of `stackwright check`\n"]
    known = rules().values()
    lines.append(
        f"{len(known)} rules. Mistakes of the model itself have names instead of numbers: [errors](../errors.md).\n"
    )
    for family in FAMILIES.values():
        rows = [rule for rule in known if rule.family == family]
        lines.append(f"## {family[0].upper()}{family[1:]}\n")
        lines.append("| code | name | severity | why |\n|---|---|---|---|")
        lines += [
            f"| [{one.code}]({one.code}.md) | {one.name} | {severities(one)} | {one.reason} |" for one in rows
        ]
        lines.append("")
    return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Example:
    """One example of a page: files by name, and whether it is judged as production."""

    good: bool
    production: bool
    files: dict[str, str] = field(default_factory=dict)


_FENCE = re.compile(
    r"(?:^`([^`\n]+)`( with Windows line ends)?:\n\n)?^```[a-z]*\n(.*?)^```$", re.MULTILINE | re.DOTALL
)


def examples(page: str) -> list[Example]:
    """The examples of a page. The first block of each is ``compose.yaml`` unless a line before it says else."""
    found: list[Example] = []
    for section in re.split(r"^## ", page, flags=re.MULTILINE)[1:]:
        title, _, body = section.partition("\n")
        if not title.startswith(("Bad", "Good")):
            continue
        files = {}
        for name, windows, content in _FENCE.findall(body):
            files[name or "compose.yaml"] = content.replace("\n", "\r\n") if windows else content
        found.append(Example(title.startswith("Good"), "production" in title, files))
    return found
