"""`stackwright check`: every mistake in every environment, before anything starts."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from stackwright.checks.environments import Environment
from stackwright.checks.files import Files, Host
from stackwright.checks.finding import Severity
from stackwright.checks.output.machine import FORMATS
from stackwright.checks.output.text import render
from stackwright.checks.pages import severities
from stackwright.checks.rule import rules
from stackwright.checks.run import Options, Result
from stackwright.checks.run import check as run_checks
from stackwright.cli.boots import recall
from stackwright.cli.environments import Place, place_of
from stackwright.cli.flags import GlobalOptions

KINDS = ("production", "staging", "development", "test")


@click.command("check")
@click.argument("files", nargs=-1, type=click.Path())
@click.option(
    "--format", "format_", type=click.Choice(["text", *FORMATS]), default="text", help="Form of the output"
)
@click.option(
    "--fail-on",
    type=click.Choice(["error", "warning", "advice", "never"]),
    help="Least severity that gives exit code 1 (default: error)",
)
@click.option("--fix", is_flag=True, help="Mend what has one right mend; the changes are shown")
@click.option("--diff", "diff_", is_flag=True, help="Show what --fix would change, and change nothing")
@click.option("--rule", "only", multiple=True, metavar="CODE", help="Only these rules (code or name)")
@click.option("--kind", type=click.Choice(KINDS), help="Judge the environments as of this kind")
@click.option("--host", is_flag=True, help="Compare with this machine: its memory, networks and ports in use")
@click.option("--no-advice", is_flag=True, help="Show errors and warnings only")
@click.option("--explain", metavar="CODE", help="Say what a rule is about, and end")
@click.option("--list-rules", is_flag=True, help="List all rules, and end")
@click.pass_obj
def check(
    options: GlobalOptions,
    files: tuple[str, ...],
    format_: str,
    fail_on: str | None,
    fix: bool,
    diff_: bool,
    only: tuple[str, ...],
    kind: str | None,
    host: bool,
    no_advice: bool,
    explain: str | None,
    list_rules: bool,
) -> int:
    """Find mistakes in all environments of the project, or in FILES.

    A FILE that is part of an environment is checked with it; a folder stands for the project in it.
    """
    if explain:
        return _explain(explain)
    if list_rules:
        return _list()
    _known(only)
    places = [place_of(options, Path(file)) for file in files] or [place_of(options)]
    code = 0
    for place in _unique(places):
        asked = _asked(place, options, only, host)
        environments = [_as(one, kind) for one in place.environments]
        if fix or diff_:
            from stackwright.cli.check_fix import mend

            code = max(code, mend(environments, asked, write=fix))
        result = run_checks(environments, asked)
        if not diff_:
            _show(result, format_, options, advice=not no_advice)
        code = max(code, _code(result, fail_on or place.settings.fail_on) if not diff_ else 0)
    return code


def findings(options: GlobalOptions, codes: tuple[str, ...]) -> Result:
    """Run the rules with these codes over the project, and show what they find."""
    place = place_of(options)
    result = run_checks(place.environments, _asked(place, options, codes, False))
    if result.findings:
        _show(result, "text", options, advice=True)
    return result


def _unique(places: list[Place]) -> list[Place]:
    seen: dict[tuple[object, ...], Place] = {}
    for place in places:
        key = (
            place.folder,
            tuple(one.name for one in place.environments),
            tuple(one.files for one in place.environments),
        )
        seen.setdefault(key, place)
    return list(seen.values())


def _asked(place: Place, options: GlobalOptions, only: tuple[str, ...], host: bool) -> Options:
    boots = {**recall(Path(place.folder)), **place.settings.boots}
    facts = Host(boots=boots)
    if host:
        from stackwright.cli.hostfacts import gather

        facts = gather(boots)
    return Options(
        place.settings,
        facts,
        Files(),
        variables=dict(os.environ),
        only=frozenset(only),
        project_name=options.project_name,
        project_directory=options.project_directory,
    )


def _as(environment: Environment, kind: str | None) -> Environment:
    from dataclasses import replace

    return replace(environment, kind=kind) if kind else environment


def _show(result: Result, format_: str, options: GlobalOptions, *, advice: bool) -> None:
    folder = str(Path.cwd())
    if format_ != "text":
        sys.stdout.write(FORMATS[format_](result, folder))
        return
    colour = options.ansi == "always" or (
        options.ansi == "auto" and sys.stdout.isatty() and "NO_COLOR" not in os.environ
    )
    sys.stdout.write(render(result, folder=folder, colour=colour, advice=advice))


def _code(result: Result, fail_on: str) -> int:
    worst = result.worst()
    if worst is None or fail_on == "never":
        return 0
    least = Severity.parse(fail_on)
    assert least is not None
    return int(worst >= least)


def _known(only: tuple[str, ...]) -> None:
    known = rules()
    names = {rule.name for rule in known.values()}
    for word in only:
        if word.upper() not in known and word not in known and word not in names:
            raise click.UsageError(f'there is no rule "{word}"; --list-rules lists them')


def _explain(word: str) -> int:
    known = rules()
    rule = known.get(word.upper()) or next((one for one in known.values() if one.name == word), None)
    if rule is None:
        raise click.UsageError(f'there is no rule "{word}"; --list-rules lists them')
    sys.stdout.write(
        f"{rule.code} {rule.name} ({rule.family}; {severities(rule)})\n\n{rule.reason}\n\nMend: {rule.mend}\n"
        f"\nExamples: docs/rules/{rule.code}.md\n"
    )
    return 0


def _list() -> int:
    for rule in rules().values():
        sys.stdout.write(f"{rule.code:8}{rule.name:32}{severities(rule)}\n")
    return 0
