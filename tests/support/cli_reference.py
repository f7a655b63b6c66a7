"""The command line as data and as a page: `python -m tests.support.cli_reference` writes docs/cli.md."""

from __future__ import annotations

from pathlib import Path

import click

from stackwright.cli.group import OWN, VERBS, group

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"
HEAD = """\
# Command line

Every verb and flag of `docker compose` 2.40 is here with its meaning, exit code and form of output; what is
marked ➕ is ours. This page is generated from the commands (`python -m tests.support.cli_reference`), and a test
compares it with the `--help` of the real tool.

Exit codes: 0 done; 1 failed or not understood, with one message that says what and where; 130 interrupted. `exec`, `run`, `attach` and `up --exit-code-from` give the code of the command or container.
"""


def options(command: click.Command) -> dict[str, click.Option]:
    """The visible options by their long name (by their only one where there is none)."""
    found: dict[str, click.Option] = {}
    for parameter in command.params:
        if isinstance(parameter, click.Option) and not parameter.hidden:
            for name in parameter.opts:
                if name.startswith("--"):
                    found[name] = parameter
    return found


def verbs() -> dict[str, click.Command]:
    """Every verb's command."""
    context = click.Context(group)
    return {name: command for name in VERBS if (command := group.get_command(context, name)) is not None}


def page(theirs: dict[str, set[str]]) -> str:
    """The page; `theirs` are the real tool's long flags by verb, and under the empty name the global ones."""
    parts = [HEAD, "## Flags before the verb\n", _table(group, theirs[""])]
    for name, command in verbs().items():
        mark = " ➕" if name in OWN else ""
        parts.append(f"## {name}{mark}\n\n{VERBS[name][1].rstrip('.')}.\n")
        usage = " ".join(_usage(command))
        parts.append(f"```text\nstackwright {name} [OPTIONS]{' ' + usage if usage else ''}\n```\n")
        if isinstance(command, click.Group):
            listed = ", ".join(f"`{sub}`" for sub in command.list_commands(click.Context(command)))
            parts.append(f"Commands: {listed}\n")
        known = None if name in OWN else theirs.get(name, set())
        table = _table(command, known)
        if table:
            parts.append(table)
    return "\n".join(parts)


def _usage(command: click.Command) -> list[str]:
    context = click.Context(command)
    return [one.make_metavar(context) for one in command.params if isinstance(one, click.Argument)]


def _table(command: click.Command, known: set[str] | None) -> str:
    rows = []
    for option in dict.fromkeys(options(command).values()):
        names = ", ".join(f"`{name}`" for name in [*option.opts, *option.secondary_opts])
        value = "" if option.is_flag or option.count else f" {_value(option)}"
        ours = known is not None and not known & set(option.opts)
        rows.append(f"| {names}{value} | {'➕ ' if ours else ''}{(option.help or '').strip()} |")
    return "\n".join(["| flag | what it does |", "|---|---|", *rows, ""]) if rows else ""


def _value(option: click.Option) -> str:
    if isinstance(option.type, click.Choice):
        return "\\|".join(option.type.choices)
    return option.metavar or {"integer": "NUMBER"}.get(option.type.name, "TEXT")


if __name__ == "__main__":
    from tests.clients.test_cli_reference import real_flags

    plugin = Path("/opt/peers/docker-compose/usr/libexec/docker/cli-plugins/docker-compose")
    PAGE.write_text(page(real_flags(plugin)))
