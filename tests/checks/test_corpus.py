"""Whatever a file holds, a check ends with findings, and mends end with a file that loads the same."""

from __future__ import annotations

import random
import re
from dataclasses import replace
from pathlib import Path

import pytest

from stackwright.checks.environments import Environment
from stackwright.checks.files import Files
from stackwright.checks.mending import mend
from stackwright.checks.run import Options, check
from stackwright.model.load import Request, examine

HERE = Path(__file__).parent
FOLDERS = (HERE / "seeds", HERE.parent / "model" / "conformance" / "cases")
CORPUS = sorted(
    path for folder in FOLDERS for path in folder.rglob("*.y*ml") if b"services:" in path.read_bytes()
)
ODD = [
    "",
    "[]",
    "{}",
    "null",
    "true",
    "-1",
    "1e9",
    "{a: b}",
    "[a, b]",
    '"x"',
    "${UNSET}",
    "${X:-{}}",
    "2020-01-01",
    "*nowhere",
    "&a b",
    "!reset null",
    "💥",
    "a:b:c:d",
    "::",
    "0-99999",
    "/",
    "\\\\",
    "\t",
]


def _look(path: Path, text: bytes, kind: str = "production") -> tuple[Environment, Options]:
    environment = Environment("default", kind, str(path.parent), (str(path),))
    return environment, Options(files=Files({str(path): text}))


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_file_is_checked_and_mended_without_harm(path: Path) -> None:
    text = path.read_bytes()
    environment, options = _look(path, text)
    for finding in check([environment], options).findings:
        assert finding.message
        assert finding.code
    mended = mend([environment], options)
    again = mend([environment], replace(options, files=Files(mended.after)))
    assert again.after == {**again.after, **mended.after}
    before = examine(Request([path], environment={}, unsaved={str(path): text}))[1].problems
    after = examine(Request([path], environment={}, unsaved=mended.after))[1].problems
    assert len(after) <= len(before)


@pytest.mark.parametrize("seed", range(12))
def test_mutilated_files_are_checked_without_a_traceback(seed: int) -> None:
    dice = random.Random(seed)
    for path in dice.sample(CORPUS, min(25, len(CORPUS))):
        lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
        for _ in range(dice.randint(1, 6)):
            number = dice.randrange(len(lines))
            how = dice.random()
            if how < 0.6:
                lines[number] = re.sub(
                    r"(:\s+|-\s+)\S.*$", lambda match: match[1] + dice.choice(ODD), lines[number]
                )
            elif how < 0.75:
                del lines[number]
                lines = lines or [""]
            elif how < 0.9:
                lines[number] = " " * dice.randint(0, 3) + lines[number]
            else:
                lines.insert(number, lines[dice.randrange(len(lines))])
        environment, options = _look(path, "\n".join(lines).encode())
        check([environment], options)
