"""Our verbs and flags beside those of the real tool, and the page that lists them."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from tests.support import cli_reference

from stackwright.cli.group import OWN, VERBS

pytestmark = pytest.mark.network  # the real tool is fetched from the package mirror, once

MISSING: dict[str, set[str]] = {}
"""Flags of the real tool that we do not have, each with its reason in a comment."""

OTHER_VERBS = {
    "bridge",  # converts models with programs in images that only Docker Hub has
    "alpha",  # experimental there
}

ADDED: dict[str, set[str]] = {
    "": {
        *("--context", "--engine", "--engine-health", "--environment", "--images"),
        *("--lock-timeout", "--no-host-ca", "--version"),
    },
    "config": {"--origins"},
    "logs": {"--grep", "--level", "--json"},
    "run": {"--no-tty"},  # exec's spelling; --no-TTY is taken too
    "start": {"--wait", "--wait-timeout"},  # of docker compose 5
    "up": {"--engine-health"},
}
"""Flags that only we have on the real tool's verbs."""


def real_flags(plugin: Path) -> dict[str, set[str]]:
    """Long flags by verb as `--help` lists them; under the empty name the global ones."""
    found = {"": _flags(plugin)}
    for verb in VERBS:
        if verb not in OWN:
            found[verb] = _flags(plugin, verb)
    return found


def _flags(plugin: Path, *verb: str) -> set[str]:
    done = subprocess.run([plugin, *verb, "--help"], capture_output=True, text=True, check=True, timeout=30)
    return set(re.findall(r"^ +(?:-\w, )?(--[A-Za-z-]+)", done.stdout, re.MULTILINE))


@pytest.fixture(scope="module")
def theirs(compose_plugin: Path) -> dict[str, set[str]]:
    return real_flags(compose_plugin)


def test_every_verb_of_the_real_tool_is_ours_too(compose_plugin: Path) -> None:
    done = subprocess.run([compose_plugin, "--help"], capture_output=True, text=True, check=True, timeout=30)
    listed = set(re.findall(r"^  ([a-z]+) {2,}", done.stdout.partition("Commands:")[2], re.MULTILINE))
    assert len(listed) > 30
    assert listed - set(VERBS) - OTHER_VERBS == set()


def test_every_flag_of_the_real_tool_is_ours_too(theirs: dict[str, set[str]]) -> None:
    commands = {"": cli_reference.group, **cli_reference.verbs()}
    lacking = {
        verb: flags - set(cli_reference.options(commands[verb])) - MISSING.get(verb, set())
        for verb, flags in theirs.items()
    }
    assert {verb: flags for verb, flags in lacking.items() if flags} == {}


def test_short_flags_mean_the_same(compose_plugin: Path) -> None:
    commands = {"": cli_reference.group, **cli_reference.verbs()}
    wrong = []
    for verb, command in commands.items():
        if verb in OWN:
            continue
        words = [verb] if verb else []
        done = subprocess.run([compose_plugin, *words, "--help"], capture_output=True, text=True, timeout=30)
        for short, long in re.findall(r"^ +(-\w), (--[A-Za-z-]+)", done.stdout, re.MULTILINE):
            option = cli_reference.options(command).get(long)
            if option is not None and short not in option.opts:
                wrong.append(f"{verb} {short}, {long}")
    assert wrong == []


def test_what_only_we_have_is_listed_here(theirs: dict[str, set[str]]) -> None:
    commands = {"": cli_reference.group, **cli_reference.verbs()}
    added = {verb: set(cli_reference.options(commands[verb])) - flags for verb, flags in theirs.items()}
    assert {verb: flags for verb, flags in added.items() if flags} == ADDED


def test_the_page_is_what_the_commands_say(theirs: dict[str, set[str]]) -> None:
    assert cli_reference.PAGE.read_text() == cli_reference.page(theirs), (
        "write it anew: python -m tests.support.cli_reference"
    )
