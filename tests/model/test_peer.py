"""Beside the real tool in the same run: the text of `config`, hashes and flags. Needs the Debian mirror."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest
from tests.model.support import CASES, peer, run

pytestmark = pytest.mark.network

ALWAYS: tuple[tuple[str, ...], ...] = ((), ("--hash", "*"))
SOMETIMES: tuple[tuple[str, ...], ...] = (
    ("--no-interpolate",),
    ("--no-normalize",),
    ("--no-path-resolution",),
)


BROAD = (
    "build",
    "deploy",
    "env-file-order",
    "extends-file",
    "include-nested",
    "merge-all",
    "networks",
    "volumes",
)
"""Cases that touch much: the other flags are compared on these."""


def accepted() -> list[str]:
    return [
        name
        for name in sorted(case.name for case in CASES.iterdir())
        if (CASES / name / "expected.json").exists()
    ]


@pytest.mark.parametrize("name", accepted())
def test_config_prints_the_same_text(name: str) -> None:
    if not peer():
        pytest.skip("the real docker compose cannot be fetched here")
    case: dict[str, Any] = json.loads((CASES / name / "case.json").read_text())
    ours = [sys.executable, "-m", "stackwright.cli.main"]
    for flags in (*ALWAYS, *(SOMETIMES if name in BROAD else ())):
        theirs = run([peer(), *case["args"], "config", *flags], CASES / name, case["env"])
        mine = run([*ours, *case["args"], "config", *flags], CASES / name, case["env"])
        assert mine.stdout.rstrip("\n") == theirs.stdout.rstrip("\n"), flags
        assert mine.returncode == theirs.returncode == 0
