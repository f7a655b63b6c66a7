"""Errors as a person reads them: place, excerpt with a caret, a mend. They make up docs/errors.md.

`UPDATE_ERRORS=1 pytest tests/model/test_error_messages.py` writes that page anew; read the difference.
"""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

import pytest
from tests.model.gallery import GALLERY
from tests.model.support import HOME, ROOT, problems_of, read, run, write

from stackwright.model.load import ModelErrors

PAGE = ROOT / "docs" / "errors.md"
HEAD = """# What is said when a file is wrong

Every mistake is reported at once, each with its place, the line, and a hint where a mend is near. The word in
brackets is the error's code: it stays the same when the words change. `stackwright config --format json` gives
the same as JSON on standard error, for editors. This page is written by `tests/model/test_error_messages.py`.
"""


def said(folder: Path, files: dict[str, str]) -> list[str]:
    write(folder, files)
    with pytest.raises(ModelErrors) as caught:
        read(folder, "-p", "app")
    return [str(problem).replace(f"{folder}/", "") for problem in caught.value.problems]


def section(folder: Path, title: str, files: dict[str, str]) -> str:
    parts = [f"## {title}\n"]
    for name, text in files.items():
        caption = "" if name == "compose.yaml" else f"`{name}`\n\n"
        parts.append(f"{caption}```{'yaml' if name.endswith('yaml') else 'sh'}\n{text}```\n")
    parts.append("```text\n" + "\n".join(said(folder, files)) + "\n```\n")
    return "\n".join(parts)


def test_the_page_of_errors_shows_what_is_really_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sections = []
    for number, (title, files) in enumerate(GALLERY):
        folder = tmp_path / str(number)
        folder.mkdir()
        monkeypatch.chdir(folder)
        sections.append(section(folder, title, files))
    page = HEAD + "\n" + "\n".join(sections)
    if os.environ.get("UPDATE_ERRORS"):
        PAGE.write_text(page)
    assert page == PAGE.read_text()
    assert len(sections) >= 30


def test_every_message_names_a_place_and_a_code(tmp_path: Path) -> None:
    for number, (title, files) in enumerate(GALLERY):
        folder = tmp_path / str(number)
        folder.mkdir()
        for text in said(folder, files):
            first = text.split("\n")[0]
            assert re.match(r"[\w./]+:\d+:\d+: .+ \[[a-z-]+\]$", first), (title, first)
            assert "^" in text, title


def test_all_mistakes_of_a_file_are_reported_at_once(tmp_path: Path) -> None:
    files = dict(GALLERY)["Several mistakes at once"]
    codes = [problem.code for problem in problems_of(tmp_path, files["compose.yaml"])]
    assert codes == ["unknown-key", "undefined-network", "type", "undefined-service", "size"]


def test_one_mistake_is_reported_once(tmp_path: Path) -> None:
    problems = problems_of(tmp_path, "services:\n  web:\n    image: [nginx]\n")
    assert [problem.code for problem in problems] == ["type"]


def test_suggests_what_was_meant(tmp_path: Path) -> None:
    (problem,) = problems_of(tmp_path, "services:\n  web:\n    image: x\n    restrat: always\n")
    assert problem.suggestion == 'did you mean "restart"?'
    (problem,) = problems_of(tmp_path, "services:\n  web:\n    image: x\n    zzz: always\n")
    assert problem.suggestion == ""


def test_an_error_in_an_included_file_is_placed_there(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "compose.yaml": "include: [sub/more.yaml]\n",
            "sub/more.yaml": "services:\n  a: {image: x, prots: []}\n",
        },
    )
    with pytest.raises(ModelErrors) as caught:
        read(tmp_path, "-p", "x")
    (problem,) = caught.value.problems
    assert (Path(problem.file).name, problem.line, problem.column) == ("more.yaml", 2, 17)


def test_problems_as_json_for_editors(tmp_path: Path) -> None:
    write(tmp_path, {"compose.yaml": "services:\n  web:\n    image: x\n    prots: []\n"})
    done = run([sys.executable, "-m", "stackwright.cli.main", "config", "--format", "json"], tmp_path, HOME)
    assert (done.returncode, done.stdout) == (1, "")
    (problem,) = json.loads(done.stderr)["problems"]
    assert (problem["code"], problem["line"], problem["column"], problem["suggestion"]) == (
        "unknown-key",
        4,
        5,
        'did you mean "ports"?',
    )


def test_an_excerpt_does_not_write_to_the_terminal(tmp_path: Path) -> None:
    [problem] = problems_of(tmp_path, 'services:\n  web:\n    imag: "\\e" # \u009b31m\n')
    assert "\u009b" not in str(problem)
    assert "31m" in str(problem)
