"""`stackwright graph`: the project as a picture."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from stackwright.cli.flags import GlobalOptions
from stackwright.report.formats import to_dot, to_mermaid, to_text
from stackwright.report.graph import graph_of
from stackwright.report.svg import to_svg

FORMATS = {"text": to_text, "mermaid": to_mermaid, "dot": to_dot, "svg": to_svg}
_BY_SUFFIX = {
    ".svg": "svg",
    ".dot": "dot",
    ".gv": "dot",
    ".mmd": "mermaid",
    ".mermaid": "mermaid",
    ".txt": "text",
}


@click.command("graph")
@click.option(
    "--format",
    "format_",
    type=click.Choice(list(FORMATS)),
    help="Form of the picture (default: by the file's name, else text)",
)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write to a file")
@click.pass_obj
def graph(options: GlobalOptions, format_: str | None, output: Path | None) -> int:
    """Draw services, dependencies with their conditions, networks, ports and volumes."""
    from stackwright.cli.opening import read_project

    chosen = format_ or (_BY_SUFFIX.get(output.suffix, "text") if output else "text")
    picture = FORMATS[chosen](graph_of(read_project(options)))
    if output is None:
        sys.stdout.write(picture)
    else:
        output.write_text(picture, encoding="utf-8")
    return 0
