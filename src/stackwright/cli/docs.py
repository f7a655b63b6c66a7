"""`stackwright docs`: an architecture page of the project, made from the model."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from stackwright.checks.environments import Environment
from stackwright.checks.run import Options, read
from stackwright.checks.subject import Subject
from stackwright.cli.check_fix import replace_file
from stackwright.cli.environments import place_of
from stackwright.cli.flags import GlobalOptions
from stackwright.model.errors import ModelErrors


@click.command("docs")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default=Path("docs/architecture.md"),
    help="The page (default: docs/architecture.md); its picture lies beside it",
)
@click.option(
    "--check", "only_check", is_flag=True, help="Change nothing; exit with 1 when the page is out of date"
)
@click.pass_obj
def docs(options: GlobalOptions, output: Path, only_check: bool) -> int:
    """Write the project's architecture page; what was written into it by hand stays."""
    from stackwright.report.page import made_parts, page

    place = place_of(options)
    subjects = _subjects(place.environments)
    target = output if output.is_absolute() else Path.cwd() / output
    picture = target.with_suffix(".svg")
    existing = target.read_text(encoding="utf-8") if target.exists() else ""
    text = page(made_parts(subjects, picture.name), existing)
    drawing = _drawing(subjects[0])
    same = existing == text and picture.exists() and picture.read_text(encoding="utf-8") == drawing
    if only_check:
        sys.stdout.write(f"{output} is {'up to date' if same else 'out of date: run stackwright docs'}\n")
        return int(not same)
    target.parent.mkdir(parents=True, exist_ok=True)
    for path, content in ((target, text), (picture, drawing)):
        if path.exists():
            replace_file(path, content.encode())
        else:
            path.write_text(content, encoding="utf-8")
    sys.stdout.write(f"{output} {'is up to date' if same else 'written'}\n")
    return 0


def _subjects(environments: Sequence[Environment]) -> list[Subject]:
    subjects: list[Subject] = []
    asked = Options(variables=dict(os.environ))
    for environment in environments:
        subject, report, _ = read(environment, asked)
        if report.problems or subject is None:
            raise ModelErrors(report.problems, report.warnings)
        subjects.append(subject)
    return subjects


def _drawing(subject: Subject) -> str:
    from stackwright.model.typed import to_project
    from stackwright.report.graph import graph_of
    from stackwright.report.svg import to_svg

    return to_svg(graph_of(to_project(subject.model)))
