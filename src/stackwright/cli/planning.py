"""`stackwright plan`, and what `up --dry-run` shows: what would happen and why, like a diff."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import click

from stackwright.cli.flags import GlobalOptions
from stackwright.cli.masking import MASK, masked
from stackwright.cli.opening import load_project, run, session
from stackwright.cli.progress import colourful
from stackwright.cli.up import parse_scale
from stackwright.model.project import Project
from stackwright.plan.changes import Change
from stackwright.plan.graph import UpOptions
from stackwright.run.planning import Planned
from stackwright.run.planning import plan as make_plan
from stackwright.run.session import Session

if TYPE_CHECKING:
    from stackwright.cli.upflow import UpFlags

SIGNS = {
    "create": "+",
    "build": "+",
    "pull": "+",
    "recreate": "~",
    "restart": "~",
    "start": "~",
    "remove": "-",
}
SIGNS |= {"keep": "=", "missing": "!", "ask": "?"}
COLOURS = {"+": "32", "~": "33", "-": "31", "=": "2", "!": "31", "?": "33"}
CHANGED = 2
"""The exit code of `--exit-code` when something would change."""


@click.command()
@click.argument("services", nargs=-1)
@click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", help="Form of the output"
)
@click.option("--exit-code", "tell", is_flag=True, help="End with code 2 when something would change")
@click.option("--build", is_flag=True, help="As with up --build")
@click.option("--no-build", is_flag=True, help="As with up --no-build")
@click.option("--pull", type=click.Choice(["always", "missing", "never"]), help="As with up --pull")
@click.option("--force-recreate", is_flag=True, help="As with up --force-recreate")
@click.option("--no-recreate", is_flag=True, help="As with up --no-recreate")
@click.option("--always-recreate-deps", is_flag=True, help="As with up --always-recreate-deps")
@click.option("--no-deps", is_flag=True, help="As with up --no-deps")
@click.option("--remove-orphans", is_flag=True, help="As with up --remove-orphans")
@click.option("-y", "--yes", is_flag=True, help="As with up --yes: changed volumes are made anew")
@click.option("--scale", multiple=True, metavar="SERVICE=NUM", help="As with up --scale")
@click.pass_obj
def plan(
    options: GlobalOptions,
    /,
    services: tuple[str, ...],
    form: str,
    tell: bool,
    build: bool,
    no_build: bool,
    pull: str | None,
    scale: tuple[str, ...],
    **policy: Any,
) -> int:
    """Show what up would do, and why.

    A line for each thing that would be made, replaced, started or removed; below a container that is replaced the
    keys that changed, old value and new. Credentials are masked. Nothing is changed.
    """
    from stackwright.cli.upflow import UpFlags

    project = load_project(options, services)
    flags = UpFlags(
        services=services, build=build, no_build=no_build, pull=pull, scale=parse_scale(scale), **policy
    )
    return show_plan(options, project, flags, form=form, tell=tell)


def show_plan(
    options: GlobalOptions,
    project: Project,
    flags: UpFlags,
    *,
    form: str = "text",
    tell: bool = False,
) -> int:
    """Make the plan of an `up` with these flags and print it."""
    wanted = flags.options()

    async def main() -> int:
        asked = GlobalOptions()
        for name in GlobalOptions.__slots__:
            setattr(asked, name, getattr(options, name))
        asked.dry_run = False  # a plan only looks: its lines need no mark
        async with session(asked, project, quiet=True) as opened:
            found = await make_plan(opened, wanted, flags.images(opened), agreed=flags.yes)
            orphans = await _orphans(opened, wanted)
        if form == "json":
            sys.stdout.write(json.dumps(as_json(project.name, found), indent=2, ensure_ascii=False) + "\n")
        else:
            sys.stdout.write(render(found, orphans, colour=colourful(options.ansi, sys.stdout)))
        return CHANGED if tell and changing(found) else 0

    return run(main)


async def _orphans(opened: Session, wanted: UpOptions) -> list[str]:
    from stackwright.plan.graph import orphans
    from stackwright.run.session import observe

    if wanted.remove_orphans:
        return []
    return [one.name for one in orphans(opened.project, await observe(opened, set()))]


def changing(found: list[Planned]) -> list[Planned]:
    """What of a plan is not "stays as it is"."""
    return [one for one in found if one.action != "keep"]


def render(found: list[Planned], orphans: list[str], *, colour: bool) -> str:
    """The plan as text."""
    width = max((len(f"{one.action} {one.kind}") for one in found), default=0)
    names = max((len(one.name) for one in found), default=0)
    lines = []
    for one in found:
        sign = SIGNS[one.action]
        what = f"{one.action} {one.kind}"
        lines.append(
            _paint(f"{sign} {what:<{width}}  {one.name:<{names}}", COLOURS[sign], colour) + f"  {one.reason}"
        )
        lines += [f"      {line}" for line in _changes(one.changes, colour)]
    for name in orphans:
        lines.append(
            f"? {'orphan':<{width}}  {name:<{names}}  no such service any more; --remove-orphans removes it"
        )
    counts: dict[str, int] = {}
    for one in found:
        counts[one.action] = counts.get(one.action, 0) + 1
    if changing(found):
        order = [word for word in SIGNS if word in counts]
        lines.append("Plan: " + ", ".join(f"{counts[word]} to {word}" for word in order))
    else:
        lines.append(f"Nothing to do: {counts.get('keep', 0)} containers are up to date")
    return "".join(line + "\n" for line in lines)


def _changes(changes: tuple[Change, ...], colour: bool) -> list[str]:
    width = max((len(one.path) for one in changes), default=0)
    return [
        f"{one.path:<{width}}  {_value(one, one.old, '31', colour)} → {_value(one, one.new, '32', colour)}"
        + (" (another one)" if MASK in (masked(one.path, one.old) or "") and one.old and one.new else "")
        for one in changes
    ]


def _value(change: Change, value: str | None, paint: str, colour: bool) -> str:
    if value is None:
        return "(none)"
    text = masked(change.path, value) or '""'
    if text == MASK:
        return MASK
    text = text.replace("\n", "⏎")
    return _paint(text if len(text) <= 60 else text[:59] + "…", paint, colour)


def as_json(project: str, found: list[Planned]) -> dict[str, object]:
    """The plan for programs; credentials are masked here too."""
    counts: dict[str, int] = {}
    for one in found:
        counts[one.action] = counts.get(one.action, 0) + 1
    return {
        "project": project,
        "summary": counts,
        "steps": [
            {
                "action": one.action,
                "kind": one.kind,
                "name": one.name,
                "service": one.service,
                "reason": one.reason,
                "changes": [
                    {
                        "path": change.path,
                        "old": masked(change.path, change.old),
                        "new": masked(change.path, change.new),
                    }
                    for change in one.changes
                ],
            }
            for one in found
        ],
    }


def _paint(text: str, code: str, colour: bool) -> str:
    return f"\x1b[{code}m{text}\x1b[0m" if colour else text
