"""Every recorded answer of the real `docker compose` 2.40.3: the same verdict, the same data, the same order."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.model.support import CASES, printed, read, write

from stackwright.model.load import ModelErrors

NEWER = frozenset({"include-conflict", "N9", "N30", "p2 inc dup diff", "p2 inc netdup"})
"""Rejected by 2.40.3, accepted by newer versions of the real tool: see docs/conformance.md."""


def replaced(text: str, folder: Path) -> str:
    return text.replace("@DIR@", str(folder)).replace("@PARENT@", str(folder.parent))


@pytest.mark.parametrize("name", sorted(case.name for case in CASES.iterdir()))
def test_agrees_with_the_real_tool(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = CASES / name
    case: dict[str, Any] = json.loads((folder / "case.json").read_text())
    monkeypatch.setenv("HOME", case["env"].get("HOME", ""))
    if name in NEWER:
        read(folder, *case["args"], environment=case["env"])
        return
    if not case["accepts"]:
        with pytest.raises(ModelErrors) as caught:
            read(folder, *case["args"], environment=case["env"])
        for problem in caught.value.problems:
            assert problem.code
            assert problem.message
        return
    model = read(folder, *case["args"], environment=case["env"])
    expected = json.loads(replaced((folder / "expected.json").read_text(), folder))
    assert printed(model) == expected
    assert json.dumps(printed(model)) == json.dumps(expected), "the same data in another order of keys"
    said = " ".join(case.get("warnings", ()))
    assert ("obsolete" in said) == any("obsolete" in warning for warning in model.warnings)


PROBES = CASES.parent / "probes.jsonl"


def probes() -> list[Any]:
    """Small questions put to the real tool, one a line: files, arguments, environment, and its answer."""
    rows = (json.loads(line) for line in PROBES.read_text().splitlines())
    return [
        pytest.param(row, id=row["name"].encode("ascii", "backslashreplace").decode()[:60]) for row in rows
    ]


@pytest.mark.parametrize("probe", probes())
def test_answers_small_questions_as_the_real_tool(
    probe: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, probe["files"])
    monkeypatch.setenv("HOME", probe["env"].get("HOME", ""))
    try:
        answer: Any = printed(read(tmp_path, *probe["args"], environment=probe["env"]))
    except ModelErrors:
        answer = None
    if probe["name"] in NEWER:
        assert answer is not None
        return
    assert (answer is not None) == probe["accepts"], probe.get("message")
    if answer is not None:
        assert answer == json.loads(replaced(json.dumps(probe["expected"]), tmp_path))
