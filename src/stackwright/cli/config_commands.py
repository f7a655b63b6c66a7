"""The click commands `config` and `schema`: for `--help`, completion and flags that are wrong."""

from __future__ import annotations

import sys
from typing import Any

import click

from stackwright.cli.config import SHORT, SWITCHES, VALUE_FLAGS, ConfigOptions, run
from stackwright.cli.flags import GlobalOptions


def _spellings(name: str) -> list[str]:
    return [*(short for short, long in SHORT.items() if long == name), name]


def _parameters() -> list[click.Parameter]:
    made: list[click.Parameter] = []
    for name, (dest, text) in VALUE_FLAGS.items():
        made.append(click.Option([*_spellings(name), f"value_{dest}"], help=text))
    for name, (_, _, text) in SWITCHES.items():
        dest = "switch_" + name.removeprefix("--").replace("-", "_")
        made.append(click.Option([*_spellings(name), dest], is_flag=True, help=text))
    made.append(click.Argument(["services"], nargs=-1))
    return made


def _callback(services: tuple[str, ...], **values: Any) -> int:
    chosen = ConfigOptions()
    chosen.services = list(services)
    for name, (dest, _) in VALUE_FLAGS.items():
        if values[f"value_{dest}"] is not None:
            setattr(chosen, dest, values[f"value_{dest}"])
        del name
    for name, (dest, value, _) in SWITCHES.items():
        if values["switch_" + name.removeprefix("--").replace("-", "_")]:
            setattr(chosen, dest, value)
    options = click.get_current_context().obj
    return run(options if isinstance(options, GlobalOptions) else GlobalOptions(), chosen)


config = click.Command(
    "config",
    callback=_callback,
    params=_parameters(),
    help="Parse, resolve and render the compose file in canonical format.",
)


def _schema() -> int:
    from stackwright.model.emit.json_text import indented
    from stackwright.model.schema.file import json_schema

    sys.stdout.write(indented(json_schema()) + "\n")
    return 0


schema = click.Command(
    "schema", callback=_schema, help="Print the JSON schema of compose files, for editors."
)
