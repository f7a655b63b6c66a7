"""`stackwright envs`: the environments of the project, with their files."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import click

from stackwright.checks.environments import Environment
from stackwright.cli.environments import place_of
from stackwright.cli.flags import GlobalOptions


@click.command("envs")
@click.option(
    "--format", "format_", type=click.Choice(["text", "json"]), default="text", help="Form of the output"
)
@click.pass_obj
def envs(options: GlobalOptions, format_: str) -> int:
    """List the environments of the project and the files that make them."""
    place = place_of(options)
    found = [one for one in place.environments if one.files]
    here = str(Path.cwd())
    if format_ == "json":
        sys.stdout.write(json.dumps([_row(one, here) for one in found], indent=2) + "\n")
        return 0 if found else 1
    if not found:
        sys.stderr.write(f"no environment in {place.folder}: there is no Compose file\n")
        return 1
    width = max(len(one.name) for one in found)
    for one in found:
        row = _row(one, here)
        parts = [" + ".join(row["files"])]
        parts += [f"variables: {' + '.join(row['env_files'])}"] * bool(row["env_files"])
        parts += [f"profiles: {', '.join(one.profiles)}"] * bool(one.profiles)
        kind = f"{one.kind or '-':12}"
        sys.stdout.write(f"{one.name:{width}}  {kind}{'; '.join(parts)}\n")
    return 0


def _row(one: Environment, here: str) -> dict[str, list[str] | str]:
    return {
        "name": one.name,
        "kind": one.kind,
        "files": [os.path.relpath(file, here) for file in one.files],
        "env_files": [os.path.relpath(file, here) for file in one.env_files],
        "profiles": list(one.profiles),
        "found_by": one.why,
    }
