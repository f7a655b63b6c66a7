"""Every rule has a page; its bad example breaks exactly that rule, its good one none."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path

import pytest

from stackwright.checks.environments import find_environments
from stackwright.checks.files import Files, Host
from stackwright.checks.mending import mend
from stackwright.checks.pages import Example, examples, head, index
from stackwright.checks.rule import Rule, rules
from stackwright.checks.run import Options, check
from stackwright.checks.settings import read_settings

PAGES = Path(__file__).parents[2] / "docs" / "rules"
RULES = rules()
ONLY_IN_PRODUCTION = {rule.code for rule in RULES.values() if rule.severity is None}
"""What production asks of every service; examples would be long if each heeded all of it."""


def _host(text: str) -> Host:
    ports, networks = set(), []
    for line in text.splitlines():
        kind, one, two = line.split()
        if kind == "port":
            ports.add((one, int(two)))
        else:
            networks.append((one, ip_network(two)))
    return Host(ports=frozenset(ports), networks=tuple(networks))


def codes_of(example: Example, folder: Path) -> set[str]:
    """Write an example's files and check them; the codes of what was found."""
    for name, text in example.files.items():
        if name != "this machine":
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode())
    settings = read_settings(folder)
    environments = find_environments(folder, settings)
    if example.production and len(environments) == 1:
        environments = [replace(environments[0], kind="production")]
    host = replace(_host(example.files.get("this machine", "")), boots=dict(settings.boots))
    result = check(environments, Options(settings, host))
    return {finding.code for finding in result.findings}


def _page(rule: Rule) -> str:
    return (PAGES / f"{rule.code}.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("rule", RULES.values(), ids=list(RULES))
def test_page_says_what_the_rule_says(rule: Rule) -> None:
    assert _page(rule).startswith(head(rule)), (
        f"python -m pytest shows the head that docs/rules/{rule.code}.md needs"
    )


@pytest.mark.parametrize("rule", RULES.values(), ids=list(RULES))
def test_bad_example_breaks_exactly_this_rule_and_good_one_does_not(rule: Rule, tmp_path: Path) -> None:
    found = examples(_page(rule))
    assert [example.good for example in found] == [False, True]
    for example in found:
        folder = tmp_path / ("good" if example.good else "bad")
        codes = codes_of(example, folder)
        others = codes - {rule.code} - (ONLY_IN_PRODUCTION if example.production else set())
        assert others == set()
        assert (rule.code in codes) is not example.good


def test_index_lists_every_rule() -> None:
    assert (PAGES / "README.md").read_text(encoding="utf-8") == index()


def test_there_are_rules_in_every_family() -> None:
    assert len(RULES) >= 60
    assert len({rule.family for rule in RULES.values()}) == 14


@pytest.mark.parametrize(
    "rule", [rule for rule in RULES.values() if rule.fixable], ids=lambda rule: rule.code
)
def test_fix_mends_the_bad_example_and_changes_nothing_the_second_time(rule: Rule, tmp_path: Path) -> None:
    bad = next(example for example in examples(_page(rule)) if not example.good)
    assert rule.code in codes_of(bad, tmp_path)
    settings = read_settings(tmp_path)
    environments = find_environments(tmp_path, settings)
    mended = mend(environments, Options(settings))
    assert mended.unproved == []
    assert rule.code in {finding.code for finding in mended.done}
    after = Options(settings, files=Files(mended.after))
    assert rule.code not in {finding.code for finding in check(environments, after).findings}
    assert mend(environments, after).done == []
