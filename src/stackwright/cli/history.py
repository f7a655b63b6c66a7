"""`stackwright timeline`: the last runs of `up`, one in detail, and what got slower."""

from __future__ import annotations

import json
import sys
from statistics import median

import click
from msgspec import Struct

from stackwright.cli import waterfall
from stackwright.cli.flags import GlobalOptions
from stackwright.cli.live import screen
from stackwright.cli.opening import load_or_name, read_project
from stackwright.cli.runlog import Run, recall
from stackwright.cli.tables import ago, write_table

SLOWER = 1.5
"""How many times as long as usual is worth a word,"""
SECONDS = 0.5
"""and how many seconds more than usual."""
COMPARED = 10
"""Earlier runs that "usual" is the median of."""


class Slower(Struct, frozen=True):
    """A service that took longer to boot than it usually does; seconds."""

    service: str
    usual: float
    now: float


def slower(runs: list[Run]) -> list[Slower]:
    """What took longer in the newest run than in the median of earlier ones on the same engine, worst first."""
    if not runs:
        return []
    newest, *earlier = runs
    found = []
    for service, now in newest.boots().items():
        known = [
            run.boots()[service] for run in earlier if run.engine == newest.engine and service in run.boots()
        ]
        if not known:
            continue
        usual = median(known[:COMPARED])
        if now > usual * SLOWER and now - usual > SECONDS:
            found.append(Slower(service, usual, now))
    return sorted(found, key=lambda one: one.usual - one.now)


@click.command()
@click.argument("run", type=click.IntRange(min=1), required=False)
@click.option(
    "-n", "--last", type=click.IntRange(min=1), default=10, help="How many runs to list (default 10)"
)
@click.option("--json", "as_json", is_flag=True, help="For programs; times in seconds")
@click.pass_obj
def timeline(options: GlobalOptions, run: int | None, last: int, as_json: bool) -> int:
    """Show the last runs of up, and what got slower.

    RUN shows where the time of one went: 1 is the newest.
    """
    project, _ = load_or_name(options, load=read_project)
    runs = recall(project.directory, project.name)
    if run is not None and run > len(runs):
        raise click.ClickException(
            f"there is no run {run}: {len(runs)} of project {project.name} are remembered"
        )
    if as_json:
        chosen = [runs[run - 1]] if run is not None else runs[:last]
        value = {
            "project": project.name,
            "runs": [_value(runs.index(one) + 1, one) for one in chosen],
            "slower": [
                {"service": one.service, "usual_seconds": one.usual, "seconds": one.now}
                for one in slower(runs)
            ],
        }
        sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")
    elif run is not None:
        sys.stdout.write(_details(runs[run - 1]))
    elif not runs:
        sys.stdout.write(f"No run of project {project.name} is remembered yet: up writes them down\n")
    else:
        _table(runs, last)
    return 0


def _value(number: int, run: Run) -> dict[str, object]:
    return {
        "run": number,
        "when": run.when,
        "engine": run.engine,
        "failed": run.failed,
        "started": run.started,
        "boot_seconds_by_service": run.boots(),
        **waterfall.as_json(run.timeline()),
    }


def _details(run: Run) -> str:
    text = waterfall.render(run.timeline(), min(120, screen(sys.stderr).columns))
    failed = f"It failed: {run.failed}\n" if run.failed else ""
    return f"{ago(run.when)}, on {run.engine or 'an unknown engine'}\n{failed}{text}\n"


def _table(runs: list[Run], last: int) -> None:
    rows = []
    for number, run in enumerate(runs[:last], 1):
        share = run.timeline().share()
        boots = run.boots()
        longest = max(boots, key=lambda name: boots[name], default="")
        rows.append(
            (
                str(number),
                ago(run.when),
                run.engine,
                f"{run.seconds:.2f} s" + (" failed" if run.failed else ""),
                str(len(run.started)),
                f"{share.boot:.2f} s",
                f"{share.images:.2f} s",
                f"{share.ours:.2f} s",
                f"{longest} {boots[longest]:.2f} s" if longest else "",
            )
        )
    heads = ("RUN", "WHEN", "ENGINE", "TOOK", "STARTED", "BOOT", "IMAGES", "OURS", "LONGEST BOOT")
    write_table(heads, rows)
    for one in slower(runs):
        sys.stdout.write(
            f"Slower: {one.service} took {one.now:.2f} s to boot, usually {one.usual:.2f} s "
            f"({one.now / one.usual if one.usual else 0:.1f} times)\n"
        )
    sys.stdout.write("timeline RUN shows where the time of one went\n")
