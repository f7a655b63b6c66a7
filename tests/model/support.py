"""Reading compose texts from a test, and the real tool to compare with."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from stackwright.model.emit.json_form import json_project
from stackwright.model.load import Model, ModelErrors, Request, read_model

CASES = Path(__file__).parent / "conformance" / "cases"
ROOT = Path(__file__).parents[2]
HOME = {"HOME": "/home/u"}


def write(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def read(folder: Path, *args: str, environment: Mapping[str, str] = HOME) -> Model:
    """The model of a folder, called with the global flags of the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("-p")
    for flag in ("-f", "--env-file", "--profile"):
        parser.add_argument(flag, action="append")
    parser.add_argument("--project-directory")
    chosen = parser.parse_args(args)
    return read_model(
        Request(
            chosen.f,
            project_directory=chosen.project_directory,
            project_name=chosen.p,
            env_files=chosen.env_file,
            profiles=chosen.profile,
            environment=environment,
            working_directory=folder,
        )
    )


def read_text(folder: Path, text: str, *args: str, environment: Mapping[str, str] = HOME) -> Model:
    write(folder, {"compose.yaml": text})
    return read(folder, "-p", "test", *args, environment=environment)


def problems_of(folder: Path, text: str, *args: str) -> list[Any]:
    """What is wrong with a text."""
    try:
        read_text(folder, text, *args)
    except ModelErrors as errors:
        return list(errors.problems)
    return []


def escaped(value: Any) -> Any:
    """`$` doubled, as `config` prints it."""
    if isinstance(value, str):
        return value.replace("$", "$$")
    if isinstance(value, dict):
        return {escaped(key): escaped(item) for key, item in value.items()}
    if isinstance(value, list):
        return [escaped(item) for item in value]
    return value


def printed(model: Model) -> Any:
    """What `config --format json` prints, as data."""
    return escaped(json.loads(json.dumps(json_project(model.data))))


@cache
def peer() -> str:
    """The real `docker compose`, or an empty text where it cannot be had."""
    script = ROOT / "scripts" / "get-compose-peer"
    done = subprocess.run([script], capture_output=True, text=True, timeout=300)
    return done.stdout.strip() if done.returncode == 0 else ""


def run(
    command: Sequence[str], folder: Path, environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=folder,
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=60,
    )
