"""`stackwright logs`."""

from __future__ import annotations

import sys
import time
from functools import partial

import click

from stackwright.cli.flags import GlobalOptions
from stackwright.cli.lock import held
from stackwright.cli.logfilter import LEVELS, Filter, json_view, last_of_each
from stackwright.cli.logview import LogView, short_name
from stackwright.cli.moments import moment
from stackwright.cli.opening import load_or_name, run, session
from stackwright.cli.progress import colourful


@click.command()
@click.argument("services", nargs=-1)
@click.option("-f", "--follow", is_flag=True, help="Follow log output")
@click.option("--index", type=int, default=0, help="Index of the container if service has multiple replicas")
@click.option("--no-color", is_flag=True, help="Produce monochrome output")
@click.option("--no-log-prefix", is_flag=True, help="Don't print prefix in logs")
@click.option(
    "--since", help="Show logs since timestamp (2013-01-02T13:23:37Z) or relative (42m for 42 minutes)"
)
@click.option("-n", "--tail", default="all", help="Number of lines to show from the end of the logs")
@click.option("-t", "--timestamps", is_flag=True, help="Show timestamps")
@click.option("--until", help="Show logs before a timestamp or relative (42m for 42 minutes)")
@click.option("--grep", default="", metavar="REGEX", help="Show only lines that match; --tail counts those")
@click.option(
    "--level", type=click.Choice(LEVELS), default=None, help="Show only lines of at least this level"
)
@click.option("--json", "as_json", is_flag=True, help="An object a line, for programs")
@click.pass_obj
def logs(
    options: GlobalOptions,
    /,
    services: tuple[str, ...],
    follow: bool,
    index: int,
    no_color: bool,
    no_log_prefix: bool,
    since: str | None,
    tail: str,
    timestamps: bool,
    until: str | None,
    grep: str,
    level: str | None,
    as_json: bool,
) -> int:
    """View output from containers."""
    from stackwright.plan.observed import Container
    from stackwright.run import logs as runs
    from stackwright.run.session import check_services, containers

    project, known = load_or_name(options, services)
    if tail not in ("all",) and not tail.isdigit():
        raise click.UsageError(f'invalid --tail "{tail}": write a number or "all"')
    chosen = Filter(grep, level or "")
    begin, end = moment(since, "--since"), moment(until, "--until")

    def wanted(one: Container) -> bool:
        return (
            not one.oneoff
            and (one.service in services if services else True)
            and (not index or one.number == index)
        )

    async def main() -> int:
        async with session(options, project, quiet=True) as opened:
            if known:
                check_services(opened, services)
            plain = LogView(
                colour=not no_color and colourful(options.ansi, sys.stdout),
                prefix=not no_log_prefix,
                timestamps=timestamps,
                mark=chosen.pattern,
            )
            view = json_view(sys.stdout.write) if as_json else plain

            def show(line: runs.Line | runs.Ended) -> None:
                if isinstance(line, runs.Ended) or chosen(line):
                    view(line)
                    sys.stdout.flush()

            asked = time.time()
            found = [one for one in await containers(opened.engine, project.name) if wanted(one)]
            plain.expect(map(short_name, found))
            follower = runs.Follower(
                opened.engine,
                project.name,
                wanted,
                show,
                joined_since=asked,
                linger=2.0,
                busy=partial(held, str(opened.engine.address), project.name),
                tell=lambda text: print(text, file=sys.stderr, flush=True),  # noqa: T201
            )
            # Who ends before the follower looks has printed something since its history was read.
            follower.expect({one.id for one in found if one.running})
            # With a filter --tail counts the lines that are shown, so all are read.
            asked_for = "all" if chosen.active else tail
            lines = await runs.history(opened.engine, found, since=begin, until=end, tail=asked_for)
            for line in lines:
                follower.shown(line)
            if chosen.active:
                lines = last_of_each([line for line in lines if chosen(line)], tail)
            for line in lines:
                view(line)
            sys.stdout.flush()
            if follow:
                await follower.run()
        return 0

    return run(main)
