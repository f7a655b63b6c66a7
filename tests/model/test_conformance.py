"""Every recorded answer of the real `docker compose` 2.40.3: the same verdict, the same data, the same order."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.model.support import CASES, printed, read

from stackwright.model.load import ModelErrors


def replaced(text: str, folder: Path) -> str:
    return text.replace("@DIR@", str(folder)).replace("@PARENT@", str(folder.parent))


@pytest.mark.parametrize("name", sorted(case.name for case in CASES.iterdir()))
def test_agrees_with_the_real_tool(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = CASES / name
    case: dict[str, Any] = json.loads((folder / "case.json").read_text())
    monkeypatch.setenv("HOME", case["env"].get("HOME", ""))
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
