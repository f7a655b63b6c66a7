"""docs/case-studies.md: every row of its tables is what the check says of the documents' own YAML."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from stackwright.checks.environments import find_environments
from stackwright.checks.run import Options, Result, check
from stackwright.checks.settings import read_settings

SEEDS = Path(__file__).parent / "seeds"
PAGE = Path(__file__).parents[2] / "docs" / "case-studies.md"


def copy_of(seed: str, folder: Path) -> Path:
    """A seed's files; names that git would ignore are stored as ``dot-env``."""
    target = folder / seed
    shutil.copytree(SEEDS / seed, target)
    for file in target.rglob("dot-env*"):
        file.rename(file.with_name(file.name.replace("dot-env", ".env")))
    return target


def checked(folder: Path) -> Result:
    """All environments of a folder, checked with its settings."""
    settings = read_settings(folder)
    return check(find_environments(folder, settings), Options(settings))


def _rows() -> list[tuple[str, str, str]]:
    rows, seed = [], ""
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        named = re.search(r"\(?`([\w-]+)`(?: \(|\)|:| writes)", line)
        if named and (SEEDS / named[1]).is_dir():
            seed = named[1]
        match = re.match(r"\| .* \| `([\w-]+)` (\S+:\d+ .*) \|$", line)
        if match:
            rows.append((seed, match[1], match[2]))
    return rows


@pytest.mark.parametrize(("seed", "code", "said"), _rows())
def test_the_row_is_what_is_found(seed: str, code: str, said: str, tmp_path: Path) -> None:
    folder = copy_of(seed, tmp_path)
    result = checked(folder)
    found = [
        f"{finding.place.file.removeprefix(f'{folder}/')}:{finding.place.line} {finding.message}"
        for finding in result.findings
        if finding.code == code
    ]
    assert said in found


def test_aurum_gets_the_three_errors_and_no_echo_of_them(tmp_path: Path) -> None:
    result = checked(copy_of("aurum-before", tmp_path))
    assert [finding.code for finding in result.findings if finding.code != "SW711"] == [
        "undefined-service",
        "undefined-service",
        "undefined-network",
    ]


def test_every_document_has_rows() -> None:
    assert {seed.partition("-")[0] for seed, _, _ in _rows()} == {
        "aurum",
        "taskapp",
        "birthday",
        "cloudlab",
        "codiesvibe",
    }
