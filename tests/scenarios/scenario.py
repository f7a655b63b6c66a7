"""A scenario: a project, what is done to it, and where to look. Read from `data/*.yaml`.

    - name: stop-and-start             # unique; part of the test's name
      compose: |                       # compose.yaml; $IMAGE, $SLEEP, $PROJECT, $FOLDER are filled in
        services: {web: {image: $IMAGE, command: $SLEEP}}
      files: {extra.env: A=1}          # more files
      do:
        - up -d                        # words after `docker compose` or `stackwright`; compared by exit code
                                       # and normalised standard output
        - {run: logs, stdout: sorted}  # lines in any order; `json`; `no`: the exit code only
        - {run: exec -T web cat, stdin: text, env: {A: "1"}, in: sub}
        - {write: {compose.yaml: text}}
        - {docker: network create x}   # the docker command, to prepare what compose does not make
        - {until: {web-1: exited}}     # wait for a container's state or health
        - {said: {web-1: text}}        # wait for its output
        - {look: [containers, networks, volumes, images, details]}

After the last step there is one more look at containers, networks and volumes.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from tests.peers import IMAGE

DATA = Path(__file__).parent / "data"
SLEEP = ["sh", "-c", "trap 'exit 0' TERM INT; sleep 1000 & wait"]
"""Runs until it is told to end, and ends at once then."""
EVERYTHING = ("containers", "networks", "volumes")


@dataclass(frozen=True)
class Step:
    """One thing to do. `kind`: run, write, docker, until, said or look."""

    kind: str
    what: Any
    stdout: str = "text"
    stdin: str = ""
    env: dict[str, str] = field(default_factory=dict)
    folder: str = ""


@dataclass(frozen=True)
class Scenario:
    """One row. `named`: the project's name is given with -p; otherwise it is that of the folder.

    With -p and without -f the real tool looks at no file where it can do without: another thing to try.
    """

    topic: str
    name: str
    files: dict[str, str]
    steps: tuple[Step, ...]
    named: bool = False


def every() -> list[Scenario]:
    """All scenarios, by topic."""
    found = [one for path in sorted(DATA.glob("*.yaml")) for one in _read(path)]
    names = [one.name for one in found]
    assert len(names) == len(set(names)), sorted(name for name in names if names.count(name) > 1)
    return found


def _read(path: Path) -> list[Scenario]:
    return [_scenario(path.stem, row) for row in yaml.safe_load(path.read_text())]


def _scenario(topic: str, row: dict[str, Any]) -> Scenario:
    unknown = set(row) - {"name", "compose", "files", "do", "named"}
    assert not unknown, f"{topic}: {row.get('name')}: {unknown}"
    files = {**({"compose.yaml": row["compose"]} if "compose" in row else {}), **row.get("files", {})}
    steps = tuple(_step(entry) for entry in row["do"])
    return Scenario(topic, row["name"], files, (*steps, Step("look", EVERYTHING)), row.get("named", False))


def _step(entry: str | dict[str, Any]) -> Step:
    if isinstance(entry, str):
        return Step("run", entry)
    kind = next(name for name in ("run", "write", "docker", "until", "said", "look") if name in entry)
    unknown = set(entry) - {kind, "stdout", "stdin", "env", "in"}
    assert not unknown, unknown
    stdout = entry.get("stdout", "text") or "no"  # YAML reads a bare `no` as false
    assert stdout in ("text", "sorted", "json", "no"), stdout
    return Step(kind, entry[kind], stdout, entry.get("stdin", ""), entry.get("env", {}), entry.get("in", ""))


def filled(text: str, project: str, folder: str) -> str:
    """The text with its placeholders replaced."""
    return (
        text.replace("$IMAGE", IMAGE)
        .replace("$SLEEP", json.dumps(SLEEP))
        .replace("$PROJECT", project)
        .replace("$FOLDER", folder)
    )
